// SPDX-License-Identifier: Apache-2.0
#include "daemon/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/utc_text.h"
#include "report/printable.h"

namespace smaps_audit::service {
namespace {

constexpr std::array<std::string_view, 8> kMessageIds{
    "",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e01",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e02",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e03",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e04",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e05",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e06",
    "5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e07",
};

constexpr std::array<std::string_view, 4> kLevelWords{"debug", "info", "warning", "error"};
constexpr std::array<int, 4> kPriorities{LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR};

std::string_view word_of(LogLevel level) { return kLevelWords.at(static_cast<std::size_t>(level)); }

// JOURNAL_STREAM names the socket that stderr is, as DEVICE:INODE (sd-daemon).
bool stderr_is_the_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

std::string rfc3339(std::chrono::system_clock::time_point when) {
  const auto since = when.time_since_epoch();
  const auto millis = std::chrono::floor<std::chrono::milliseconds>(since) -
                      std::chrono::floor<std::chrono::seconds>(since);
  return utc_text(since, "%Y-%m-%dT%H:%M:%S") + "." +
         std::to_string(1000 + millis.count()).substr(1) + "Z";
}

std::string logfmt_value(std::string_view raw) {
  std::string value = printable(raw);
  if (!value.empty() && value.find_first_of(" \"=\\") == std::string::npos) return value;
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

void send_to_journal(LogLevel level, Event event, std::string_view message,
                     const LogFields& fields) {
  std::vector<std::string> entries{
      "MESSAGE=" + printable(message),
      "PRIORITY=" + std::to_string(kPriorities.at(static_cast<std::size_t>(level))),
      "SYSLOG_IDENTIFIER=smaps-auditd"};
  if (const auto id = message_id_of(event); !id.empty()) {
    entries.push_back("MESSAGE_ID=" + std::string{id});
  }
  for (const auto& [name, value] : fields) {
    std::string key{name};
    std::transform(key.begin(), key.end(), key.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    entries.push_back("SMAPS_" + key + "=" + printable(value));
  }
  std::vector<iovec> parts;
  parts.reserve(entries.size());
  for (std::string& entry : entries) parts.push_back({entry.data(), entry.size()});
  ::sd_journal_sendv(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace

std::string_view message_id_of(Event event) {
  return kMessageIds.at(static_cast<std::size_t>(event));
}

std::string logfmt_line(std::chrono::system_clock::time_point when, LogLevel level,
                        std::string_view message, const LogFields& fields) {
  std::string line = "ts=" + rfc3339(when) + " level=" + std::string{word_of(level)} +
                     " msg=" + logfmt_value(message);
  for (const auto& [name, value] : fields) {
    line += " " + std::string{name} + "=" + logfmt_value(value);
  }
  return line;
}

std::string json_line(std::chrono::system_clock::time_point when, LogLevel level,
                      std::string_view message, const LogFields& fields) {
  nlohmann::ordered_json json;
  json["ts"] = rfc3339(when);
  json["level"] = word_of(level);
  json["msg"] = printable(message);
  for (const auto& [name, value] : fields) json[std::string{name}] = printable(value);
  return json.dump(-1, ' ', true, nlohmann::ordered_json::error_handler_t::replace);
}

// spdlog to stderr, or nothing where the journal is asked directly.
class Log::Sink {
 public:
  explicit Sink(LogFormat format) : format_(format) {
    if (format_ == LogFormat::automatic) {
      format_ = stderr_is_the_journal() ? LogFormat::journald : LogFormat::logfmt;
    }
    logger_.set_formatter(std::make_unique<spdlog::pattern_formatter>("%v"));
    logger_.set_level(spdlog::level::trace);
  }

  void write(LogLevel level, Event event, std::string_view message, const LogFields& fields) {
    if (format_ == LogFormat::journald) return send_to_journal(level, event, message, fields);
    const auto now = std::chrono::system_clock::now();
    const auto line = format_ == LogFormat::json ? json_line(now, level, message, fields)
                                                 : logfmt_line(now, level, message, fields);
    logger_.log(spdlog::level::info, line);
    logger_.flush();
  }

 private:
  LogFormat format_;
  spdlog::logger logger_{"smaps-auditd", std::make_shared<spdlog::sinks::stderr_sink_st>()};
};

Log::Log(const LogSettings& settings)
    : settings_(settings), sink_(std::make_unique<Sink>(settings.format)) {}

Log::~Log() = default;

void Log::configure(const LogSettings& settings) {
  if (settings.format != settings_.format) sink_ = std::make_unique<Sink>(settings.format);
  settings_ = settings;
}

void Log::write(LogLevel level, Event event, std::string_view message, const LogFields& fields) {
  if (level >= settings_.level) sink_->write(level, event, message, fields);
}

void Log::state(std::string_view subject, LogLevel level, Event event, const std::string& state) {
  const auto found = states_.find(subject);
  Said& said = found == states_.end() ? states_[std::string{subject}] : found->second;
  if (said.state == state) {
    ++said.repeats;
    return;
  }
  LogFields fields{{"subject", std::string{subject}}};
  if (!said.state.empty() && said.repeats != 0) {
    fields.emplace_back("said_before", std::to_string(said.repeats + 1));
  }
  if (state.empty()) {
    write(LogLevel::info, event, std::string{subject} + " is well again", fields);
  } else {
    write(level, event, std::string{subject} + ": " + state, fields);
  }
  said = {.state = state, .repeats = 0};
}

}  // namespace smaps_audit::service
