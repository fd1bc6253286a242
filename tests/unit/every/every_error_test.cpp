// SPDX-License-Identifier: Apache-2.0
// Every ErrorCode is what some real code of the program answers.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <map>
#include <optional>
#include <vector>

#include "base/error_codes.h"
#include "cli/freeze.h"
#include "collect/capture_file.h"
#include "collect/live_kernel_view.h"
#include "collect/replaying_kernel_view.h"
#include "collect/sampler.h"
#include "collect/target.h"
#include "parsers/pagemap.h"
#include "parsers/smaps.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

template <class T>
std::optional<ErrorCode> code_of(const Result<T>& result) {
  if (result.ok()) return std::nullopt;
  EXPECT_FALSE(result.error().message().empty());
  return result.error().code;
}

std::optional<ErrorCode> gone() {
  LiveKernelView view;
  return code_of(view.open(KernelRoot::proc, "0/stat"));
}

std::optional<ErrorCode> denied() {
  LiveKernelView view;
  return code_of(Freeze::hold(view, ::getpid()));  // nobody traces itself
}

std::optional<ErrorCode> unsupported() {
  LiveKernelView view;
  const auto file = view.open(KernelRoot::proc, "self/status");
  if (!file) return std::nullopt;
  return code_of(view.procmap_query(*file, 0));  // that file has no ioctl
}

std::optional<ErrorCode> malformed() { return code_of(parse_smaps("Rss: 4 kB\n")); }

std::optional<ErrorCode> truncated() { return code_of(parse_smaps("400000-401000 rw-p")); }

std::optional<ErrorCode> deadline() {
  FakeKernelView view;
  FakeProcess process{view};
  process.vmas = {{.range = {0x10000, 0x20000}, .pages = 4}};
  process.publish();
  view.set_call_time(std::chrono::seconds(1));
  RefusedTarget refused;
  const auto target = Target::open(view, 7, refused);
  if (!target) return std::nullopt;
  class Nothing final : public SampleSink {
    void on_chunk(const Chunk& /*chunk*/) override {}
    void on_numa(const NumaMapsText& /*text*/) override {}
    void on_rollup(const SmapsRecord& /*rollup*/) override {}
    void on_sweep_end(const SweepEnd& /*end*/) override {}
    SeriesPlan plan_series() override { return {}; }
    void on_listing(const SmapsText& /*text*/) override {}
    bool wants_numa() override { return false; }
    std::span<const Range> watched_ranges() override { return {}; }
    void on_pass(const PagePass& /*pass*/, const PagePass* /*plain*/) override {}
    void on_series_smaps(const SmapsText& /*text*/) override {}
    void on_series_numa(const NumaMapsText& /*text*/) override {}
    void on_series_rollup(const SmapsRecord& /*rollup*/) override {}
    void on_series_status(const StatusNumbers& /*status*/, const ProcStatm& /*statm*/) override {}
    StepDecision on_step(unsigned /*step*/, const std::optional<Stillness>& /*still*/) override {
      return StepDecision::done;
    }
  } nothing;
  const KernelCapabilities capabilities;
  Sampler sampler{view, capabilities, PageGeometry{}, *target, {}};
  return code_of(sampler.sweep(nothing));
}

std::optional<ErrorCode> io() {
  LiveKernelView view;
  const auto file = view.open(KernelRoot::proc, "self/mem");
  if (!file) return std::nullopt;
  std::array<std::byte, 8> nothing;
  return code_of(view.pread(*file, nothing, 0));  // no page is mapped there
}

std::optional<ErrorCode> usage() {
  return code_of(validate_page_regions({}, 0, 4096, 3000));  // no size of a page
}

std::optional<ErrorCode> diverged() {
  const TemporaryDirectory directory;
  const std::string path = directory.file("empty.cap");
  auto writer = CaptureWriter::create(path, CaptureMetadata{});
  if (!writer || !writer->finish()) return std::nullopt;
  auto reader = CaptureReader::open(path);
  if (!reader) return std::nullopt;
  ReplayingKernelView view{*reader};
  return code_of(view.open(KernelRoot::proc, "7/stat"));
}

const std::map<ErrorCode, std::optional<ErrorCode> (*)()> kForced = {
    {ErrorCode::gone, gone},
    {ErrorCode::denied, denied},
    {ErrorCode::unsupported, unsupported},
    {ErrorCode::malformed, malformed},
    {ErrorCode::truncated, truncated},
    {ErrorCode::deadline, deadline},
    {ErrorCode::io, io},
    {ErrorCode::usage, usage},
    {ErrorCode::diverged, diverged},
};

/// All of them: describe() has a case for each, or the compiler would say so.
std::vector<ErrorCode> error_codes() {
  std::vector<ErrorCode> codes;
  for (unsigned value = 0; value < 256; ++value) {
    const auto code = static_cast<ErrorCode>(value);
    if (describe(code) == "unknown error") break;
    codes.push_back(code);
  }
  return codes;
}

TEST(EveryErrorCode, IsTheAnswerOfACallThatForcesIt) {
  const std::vector<ErrorCode> codes = error_codes();
  EXPECT_EQ(codes.size(), kErrorCodes.size());
  EXPECT_EQ(codes.size(), kForced.size());
  for (const ErrorCode code : codes) {
    const auto forced = kForced.find(code);
    if (forced == kForced.end()) {
      ADD_FAILURE() << "no test forces the error \"" << describe(code) << '"';
      continue;
    }
    SCOPED_TRACE(describe(code));
    EXPECT_EQ(forced->second(), code);
  }
}

}  // namespace
}  // namespace smaps_audit
