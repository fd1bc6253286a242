// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "audit/verdict.h"
#include "base/result.h"
#include "collect/kernel_capabilities.h"

/// What the parent and its worker say to each other: orders are lines of words on one pipe, answers
/// are lines of JSON on another. The parent believes nothing of a line but its numbers: a worker
/// may be broken (docs/design.md, "The service").
namespace smaps_audit::service {

/// Longer lines are a fault of the worker.
inline constexpr std::size_t kLongestLine = std::size_t{1} << 20;

enum class OrderKind : std::uint8_t {
  list,    ///< every process: its names and what status says
  screen,  ///< some processes: status and smaps_rollup of each
  audit,   ///< one process: as `smaps-audit check`
  ping,    ///< nothing, to see that it answers
};

struct Order {
  OrderKind kind = OrderKind::list;
  int pid = 0;
  std::chrono::nanoseconds deadline{};  ///< of an audit
  bool capture = false;  ///< of an audit: record it into the scratch file if it is a finding
  /// Of a screening: which, kMostPids at most, in this order. Of a list: whose files are not
  /// touched.
  std::vector<int> pids = {};
  /// Of a screening: smaps_rollup of what has more is not read.
  std::optional<std::uint64_t> most_page_table_bytes = {};
  bool operator==(const Order&) const = default;
};

/// So that an order is written at once (PIPE_BUF).
inline constexpr std::size_t kMostPids = 256;

/// "audit 4211 60000000000 capture\n", "list 17 4212\n", "screen 3495253 4211 4212\n"
std::string order_line(const Order& order);
Result<Order> parse_order(std::string_view line);

/// The first line of a worker.
struct Hello {
  int worker_pid = 0;
  /// What this kernel and these privileges show: "pfn_visible", "pagemap_scan" …
  std::map<std::string, bool> capabilities = {};
};

/// Those of them that can be had or not, by the names of Hello and of the metrics.
std::map<std::string, bool> capability_flags(const KernelCapabilities& capabilities);

/// Who a process is, and how large. From stat, status, cgroup and exe; never cmdline or environ,
/// whose reads can block for ever.
struct ProcessListing {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::string comm = {};
  std::string executable = {};  ///< empty: not told
  std::string unit = {};        ///< empty: none
  std::string cgroup = {};      ///< empty: not told
  std::optional<std::uint32_t> uid = {};
  bool kernel_thread = false;
  std::optional<std::uint64_t> rss_bytes = {};         ///< VmRSS
  std::optional<std::uint64_t> page_table_bytes = {};  ///< VmPTE: what a walk costs
};

/// Of a list: it was to be left out, and is still there.
struct LeftOut {
  int pid = 0;
};

/// Two witnesses that cost little. A pair that is too far apart is worth an audit, no more.
struct Screening {
  int pid = 0;
  std::uint64_t start_time_ticks = 0;
  std::optional<std::uint64_t> status_rss_bytes = {};
  std::optional<std::uint64_t> rollup_rss_bytes = {};
  std::optional<std::uint64_t> rollup_pss_bytes = {};
  bool suspicious = false;
  std::string problem = {};  ///< a reason in one word ("permission", "gone"), else empty
  std::chrono::nanoseconds read_time{};
};

struct AuditAnswer {
  ProcessReport report;
  std::string json = {};  ///< the line of the report, as the store keeps it
  std::optional<std::uint64_t> capture_bytes = {};  ///< of the scratch file; nullopt: none was made
  std::string capture_problem = {};
};

/// The last line of every order.
struct Done {
  std::chrono::nanoseconds cpu{};  ///< used by this order
  std::chrono::nanoseconds wall{};
  std::uint64_t peak_rss_bytes = 0;  ///< of the worker so far
};

/// It tried what seccomp refuses, and is about to end.
struct Refused {
  std::string call = {};
};

using Answer = std::variant<Hello, ProcessListing, LeftOut, Screening, AuditAnswer, Done, Refused>;

std::string answer_line(const Hello& hello);
std::string answer_line(const ProcessListing& process);
std::string answer_line(const LeftOut& left_out);
std::string answer_line(const Screening& screening);
std::string answer_line(const AuditAnswer& answer);
std::string answer_line(const Done& done);
/// Error `malformed`: no JSON, another shape, a number out of range.
Result<Answer> parse_answer(std::string_view line);

}  // namespace smaps_audit::service
