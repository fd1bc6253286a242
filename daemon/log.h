// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/settings.h"

namespace smaps_audit::service {

/// What an entry of the journal is about; `journalctl MESSAGE_ID=…` finds all of a kind, and
/// systemd/smaps-auditd.catalog explains each.
enum class Event : std::uint8_t {
  other,
  finding_opened,
  finding_resolved,
  worker_replaced,
  target_quarantined,
  store_degraded,
  configuration_refused,
  reading_paused,
};

/// The 128-bit id of the journal's catalogue, in hex; empty for `other`.
std::string_view message_id_of(Event event);

using LogFields = std::vector<std::pair<std::string_view, std::string>>;

/// To the journal with fields, or a line of logfmt or JSON on stderr. One thread.
class Log {
 public:
  explicit Log(const LogSettings& settings);
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  ~Log();

  void configure(const LogSettings& settings);
  /// `fields` have names as the journal wants them, in lower case: "error_bytes".
  void write(LogLevel level, Event event, std::string_view message, const LogFields& fields = {});
  void info(std::string_view message, const LogFields& fields = {}) {
    write(LogLevel::info, Event::other, message, fields);
  }
  void error(std::string_view message, const LogFields& fields = {}) {
    write(LogLevel::error, Event::other, message, fields);
  }
  /// Says a state of `subject` once, and how often it was said in vain when it changes. An empty
  /// state is "all is well", and silent if it was well before.
  void state(std::string_view subject, LogLevel level, Event event, const std::string& state);

 private:
  struct Said {
    std::string state;
    std::uint64_t repeats = 0;
  };
  class Sink;

  LogSettings settings_;
  std::unique_ptr<Sink> sink_;
  std::map<std::string, Said, std::less<>> states_;
};

/// Exposed for tests: one line, quoted where need be.
std::string logfmt_line(std::chrono::system_clock::time_point when, LogLevel level,
                        std::string_view message, const LogFields& fields);
std::string json_line(std::chrono::system_clock::time_point when, LogLevel level,
                      std::string_view message, const LogFields& fields);

}  // namespace smaps_audit::service
