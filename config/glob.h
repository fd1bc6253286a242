// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace smaps_audit {

/// Does the glob fit the whole text? '*': any text without '/', "**": any text, '?': one byte but
/// '/'; all else is itself. At worst as many steps as the text's length squared times the glob's.
bool glob_matches(std::string_view glob, std::string_view text);

/// As above, or it fits the text up to one of its slashes: a path and what is below it.
bool glob_matches_or_parent(std::string_view glob, std::string_view path);

}  // namespace smaps_audit
