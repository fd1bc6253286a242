# SPDX-License-Identifier: Apache-2.0
set(SMAPS_AUDIT_SANITIZE "" CACHE STRING "Sanitizers for all targets, e.g. address;undefined")
if(SMAPS_AUDIT_SANITIZE)
  list(JOIN SMAPS_AUDIT_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${sanitizers})
endif()
