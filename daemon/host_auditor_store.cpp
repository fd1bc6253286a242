// SPDX-License-Identifier: Apache-2.0
// What it keeps, and what it says of that.
#include <unistd.h>

#include <utility>

#include "daemon/host_auditor.h"

namespace smaps_audit::service {
namespace {

constexpr Nanoseconds kTidyEvery = std::chrono::minutes(10);

std::string bytes_text(std::uint64_t bytes) { return std::to_string(bytes); }

LogFields fields_of(const FindingChange& change) {
  const Finding& finding = change.finding;
  return {{"check", finding.check},
          {"interface", std::string{name_of(finding.interface)}},
          {"field", finding.field},
          {"direction", std::string{name_of(finding.direction)}},
          {"error_bytes", bytes_text(finding.error_bytes)},
          {"reported_bytes", bytes_text(finding.reported_bytes)},
          {"defect", finding.defect.value_or("unknown")},
          {"target", change.group},
          {"pid", std::to_string(change.identity.pid)},
          {"comm", change.comm}};
}

}  // namespace

std::optional<store::CaptureDraft> HostAuditor::take_capture(const AuditAnswer& answer) {
  if (!answer.capture_bytes || parts_.store == nullptr) {
    if (!answer.capture_problem.empty()) ++captures_lost_;
    return std::nullopt;
  }
  if (*answer.capture_bytes > kLargestScratchBytes) {
    ++captures_lost_;
    parts_.log.state("capture", LogLevel::warning, Event::store_degraded,
                     "one of " + bytes_text(*answer.capture_bytes) + " bytes was not kept");
    return std::nullopt;
  }
  auto draft = parts_.store->begin_capture();
  Result<Ok> copied = draft ? draft->copy_from(parts_.worker.scratch().get(), *answer.capture_bytes)
                            : Result<Ok>{draft.error()};
  // It is memory: not needed twice.
  [[maybe_unused]] const int emptied = ::ftruncate(parts_.worker.scratch().get(), 0);
  if (!copied) {
    ++captures_lost_;
    parts_.log.state("capture", LogLevel::warning, Event::store_degraded, copied.error().message());
    return std::nullopt;
  }
  return *std::move(draft);
}

void HostAuditor::announce(const FindingChange& change, const ProcessReport& report,
                           store::Durability stored) {
  LogFields fields = fields_of(change);
  if (report.truth) {
    fields.emplace_back("true_rss_low_bytes", bytes_text(report.truth->rss.low));
    fields.emplace_back("true_rss_high_bytes", bytes_text(report.truth->rss.high));
  }
  fields.emplace_back("kernel_release", parts_.host.kernel_release);
  fields.emplace_back("stored", stored == store::Durability::committed ? "yes" : "no");
  const Finding& finding = change.finding;
  parts_.log.write(LogLevel::warning, Event::finding_opened,
                   std::string{name_of(finding.interface)} + " is wrong: " + finding.field + " " +
                       std::string{name_of(finding.direction)} + " of " +
                       bytes_text(finding.error_bytes) + " bytes in " + change.comm + " (" +
                       finding.defect.value_or("no known defect") + ")",
                   fields);
}

void HostAuditor::announce_resolved(const FindingChange& change) {
  LogFields fields = fields_of(change);
  fields.emplace_back("why", change.why);
  parts_.log.write(LogLevel::info, Event::finding_resolved,
                   "resolved in " + change.comm + ": " + change.why, fields);
}

void HostAuditor::tend_store(Nanoseconds now, Nanoseconds wall) {
  if (parts_.store == nullptr) return;
  last_tended_ = now;
  if (now - last_tidy_ > kTidyEvery) {
    last_tidy_ = now;
    [[maybe_unused]] const auto tidied = parts_.store->tidy(wall);
  }
  take_up_card(wall);
  say_store_health();
}

void HostAuditor::take_up_card(Nanoseconds wall) {
  const auto taken = parts_.store->take_up_card(settings_.probe.spool, wall);
  if (taken && *taken) {
    parts_.log.info("a probe run was taken up", {{"spool", settings_.probe.spool}});
    news_ = true;
  } else if (!taken && taken.error().code != ErrorCode::gone) {
    parts_.log.state("probe spool", LogLevel::warning, Event::other, taken.error().message());
  }
  if (auto card = parts_.store->card(parts_.host.boot_id, wall); card) card_ = *std::move(card);
}

void HostAuditor::say_store_health() {
  const auto health = parts_.store->health();
  parts_.log.state("store", LogLevel::error, Event::store_degraded,
                   health.trouble ? health.trouble->message() : "");
  parts_.log.state("database", LogLevel::error, Event::store_degraded,
                   health.corruption ? health.corruption->message() + "; kept as " +
                                           health.moved_to.value_or("nothing")
                                     : "");
}

}  // namespace smaps_audit::service
