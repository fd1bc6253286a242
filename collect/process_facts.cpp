// SPDX-License-Identifier: Apache-2.0
#include "collect/process_facts.h"

#include <limits>

#include "collect/target.h"
#include "parsers/proc_cgroup.h"
#include "parsers/proc_status.h"

namespace smaps_audit {
namespace {

TextFact there(std::string_view text) {
  return {.state = FactState::there, .text = std::string{text}};
}

TextFact there_or_absent(std::string_view text) {
  return text.empty() ? TextFact{.state = FactState::absent} : there(text);
}

TextFact not_read(const Error& error) {
  return {.state = error.code == ErrorCode::gone ? FactState::absent : FactState::unreadable};
}

std::optional<std::uint32_t> read_uid(KernelView& view, const KernelFile& directory) {
  const Result<std::string> text = read_file(view, directory, "status");
  if (!text) return std::nullopt;
  const Result<ProcStatus> status = parse_proc_status(*text);
  if (!status || !status->real_uid ||
      *status->real_uid > std::numeric_limits<std::uint32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(*status->real_uid);
}

}  // namespace

TextFact read_executable(KernelView& view, const KernelFile& directory) {
  const Result<std::string> link = view.read_link(directory, "exe");
  if (!link) return not_read(link.error());
  constexpr std::string_view kDeleted = " (deleted)";
  std::string_view path = *link;
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return there_or_absent(path);
}

CgroupFacts read_cgroup(KernelView& view, const KernelFile& directory) {
  const Result<std::string> text = read_file(view, directory, "cgroup");
  if (!text) {
    const TextFact none = not_read(text.error());
    return {.path = none, .unit = none, .user_unit = none};
  }
  const auto lines = parse_proc_cgroup(*text);
  if (!lines) return {};
  const std::string_view path = telling_cgroup(*lines);
  const SystemdUnits units = units_of_cgroup(path);
  return {.path = there_or_absent(path),
          .unit = there_or_absent(units.unit),
          .user_unit = there_or_absent(units.user_unit)};
}

Result<ProcessFacts> read_process_facts(KernelView& view, int pid) {
  const Result<KernelFile> directory = view.open_directory(KernelRoot::proc, std::to_string(pid));
  if (!directory) return directory.error();
  ProcessFacts facts;
  facts.uid = read_uid(view, *directory);
  facts.executable = read_executable(view, *directory);
  facts.cgroup = read_cgroup(view, *directory);
  // Last: that it is still there tells an absent file from a process that has ended.
  const Result<std::string> comm = read_file(view, *directory, "comm");
  if (!comm && comm.error().code == ErrorCode::gone) return comm.error();
  if (comm)
    facts.comm = there(std::string_view{*comm}.substr(0, comm->size() - comm->ends_with('\n')));
  return facts;
}

}  // namespace smaps_audit
