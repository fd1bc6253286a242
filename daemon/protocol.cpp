// SPDX-License-Identifier: Apache-2.0
#include "daemon/protocol.h"

#include <array>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/parse_int.h"
#include "report/printable.h"
#include "report/process_json.h"

namespace smaps_audit::service {
namespace {

using Json = nlohmann::json;
using std::chrono::nanoseconds;

constexpr std::array<std::string_view, 4> kOrderWords{"list", "screen", "audit", "ping"};

// Thrown by what follows, caught in parse_answer(), beside the library's own.
struct BadAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

Error malformed(std::string what) {
  return {.code = ErrorCode::malformed, .what = std::move(what)};
}

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (!line.empty()) {
    const std::size_t blank = line.find(' ');
    words.push_back(line.substr(0, blank));
    if (blank == std::string_view::npos) break;
    line.remove_prefix(blank + 1);
  }
  return words;
}

std::optional<int> pid_from(std::string_view word) {
  const auto number = parse_unsigned(word);
  if (!number || *number == 0 || *number > INT32_MAX) return std::nullopt;
  return static_cast<int>(*number);
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

std::uint64_t number(const Json& json) {
  if (!json.is_number_unsigned()) throw BadAnswer{"a number is missing"};
  return json.get<std::uint64_t>();
}

std::optional<std::uint64_t> number_or_null(const Json& json) {
  if (json.is_null()) return std::nullopt;
  return number(json);
}

int pid_of(const Json& json) {
  const std::uint64_t pid = number(json);
  if (pid == 0 || pid > INT32_MAX) throw BadAnswer{"no pid"};
  return static_cast<int>(pid);
}

nanoseconds duration(const Json& json) {
  const std::uint64_t count = number(json);
  if (count > INT64_MAX) throw BadAnswer{"a duration without end"};
  return nanoseconds{static_cast<std::int64_t>(count)};
}

std::string line_of(const char* key, Json json) {
  const Json object{{key, std::move(json)}};
  return object.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

ProcessListing listing_from(const Json& json) {
  ProcessListing process;
  process.pid = pid_of(json.at("pid"));
  process.start_time_ticks = number(json.at("start_time_ticks"));
  process.comm = json.at("comm").get<std::string>();
  process.executable = json.at("executable").get<std::string>();
  process.unit = json.at("unit").get<std::string>();
  process.cgroup = json.at("cgroup").get<std::string>();
  if (const auto uid = number_or_null(json.at("uid"))) {
    if (*uid > UINT32_MAX) throw BadAnswer{"no uid"};
    process.uid = static_cast<std::uint32_t>(*uid);
  }
  process.kernel_thread = json.at("kernel_thread").get<bool>();
  process.rss_bytes = number_or_null(json.at("rss_bytes"));
  process.page_table_bytes = number_or_null(json.at("page_table_bytes"));
  return process;
}

Screening screening_from(const Json& json) {
  return {.pid = pid_of(json.at("pid")),
          .start_time_ticks = number(json.at("start_time_ticks")),
          .status_rss_bytes = number_or_null(json.at("status_rss_bytes")),
          .rollup_rss_bytes = number_or_null(json.at("rollup_rss_bytes")),
          .rollup_pss_bytes = number_or_null(json.at("rollup_pss_bytes")),
          .suspicious = json.at("suspicious").get<bool>(),
          .problem = json.at("problem").get<std::string>(),
          .read_time = duration(json.at("read_time_ns"))};
}

AuditAnswer audit_from(const Json& json) {
  AuditAnswer answer;
  answer.json = json.at("report").get<std::string>();
  auto report = process_from_json(answer.json);
  if (!report) throw BadAnswer{report.error().what};
  answer.report = *std::move(report);
  answer.capture_bytes = number_or_null(json.at("capture_bytes"));
  answer.capture_problem = json.at("capture_problem").get<std::string>();
  return answer;
}

Answer answer_from(const Json& json) {
  if (!json.is_object() || json.size() != 1) throw BadAnswer{"not one answer"};
  const std::string& kind = json.begin().key();
  const Json& value = json.begin().value();
  if (kind == "hello") {
    return Hello{.worker_pid = pid_of(value.at("worker_pid")),
                 .capabilities = value.at("capabilities").get<std::map<std::string, bool>>()};
  }
  if (kind == "process") return listing_from(value);
  if (kind == "left_out") return LeftOut{.pid = pid_of(value)};
  if (kind == "screen") return screening_from(value);
  if (kind == "audit") return audit_from(value);
  if (kind == "done") {
    return Done{.cpu = duration(value.at("cpu_ns")),
                .wall = duration(value.at("wall_ns")),
                .peak_rss_bytes = number(value.at("peak_rss_bytes"))};
  }
  if (kind == "refused") return Refused{.call = value.get<std::string>()};
  throw BadAnswer{"\"" + kind + "\" is no answer"};
}

}  // namespace

std::map<std::string, bool> capability_flags(const KernelCapabilities& capabilities) {
  return {{"pagemap", capabilities.pagemap},
          {"pagemap_scan", capabilities.pagemap_scan},
          {"procmap_query", capabilities.procmap_query},
          {"smaps_rollup", capabilities.smaps_rollup},
          {"numa_maps", capabilities.numa_maps},
          {"wchan", capabilities.wchan},
          {"pfn_visible", capabilities.pfn_visible},
          {"kpageflags", capabilities.kpageflags},
          {"kpagecount", capabilities.kpagecount}};
}

std::string order_line(const Order& order) {
  std::string line{kOrderWords.at(static_cast<std::size_t>(order.kind))};
  if (order.pid != 0) line += " " + std::to_string(order.pid);
  if (order.kind == OrderKind::audit) line += " " + std::to_string(order.deadline.count());
  if (order.kind == OrderKind::screen) {
    line += " " + std::to_string(order.most_page_table_bytes.value_or(UINT64_MAX));
  }
  if (order.capture) line += " capture";
  for (const int pid : order.pids) line += " " + std::to_string(pid);
  return line + "\n";
}

Result<Order> parse_order(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  const auto words = words_of(line);
  Order order;
  const auto bad = [line] { return malformed("no order: \"" + printable(line) + "\""); };
  const auto* const kind = words.empty()
                               ? kOrderWords.end()
                               : std::find(kOrderWords.begin(), kOrderWords.end(), words[0]);
  if (kind == kOrderWords.end()) return bad();
  order.kind = static_cast<OrderKind>(kind - kOrderWords.begin());
  if (order.kind == OrderKind::ping) return words.size() == 1 ? Result<Order>{order} : bad();
  if (order.kind == OrderKind::list || order.kind == OrderKind::screen) {
    std::size_t first = 1;
    if (order.kind == OrderKind::screen) {
      const auto most = words.size() > 2 ? parse_unsigned(words[first++]) : std::nullopt;
      if (!most) return bad();
      if (*most != UINT64_MAX) order.most_page_table_bytes = *most;
    }
    for (const std::string_view word : std::span{words}.subspan(first)) {
      const auto pid = pid_from(word);
      if (!pid || order.pids.size() == kMostPids) return bad();
      order.pids.push_back(*pid);
    }
    return order;
  }
  const auto pid = words.size() > 1 ? pid_from(words[1]) : std::nullopt;
  if (!pid) return bad();
  order.pid = *pid;
  const auto deadline = words.size() > 2 ? parse_unsigned(words[2]) : std::nullopt;
  if (!deadline || *deadline > INT64_MAX) return bad();
  order.deadline = nanoseconds{static_cast<std::int64_t>(*deadline)};
  order.capture = words.size() == 4 && words[3] == "capture";
  return words.size() == (order.capture ? 4U : 3U) ? Result<Order>{order} : bad();
}

std::string answer_line(const Hello& hello) {
  return line_of("hello", {{"worker_pid", hello.worker_pid}, {"capabilities", hello.capabilities}});
}

std::string answer_line(const ProcessListing& process) {
  return line_of("process", {{"pid", process.pid},
                             {"start_time_ticks", process.start_time_ticks},
                             {"comm", utf8_or_escaped(process.comm)},
                             {"executable", utf8_or_escaped(process.executable)},
                             {"unit", utf8_or_escaped(process.unit)},
                             {"cgroup", utf8_or_escaped(process.cgroup)},
                             {"uid", or_null(process.uid)},
                             {"kernel_thread", process.kernel_thread},
                             {"rss_bytes", or_null(process.rss_bytes)},
                             {"page_table_bytes", or_null(process.page_table_bytes)}});
}

std::string answer_line(const LeftOut& left_out) { return line_of("left_out", left_out.pid); }

std::string answer_line(const Screening& screening) {
  return line_of("screen", {{"pid", screening.pid},
                            {"start_time_ticks", screening.start_time_ticks},
                            {"status_rss_bytes", or_null(screening.status_rss_bytes)},
                            {"rollup_rss_bytes", or_null(screening.rollup_rss_bytes)},
                            {"rollup_pss_bytes", or_null(screening.rollup_pss_bytes)},
                            {"suspicious", screening.suspicious},
                            {"problem", screening.problem},
                            {"read_time_ns", screening.read_time.count()}});
}

std::string answer_line(const AuditAnswer& answer) {
  return line_of("audit", {{"report", answer.json},
                           {"capture_bytes", or_null(answer.capture_bytes)},
                           {"capture_problem", utf8_or_escaped(answer.capture_problem)}});
}

std::string answer_line(const Done& done) {
  return line_of("done", {{"cpu_ns", done.cpu.count()},
                          {"wall_ns", done.wall.count()},
                          {"peak_rss_bytes", done.peak_rss_bytes}});
}

Result<Answer> parse_answer(std::string_view line) {
  try {
    return answer_from(Json::parse(line));
  } catch (const std::exception& error) {
    return malformed(std::string{"no answer of a worker: "} + error.what());
  }
}

}  // namespace smaps_audit::service
