// SPDX-License-Identifier: Apache-2.0
#include "cli/findings.h"

#include <algorithm>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/findings_text.h"
#include "cli/render.h"
#include "daemon/store/finding_json.h"
#include "daemon/store/finding_reader.h"
#include "report/printable.h"

namespace smaps_audit {
namespace {

using store::FindingReader;
using store::StoredFinding;

int exit_code_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::malformed:
    case ErrorCode::truncated:
    case ErrorCode::usage: return kExitBadData;
    case ErrorCode::gone:
    case ErrorCode::denied:
    case ErrorCode::unsupported:
    case ErrorCode::deadline:
    case ErrorCode::io:
    case ErrorCode::diverged: return kExitCannotRun;
  }
  return kExitCannotRun;
}

std::optional<std::string> capture_path(const FindingReader& reader, const StoredFinding& finding) {
  if (!finding.capture) return std::nullopt;
  return reader.path_of(*finding.capture);
}

class FindingsRun {
 public:
  FindingsRun(const FindingsOptions& options, FindingReader reader, Output& output,
              const TextStyle& style)
      : options_(options), reader_(std::move(reader)), output_(output), style_(style) {}

  Result<Ok> list() {
    const auto all = reader_.list(store::Which::all);
    if (!all) return all.error();
    std::vector<StoredFinding> shown = *all;
    if (!options_.all) std::erase_if(shown, [](const StoredFinding& row) { return !row.open(); });
    std::ostream& out = output_.stream();
    switch (options_.common.format) {
      case Format::text:
      case Format::prometheus:
      case Format::tap: write_findings_table(out, shown, all->size(), style_); break;
      case Format::json: write_document(shown); break;
      case Format::jsonl:
        for (const StoredFinding& row : shown) {
          out << finding_to_json(row, capture_path(reader_, row)) << '\n';
        }
        break;
    }
    return Ok{};
  }

  Result<Ok> show() {
    const auto found = reader_.find(options_.id);
    if (!found) return found.error();
    if (!*found) {
      unknown_ = true;
      return Ok{};
    }
    const auto report = reader_.report(options_.id);
    if (!report) return report.error();
    const std::optional<std::string> path = capture_path(reader_, **found);
    if (options_.common.format == Format::json) {
      output_.stream() << finding_to_json(**found, path, *report) << '\n';
    } else {
      write_stored_finding(output_.stream(), **found, path, *report, style_);
    }
    return Ok{};
  }

  Result<Ok> export_all() {
    const auto all = reader_.list(store::Which::all);
    if (!all) return all.error();
    for (const StoredFinding& row : *all) {
      const auto report = reader_.report(row.id);
      if (!report) return report.error();
      output_.stream() << finding_to_json(row, capture_path(reader_, row), *report) << '\n';
    }
    return Ok{};
  }

  /// `show` was asked for an id that the store does not hold.
  [[nodiscard]] bool unknown() const { return unknown_; }

 private:
  void write_document(const std::vector<StoredFinding>& rows) {
    std::ostream& out = output_.stream();
    out << "{\"schema\":\"smaps-audit.findings/1\",\"findings\":[";
    for (const StoredFinding& row : rows) {
      out << (&row == &rows.front() ? "\n" : ",\n")
          << finding_to_json(row, capture_path(reader_, row));
    }
    out << "\n]}\n";
  }

  const FindingsOptions& options_;
  FindingReader reader_;
  Output& output_;
  TextStyle style_;
  bool unknown_ = false;
};

}  // namespace

int run_findings(const FindingsOptions& options, CliEnvironment& environment) {
  Result<FindingReader> reader = FindingReader::open(options.store);
  if (!reader) {
    const int exit_code = complain(environment, reader.error(), exit_code_of(reader.error()));
    if (reader.error().code == ErrorCode::gone) {
      environment.err << "smaps-audit: the service keeps one (smaps-auditd); --store names another "
                         "file\n"
                      << std::flush;
    }
    return exit_code;
  }
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  FindingsRun run{options, *std::move(reader), *output,
                  style_for(environment, options.common, *output)};
  const Result<Ok> done = options.action == FindingsOptions::Action::list   ? run.list()
                          : options.action == FindingsOptions::Action::show ? run.show()
                                                                            : run.export_all();
  if (!done) return complain(environment, done.error(), exit_code_of(done.error()));
  if (run.unknown()) {
    const Error error{.code = ErrorCode::usage,
                      .what = "there is no finding " + std::to_string(options.id) +
                              " in it (smaps-audit findings list --all)",
                      .file = options.store};
    return complain(environment, error, kExitUsage);
  }
  return finish_output(*output, environment, kExitClean);
}

}  // namespace smaps_audit
