# SPDX-License-Identifier: Apache-2.0
# What most files include is compiled once: a quarter of a build's time. With CMAKE_DISABLE_PRECOMPILE_HEADERS=ON nothing
# is, so that ccache works and a missing #include shows (the preset "clang").
target_precompile_headers(smaps_audit_base PRIVATE
  <algorithm> <array> <functional> <map> <memory> <optional> <set> <span> <sstream> <string> <string_view> <variant>
  <vector> <tl/expected.hpp>)
foreach(library parsers collect config audit card probes report cli target web daemon_core worker daemon store)
  target_precompile_headers(smaps_audit_${library} REUSE_FROM smaps_audit_base)
endforeach()
