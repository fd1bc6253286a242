// SPDX-License-Identifier: Apache-2.0
#include "config/glob.h"

namespace smaps_audit {
namespace {

/// Where to go on when what follows a star did not fit: the star takes one byte more.
struct Resume {
  bool seen = false;
  std::string_view glob = {};  ///< behind the star
  std::string_view text = {};

  [[nodiscard]] bool can_take_more() const { return seen && !text.empty(); }
};

}  // namespace

// The last star of each kind is enough to go back to: what an earlier one might take more of, a
// later one of its kind takes as well, for between two "*" that see different text lies a slash.
bool glob_matches(std::string_view glob, std::string_view text) {
  Resume star;
  Resume double_star;
  while (true) {
    if (glob.starts_with("**")) {
      glob.remove_prefix(2);
      double_star = {.seen = true, .glob = glob, .text = text};
      star = {};
    } else if (glob.starts_with('*')) {
      glob.remove_prefix(1);
      star = {.seen = true, .glob = glob, .text = text};
    } else if (glob.empty() && text.empty()) {
      return true;
    } else if (!glob.empty() && !text.empty() &&
               (glob[0] == text[0] || (glob[0] == '?' && text[0] != '/'))) {
      glob.remove_prefix(1);
      text.remove_prefix(1);
    } else if (star.can_take_more() && star.text[0] != '/') {
      star.text.remove_prefix(1);
      glob = star.glob;
      text = star.text;
    } else if (double_star.can_take_more()) {
      star = {};
      double_star.text.remove_prefix(1);
      glob = double_star.glob;
      text = double_star.text;
    } else {
      return false;
    }
  }
}

bool glob_matches_or_parent(std::string_view glob, std::string_view path) {
  if (glob_matches(glob, path)) return true;
  for (std::size_t slash = path.rfind('/'); slash != std::string_view::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    if (glob_matches(glob, path.substr(0, slash))) return true;
  }
  return glob == "/" && path.starts_with('/');
}

}  // namespace smaps_audit
