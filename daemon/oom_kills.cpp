// SPDX-License-Identifier: Apache-2.0
#include "daemon/oom_kills.h"

#include <algorithm>
#include <array>
#include <string>

#include "base/parse_int.h"
#include "collect/target.h"
#include "parsers/proc_cgroup.h"
#include "parsers/text_scan.h"

namespace smaps_audit::service {

std::optional<std::uint64_t> read_oom_kills(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "self/cgroup");
  const auto lines =
      text ? parse_proc_cgroup(*text) : Result<std::vector<CgroupLine>>{text.error()};
  if (!lines) return std::nullopt;
  const auto own = std::find_if(lines->begin(), lines->end(),
                                [](const CgroupLine& line) { return line.controllers.empty(); });
  if (own == lines->end()) return std::nullopt;
  const auto events =
      read_file(view, KernelRoot::sys, "fs/cgroup" + std::string{own->path} + "/memory.events");
  if (!events) return std::nullopt;
  LineScanner scanner{*events};
  while (auto line = scanner.next()) {
    if (take_word(*line) == "oom_kill") return parse_unsigned(*line);
  }
  return std::nullopt;
}

}  // namespace smaps_audit::service
