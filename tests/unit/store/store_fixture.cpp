// SPDX-License-Identifier: Apache-2.0
#include "store_fixture.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

namespace smaps_audit::store {
namespace {

template <class T>
T must(Result<T> result) {
  if (result) return *std::move(result);
  std::cerr << "test set-up: " << result.error().message() << '\n';
  std::abort();
}

}  // namespace

RetentionLimits wide_limits() {
  const Retention wide{.max_count = 1'000'000,
                       .max_age = std::chrono::hours(24 * 3650),
                       .max_bytes = std::uint64_t{1} << 40};
  return {.findings = wide, .captures = wide};
}

Finding missing(const std::string& field, std::uint64_t mib) {
  Finding finding;
  finding.check = "I1";
  finding.field = field;
  finding.reported_bytes = kMiB;
  finding.expected = {kMiB + mib * kMiB, kMiB + mib * kMiB + 4096};
  finding.error_bytes = mib * kMiB;
  finding.exact = true;
  finding.brackets = 24;
  finding.basis = Basis::asleep;
  finding.defect = "K01";
  finding.cause = Cause::numa_hint;
  return finding;
}

Sighting sighting(int pid, std::vector<Finding> findings, WallTime when) {
  Sighting sighting{.boot_id = kBoot,
                    .kernel_release = "6.1.0-56-cloud-amd64",
                    .tool_version = "0.1.0",
                    .group = "database",
                    .executable = "/usr/bin/postgres",
                    .report = {},
                    .report_json = R"({"pid":)" + std::to_string(pid) + "}",
                    .when = when};
  sighting.report.pid = pid;
  sighting.report.start_time_ticks = 98765;
  sighting.report.comm = "postgres";
  sighting.report.verdict = findings.empty() ? Verdict::consistent : Verdict::finding;
  sighting.report.findings = std::move(findings);
  sighting.report.truth = TrueMemory{.rss = {65 * kMiB, 66 * kMiB}, .pss = {}, .by_scan = false};
  return sighting;
}

Store StoreFixture::open(WallTime now, RetentionLimits limits) const {
  return must(Store::open({.directory = directory(), .limits = limits}, now));
}

std::vector<std::string> StoreFixture::names(const std::string& folder) const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory() + "/" + folder, error)) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void StoreFixture::sql(const std::string& script) const {
  std::filesystem::create_directories(directory());
  const Database side = must(Database::open(database(), OpenMode::read_write));
  must(side.execute(script.c_str()));
}

std::string StoreFixture::sql_text(const std::string& query) const {
  const Database side = must(Database::open(database(), OpenMode::read_only));
  return must(side.query_text(query));
}

CaptureDraft draft_with(Store& store, std::string_view content) {
  CaptureDraft draft = must(store.begin_capture());
  if (::write(draft.fd(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
    std::abort();
  }
  return draft;
}

}  // namespace smaps_audit::store
