// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/parse_int.h"
#include "cli/command_line.h"
#include "collect/live_kernel_view.h"
#include "config/user_lookup.h"

namespace smaps_audit {
namespace {

Error usage(std::string what) { return Error{.code = ErrorCode::usage, .what = std::move(what)}; }

Result<std::vector<int>> read_pids(const std::vector<std::string>& words) {
  std::vector<int> pids;
  for (const std::string& word : words) {
    const std::optional<std::uint64_t> value = parse_unsigned(word);
    if (!value || *value == 0 || *value > std::numeric_limits<int>::max()) {
      return usage("\"" + word + "\" is no process id (use --comm for names)");
    }
    const int pid = static_cast<int>(*value);
    if (std::find(pids.begin(), pids.end(), pid) == pids.end()) pids.push_back(pid);
  }
  return pids;
}

Result<std::uint32_t> read_user(const std::string& word) {
  const std::optional<std::uint32_t> user = find_user(word);
  if (!user) return usage("there is no user \"" + word + "\"");
  return *user;
}

Result<double> read_number(std::string_view option, const std::string& word, double low,
                           double high) {
  double value = 0;
  const char* const end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stop != end || !std::isfinite(value) || value < low || value > high) {
    return usage(std::string{option} + ": \"" + word + "\" is no number from " +
                 std::to_string(static_cast<long>(low)) + " to " +
                 std::to_string(static_cast<long>(high)));
  }
  return value;
}

Result<std::chrono::nanoseconds> read_deadline(const std::string& word,
                                               std::chrono::nanoseconds fallback) {
  if (word.empty()) return fallback;
  constexpr double kLongestSeconds = 86400;
  const Result<double> seconds = read_number("--deadline", word, 0, kLongestSeconds);
  if (!seconds) return seconds.error();
  if (*seconds <= 0) return usage("--deadline: it must be more than 0 seconds");
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(*seconds));
}

Result<ForcedFallbacks> read_fallbacks(const std::vector<std::string>& words) {
  ForcedFallbacks forced;
  for (const std::string& word : words) {
    const auto switches = fallback_switches();
    const auto found = std::find_if(switches.begin(), switches.end(),
                                    [&](const FallbackSwitch& row) { return row.name == word; });
    if (found == switches.end()) return usage("--without: there is no \"" + word + "\"");
    forced.*(found->flag) = true;
  }
  return forced;
}

std::optional<std::string> if_given(const std::string& word) {
  return word.empty() ? std::nullopt : std::optional<std::string>{word};
}

Result<CommonOptions> read_common(const Words& words) {
  CommonOptions common = words.common;
  const Result<ForcedFallbacks> forced = read_fallbacks(words.without);
  if (!forced) return forced.error();
  common.without = *forced;
  common.format = words.format == "json"         ? Format::json
                  : words.format == "jsonl"      ? Format::jsonl
                  : words.format == "tap"        ? Format::tap
                  : words.format == "prometheus" ? Format::prometheus
                                                 : Format::text;
  common.output = if_given(words.output);
  common.proc_root = if_given(words.proc_root);
  common.sys_root = if_given(words.sys_root);
  return common;
}

Result<Command> read_check(const Words& words, CommonOptions common) {
  CheckOptions options{.common = std::move(common), .selection = words.selection};
  Result<std::vector<int>> pids = read_pids(words.pids);
  if (!pids) return pids.error();
  options.selection.pids = *pids;
  for (const std::string& word : words.users) {
    const Result<std::uint32_t> user = read_user(word);
    if (!user) return user.error();
    options.selection.users.push_back(*user);
  }
  if (options.selection.is_empty()) {
    return usage(
        "nothing is selected: name process ids, or --all, --comm NAME, --cgroup PATH, --user NAME");
  }
  if (options.selection.all &&
      (options.selection.has_filter() || !options.selection.pids.empty())) {
    return usage("--all takes every process: leave the other selections out");
  }
  if (words.freeze && options.selection.all) {
    return usage("--freeze stops what it audits: name the processes, not --all");
  }
  if (words.freeze && options.common.proc_root) {
    return usage("--freeze needs the process ids of this machine, not those of --proc-root");
  }
  const Result<double> percent = read_number("--min-coverage", words.min_coverage, 0, 100);
  if (!percent) return percent.error();
  options.min_coverage = *percent / 100;
  const Result<std::chrono::nanoseconds> deadline = read_deadline(words.deadline, options.deadline);
  if (!deadline) return deadline.error();
  options.deadline = *deadline;
  options.freeze = words.freeze;
  options.confirm = !words.no_confirm;
  return Command{std::move(options)};
}

Result<probes::Sabotage> read_sabotage(const std::string& word) {
  using probes::Sabotage;
  constexpr std::array<std::pair<std::string_view, Sabotage>, 7> kSabotages{
      {{"", Sabotage::none},
       {"balancing-off", Sabotage::balancing_off},
       {"touch-hint", Sabotage::touch_hint},
       {"migrate", Sabotage::migrate},
       {"stuck", Sabotage::stuck},
       {"lies", Sabotage::lies},
       {"dies", Sabotage::dies}}};
  for (const auto& [name, sabotage] : kSabotages) {
    if (name == word) return sabotage;
  }
  return usage("--sabotage: there is no \"" + word + "\"");
}

Result<Command> read_probe(const Words& words, CommonOptions common) {
  if (common.proc_root || common.sys_root) {
    return usage("a probe makes a process of this machine: no --proc-root, no --sys-root");
  }
  ProbeOptions options{.common = std::move(common),
                       .names = words.probes,
                       .all = words.selection.all,
                       .list = words.list,
                       .allow_sysctl = words.allow_sysctl,
                       .gate = words.gate};
  if (!options.names.empty() && options.all) {
    return usage("--all takes every probe: leave the names out");
  }
  const Result<std::chrono::nanoseconds> deadline = read_deadline(words.deadline, options.deadline);
  if (!deadline) return deadline.error();
  options.deadline = *deadline;
  const auto sabotage = read_sabotage(words.sabotage);
  if (!sabotage) return sabotage.error();
  options.sabotage = *sabotage;
  options.spool = if_given(words.spool);
  options.proc_root = LiveKernelView::kProcRoot;
  options.sys_root = LiveKernelView::kSysRoot;
  return Command{std::move(options)};
}

Result<Command> read_capture(const Words& words, CommonOptions common) {
  CaptureOptions options{.common = std::move(common), .file = words.file, .freeze = words.freeze};
  const Result<std::vector<int>> pids = read_pids(words.pids);
  if (!pids) return pids.error();
  options.pid = pids->front();
  if (words.freeze && options.common.proc_root) {
    return usage("--freeze needs the process ids of this machine, not those of --proc-root");
  }
  const Result<std::chrono::nanoseconds> deadline = read_deadline(words.deadline, options.deadline);
  if (!deadline) return deadline.error();
  options.deadline = *deadline;
  return Command{std::move(options)};
}

Result<Command> read_findings(const std::string& verb, const Words& words, CommonOptions common) {
  FindingsOptions options{
      .common = std::move(common), .store = words.store, .all = words.selection.all};
  if (verb == "findings export") options.action = FindingsOptions::Action::export_all;
  if (verb != "findings show") return Command{std::move(options)};
  options.action = FindingsOptions::Action::show;
  const std::optional<std::uint64_t> id = parse_unsigned(words.id);
  if (!id || *id == 0 || *id > std::numeric_limits<std::int64_t>::max()) {
    return usage("\"" + words.id + "\" is no finding's number");
  }
  options.id = static_cast<std::int64_t>(*id);
  return Command{std::move(options)};
}

}  // namespace

Result<Command> read_command(const std::string& verb, const Words& words) {
  Result<CommonOptions> common = read_common(words);
  if (!common) return common.error();
  if (verb.starts_with("config")) {
    return Command{ConfigOptions{.common = *std::move(common),
                                 .action = verb == "config dump" ? ConfigOptions::Action::dump
                                                                 : ConfigOptions::Action::check,
                                 .file = if_given(words.file)}};
  }
  if (verb.starts_with("findings")) return read_findings(verb, words, *std::move(common));
  if (verb == "check") return read_check(words, *std::move(common));
  if (verb == "capture") return read_capture(words, *std::move(common));
  if (verb == "probe") return read_probe(words, *std::move(common));
  if (verb == "doctor") {
    return Command{DoctorOptions{*std::move(common), words.kernel, if_given(words.spool)}};
  }
  if (verb == "replay") return Command{ReplayOptions{*std::move(common), words.file}};
  return Command{ExplainOptions{*std::move(common), words.ids}};
}

}  // namespace smaps_audit
