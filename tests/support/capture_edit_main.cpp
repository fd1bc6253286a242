// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/parse_int.h"
#include "tests/support/capture_edit.h"

namespace {

using smaps_audit::CaptureEdit;
using smaps_audit::parse_signed;
using smaps_audit::parse_unsigned;

constexpr std::string_view kUsage =
    "usage: capture-edit IN --show smaps|smaps_rollup|status|…\n"
    "Prints the last reading of that file.\n"
    "usage: capture-edit IN OUT --file FILE …\n"
    "  --file smaps --vma START_HEX --field Rss CHANGE\n"
    "  --file smaps_rollup|status --field Rss CHANGE\n"
    "  --file statm --field size|resident|shared CHANGE\n"
    "  --file numa_maps --vma START_HEX --field N0|anon|… CHANGE\n"
    "  --file pagemap|pagemap_scan --page ADDRESS_HEX --clear-present|--set-present\n"
    "CHANGE: --add N (kB, pages of statm and numa_maps; N may be negative), --times N, --divide N\n"
    "Puts that change into every read of the file in the capture IN.\n";

/// `field` = value, or false if there is none.
template <class Field, class Value>
bool set(Field& field, const Value& value) {
  if (value) field = *value;
  return value.has_value();
}

bool set_option(CaptureEdit& edit, std::string_view name, const std::string& value) {
  if (name == "--file") return !(edit.file = value).empty();
  if (name == "--field") return !(edit.field = value).empty();
  if (name == "--vma") return set(edit.vma_start, parse_unsigned(value, 16));
  if (name == "--page") return set(edit.page_address, parse_unsigned(value, 16));
  if (name == "--add") return set(edit.change.add, parse_signed(value));
  if (name == "--times") return set(edit.change.times, parse_unsigned(value));
  if (name == "--divide") return set(edit.change.divided_by, parse_unsigned(value));
  return false;
}

bool parse(const std::vector<std::string>& words, CaptureEdit& edit) {
  for (std::size_t at = 2; at < words.size(); ++at) {
    if (words[at] == "--clear-present" || words[at] == "--set-present") {
      edit.present = words[at] == "--set-present";
    } else if (at + 1 == words.size() || !set_option(edit, words[at], words[at + 1])) {
      return false;
    } else {
      ++at;
    }
  }
  return words.size() >= 2;
}

int show(const std::string& capture, const std::string& file) {
  const smaps_audit::Result<std::string> text = smaps_audit::last_text(capture, file);
  if (!text) {
    std::cerr << "capture-edit: " << text.error().message() << '\n';
    return 1;
  }
  std::cout << *text;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 3 && words[1] == "--show") return show(words[0], words[2]);
  CaptureEdit edit;
  if (!parse(words, edit)) {
    std::cerr << kUsage;
    return 64;
  }
  const smaps_audit::Result<std::uint64_t> edits =
      smaps_audit::edit_capture(words[0], words[1], edit);
  if (!edits) {
    std::cerr << "capture-edit: " << edits.error().message() << '\n';
    return 1;
  }
  std::cout << *edits << " places changed\n";
  return 0;
}
