# SPDX-License-Identifier: Apache-2.0
set(SMAPS_AUDIT_SANITIZE "" CACHE STRING "Sanitizers for all targets, e.g. address;undefined")
if(SMAPS_AUDIT_SANITIZE)
  list(JOIN SMAPS_AUDIT_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${sanitizers})
  # clang 16's ASan does not start where the kernel randomises more than 28 bits: what builds and tests run themselves
  # (CMake 3.25 starts every test's program through this, cross-compiled or not).
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    set(CMAKE_CROSSCOMPILING_EMULATOR setarch --addr-no-randomize)
  endif()
endif()
