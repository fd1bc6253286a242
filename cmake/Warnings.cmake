# SPDX-License-Identifier: Apache-2.0
# Every target of the project links smaps_audit_warnings; dependencies are not held to it.
add_library(smaps_audit_warnings INTERFACE)
target_compile_options(smaps_audit_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wcast-align -Wformat=2 -Werror
  -fstack-protector-strong
  $<$<CONFIG:RelWithDebInfo,Release>:-D_FORTIFY_SOURCE=2>
  -ffile-prefix-map=${PROJECT_SOURCE_DIR}=.)
target_link_options(smaps_audit_warnings INTERFACE -Wl,-z,relro,-z,now)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
