// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "collect/live_kernel_view.h"
#include "collect/recording_kernel_view.h"
#include "collect/replaying_kernel_view.h"
#include "tests/support/failing_kernel_view.h"
#include "tests/support/fake_kernel_view.h"
#include "tests/support/temporary_directory.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

template <class T>
std::string shown(const Result<T>& result, const std::function<std::string(const T&)>& show) {
  return result ? show(*result) : "error: " + result.error().message();
}

std::string read_all(KernelView& kernel, const Result<KernelFile>& file) {
  if (!file) return "error: " + file.error().message();
  std::string text = file->path() + "\n";
  std::vector<std::byte> buffer(65536);
  for (;;) {
    const Result<std::size_t> got = kernel.read(*file, buffer);
    if (!got) return text + "error: " + got.error().message();
    if (*got == 0) return text;
    text += to_text(std::span{buffer}.first(*got));
  }
}

/// Uses every operation once at least, and writes down all that came back.
std::vector<std::string> tour(KernelView& kernel, int pid) {
  std::vector<std::string> seen;
  const auto number = [](const auto& value) { return std::to_string(value); };
  seen.push_back(std::to_string(kernel.monotonic_now().count()));
  seen.push_back(std::to_string(kernel.wall_now().count()));
  seen.push_back(std::to_string(kernel.entropy()));
  seen.push_back(read_all(kernel, kernel.open(KernelRoot::sys, "devices/system/cpu/online")));
  const Result<KernelFile> own = kernel.open_directory(KernelRoot::proc, std::to_string(pid));
  if (!own) return seen;
  const Result<KernelFile> smaps = kernel.open_at(*own, "smaps");
  seen.push_back(read_all(kernel, smaps));
  if (smaps) seen.push_back(kernel.rewind(*smaps) ? "rewound" : "not rewound");
  seen.push_back(read_all(kernel, smaps));
  seen.push_back(read_all(kernel, kernel.open_at(*own, "absent")));
  const Result<KernelFile> task = kernel.open_directory_at(*own, "task");
  if (task) {
    seen.push_back(shown<std::vector<std::string>>(kernel.list(*task), [](const auto& names) {
      std::string all;
      for (const std::string& name : names) all += name + " ";
      return all;
    }));
  }
  seen.push_back(
      shown<std::string>(kernel.read_link(*own, "exe"), [](const auto& s) { return s; }));
  seen.push_back(shown<FileIdentity>(kernel.identify(*own, "exe"), [](const FileIdentity& file) {
    return std::to_string(file.device) + ":" + std::to_string(file.inode) + "@" +
           std::to_string(file.change_time_ns);
  }));
  seen.push_back(shown<std::uint32_t>(kernel.owner(*own), number));
  const Result<KernelFile> maps = kernel.open_at(*own, "maps");
  if (maps) {
    seen.push_back(shown<std::optional<VmaGeometry>>(
        kernel.procmap_query(*maps, 0), [](const std::optional<VmaGeometry>& vma) {
          return vma ? std::to_string(vma->start) + "-" + std::to_string(vma->end) : "none";
        }));
  }
  const Result<KernelFile> pagemap = kernel.open_at(*own, "pagemap");
  if (pagemap) {
    std::vector<std::byte> words(4096);
    // Some page of this program that stays where it is from the recording to the replay.
    static const int kAnchor = 1;
    const std::uint64_t page = reinterpret_cast<std::uintptr_t>(&kAnchor) / 4096 * 4096;
    seen.push_back(shown<std::size_t>(kernel.pread(*pagemap, words, page / 512), number));
    seen.push_back(to_text(words));
    std::array<PageRegion, 4> regions{};
    seen.push_back(shown<PagemapScanAnswer>(
        kernel.pagemap_scan(*pagemap, page, page + 4096, page_is::kPresent, page_is::kPresent,
                            regions),
        [&](const PagemapScanAnswer& answer) {
          return std::to_string(answer.regions) + " to " + std::to_string(answer.walk_end) + " " +
                 std::to_string(regions[0].start) + "/" + std::to_string(regions[0].categories);
        }));
  }
  kernel.sleep_for(std::chrono::milliseconds{1});
  seen.push_back(kernel.process_exists(pid) ? "exists" : "does not exist");
  seen.push_back(shown<bool>(kernel.same_mm(pid, pid), number));
  seen.push_back(std::to_string(kernel.monotonic_now().count()));
  return seen;
}

class RecordReplayTest : public testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return directory_.file("capture"); }

  std::vector<std::string> record_tour(KernelView& inner, int pid) {
    Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
    EXPECT_TRUE(writer);
    RecordingKernelView recording{inner, *writer};
    std::vector<std::string> seen = tour(recording, pid);
    const Result<Ok> finished = writer->finish();
    EXPECT_TRUE(finished) << finished.error().message();
    return seen;
  }

  TemporaryDirectory directory_;
};

using RecordingKernelViewTest = RecordReplayTest;
using ReplayingKernelViewTest = RecordReplayTest;

TEST_F(RecordReplayTest, GivesTheSameAnswersAsTheRunningKernelDid) {
  LiveKernelView live;
  const std::vector<std::string> seen = record_tour(live, ::getpid());
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader) << reader.error().message();
  ReplayingKernelView replay{*reader};
  const std::vector<std::string> replayed = tour(replay, ::getpid());
  EXPECT_FALSE(replay.divergence()) << replay.divergence()->message();
  EXPECT_EQ(replayed, seen);
}

TEST_F(RecordReplayTest, GivesTheSameErrors) {
  LiveKernelView live;
  for (std::uint64_t call = 1; call <= 20; ++call) {
    FailingKernelView failing{live};
    failing.fail_call(call, EACCES);
    const std::vector<std::string> seen = record_tour(failing, ::getpid());
    Result<CaptureReader> reader = CaptureReader::open(path());
    ASSERT_TRUE(reader) << reader.error().message();
    ReplayingKernelView replay{*reader};
    EXPECT_EQ(tour(replay, ::getpid()), seen);
    EXPECT_FALSE(replay.divergence()) << replay.divergence()->message();
  }
}

TEST_F(RecordReplayTest, CanBeRecordedAgainFromAReplay) {
  LiveKernelView live;
  const std::vector<std::string> seen = record_tour(live, ::getpid());
  const std::string first = directory_.file("first");
  ASSERT_EQ(::rename(path().c_str(), first.c_str()), 0);
  Result<CaptureReader> reader = CaptureReader::open(first);
  ASSERT_TRUE(reader);
  ReplayingKernelView replay{*reader};
  EXPECT_EQ(record_tour(replay, ::getpid()), seen);
  const Result<std::vector<CaptureEvent>> before = read_capture(first);
  const Result<std::vector<CaptureEvent>> after = read_capture(path());
  ASSERT_TRUE(before && after);
  ASSERT_EQ(before->size(), after->size());
  for (std::size_t at = 0; at < before->size(); ++at) {
    EXPECT_EQ((*before)[at].call, (*after)[at].call);
    EXPECT_TRUE(same_answer((*before)[at].answer, (*after)[at].answer));
  }
}

TEST_F(RecordingKernelViewTest, StoresWhenEachCallBeganAndHowLongItTook) {
  LiveKernelView live;
  const Nanoseconds before = live.monotonic_now();
  record_tour(live, ::getpid());
  const Nanoseconds after = live.monotonic_now();
  const Result<std::vector<CaptureEvent>> events = read_capture(path());
  ASSERT_TRUE(events);
  std::int64_t last = before.count();
  bool slept = false;
  for (const CaptureEvent& event : *events) {
    EXPECT_GE(event.started_ns, last);
    last = event.started_ns + static_cast<std::int64_t>(event.took_ns);
    if (event.call.operation == KernelOperation::sleep_for) {
      slept = true;
      EXPECT_GE(event.took_ns, 1'000'000u);
    }
  }
  EXPECT_TRUE(slept);
  EXPECT_LE(last, after.count());
}

TEST_F(RecordingKernelViewTest, HandsOutHandlesInOrderAndClosesTheInnerFiles) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", "text");
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  RecordingKernelView recording{kernel, *writer};
  for (int handle = 1; handle <= 3; ++handle) {
    const Result<KernelFile> file = recording.open(KernelRoot::proc, "7/stat");
    ASSERT_TRUE(file);
    EXPECT_EQ(file->handle(), handle);
    EXPECT_EQ(file->path(), "/proc/7/stat");
    EXPECT_EQ(kernel.open_files(), 1u);
  }
  EXPECT_EQ(kernel.open_files(), 0u);
}

TEST_F(RecordingKernelViewTest, ChangesNoAnswerWhenTheCaptureCannotBeWritten) {
  std::string more_than_an_event_holds;
  more_than_an_event_holds.resize(40'000'000, 'x');
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", more_than_an_event_holds);
  Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
  ASSERT_TRUE(writer);
  RecordingKernelView recording{kernel, *writer};
  const Result<KernelFile> file = recording.open(KernelRoot::proc, "7/stat");
  ASSERT_TRUE(file);
  std::vector<std::byte> buffer(40'000'000);
  EXPECT_EQ(recording.read(*file, buffer).value_or(0), buffer.size());
  ASSERT_TRUE(writer->error());
  EXPECT_TRUE(recording.rewind(*file));
  EXPECT_FALSE(writer->finish());
}

/// Records `recorded`, then replays `asked`, which must diverge at that call.
struct Divergence {
  const char* name;
  std::function<void(KernelView&, const KernelFile&)> recorded;
  std::function<std::optional<Error>(KernelView&, const KernelFile&)> asked;
};

template <class T>
std::optional<Error> failure(const Result<T>& result) {
  return result ? std::nullopt : std::optional{result.error()};
}

std::vector<Divergence> divergences() {
  const auto any = [](KernelView& view, const KernelFile& file) {
    static_cast<void>(view.rewind(file));
  };
  const auto read = [](std::size_t size) {
    return [size](KernelView& view, const KernelFile& file) {
      std::vector<std::byte> buffer(size);
      return failure(view.read(file, buffer));
    };
  };
  const auto pread = [](std::uint64_t offset) {
    return [offset](KernelView& view, const KernelFile& file) {
      std::array<std::byte, 8> buffer{};
      return failure(view.pread(file, buffer, offset));
    };
  };
  const auto scan = [](std::uint64_t end, std::uint64_t mask, std::size_t count) {
    return [=](KernelView& view, const KernelFile& file) {
      std::vector<PageRegion> regions(count);
      return failure(view.pagemap_scan(file, 0, end, mask, mask, regions));
    };
  };
  return {
      {"open for rewind", any,
       [](KernelView& v, const KernelFile&) {
         return failure(v.open(KernelRoot::proc, "7/stat"));
       }},
      {"open of another path",
       [](KernelView& v, const KernelFile&) { (void)v.open(KernelRoot::proc, "7/stat"); },
       [](KernelView& v, const KernelFile&) {
         return failure(v.open(KernelRoot::proc, "7/smaps"));
       }},
      {"open below another root",
       [](KernelView& v, const KernelFile&) { (void)v.open(KernelRoot::proc, "7/stat"); },
       [](KernelView& v, const KernelFile&) { return failure(v.open(KernelRoot::sys, "7/stat")); }},
      {"open_directory", any,
       [](KernelView& v, const KernelFile&) {
         return failure(v.open_directory(KernelRoot::proc, "7"));
       }},
      {"open_at", any,
       [](KernelView& v, const KernelFile& f) { return failure(v.open_at(f, "stat")); }},
      {"open_directory_at", any,
       [](KernelView& v, const KernelFile& f) { return failure(v.open_directory_at(f, "task")); }},
      {"read of another size", [read](KernelView& v, const KernelFile& f) { (void)read(8)(v, f); },
       read(9)},
      {"read of another handle",
       [read](KernelView& v, const KernelFile& f) { (void)read(8)(v, f); },
       [read](KernelView& v, const KernelFile&) { return read(8)(v, KernelFile{}); }},
      {"pread at another offset",
       [pread](KernelView& v, const KernelFile& f) { (void)pread(0)(v, f); }, pread(8)},
      {"rewind", [read](KernelView& v, const KernelFile& f) { (void)read(8)(v, f); },
       [](KernelView& v, const KernelFile& f) { return failure(v.rewind(f)); }},
      {"scan of another range",
       [scan](KernelView& v, const KernelFile& f) { (void)scan(4096, 8, 4)(v, f); },
       scan(8192, 8, 4)},
      {"scan with another mask",
       [scan](KernelView& v, const KernelFile& f) { (void)scan(4096, 8, 4)(v, f); },
       scan(4096, 24, 4)},
      {"scan for fewer regions",
       [scan](KernelView& v, const KernelFile& f) { (void)scan(4096, 8, 4)(v, f); },
       scan(4096, 8, 1)},
      {"query at another address",
       [](KernelView& v, const KernelFile& f) { (void)v.procmap_query(f, 0); },
       [](KernelView& v, const KernelFile& f) { return failure(v.procmap_query(f, 4096)); }},
      {"list", any, [](KernelView& v, const KernelFile& f) { return failure(v.list(f)); }},
      {"read_link", any,
       [](KernelView& v, const KernelFile& f) { return failure(v.read_link(f, "exe")); }},
      {"identify", any,
       [](KernelView& v, const KernelFile& f) { return failure(v.identify(f, "exe")); }},
      {"owner", any, [](KernelView& v, const KernelFile& f) { return failure(v.owner(f)); }},
      {"same_mm of another pair", [](KernelView& v, const KernelFile&) { (void)v.same_mm(7, 8); },
       [](KernelView& v, const KernelFile&) { return failure(v.same_mm(7, 9)); }},
      {"process_exists of another",
       [](KernelView& v, const KernelFile&) { (void)v.process_exists(7); },
       [](KernelView& v, const KernelFile& f) {
         EXPECT_FALSE(v.process_exists(8));
         return failure(v.rewind(f));
       }},
      {"sleep of another length",
       [](KernelView& v, const KernelFile&) { v.sleep_for(Nanoseconds{5}); },
       [](KernelView& v, const KernelFile& f) {
         v.sleep_for(Nanoseconds{6});
         return failure(v.rewind(f));
       }},
      {"time", any,
       [](KernelView& v, const KernelFile& f) {
         EXPECT_EQ(v.monotonic_now(), Nanoseconds{0});
         EXPECT_EQ(v.wall_now(), Nanoseconds{0});
         EXPECT_EQ(v.entropy(), 0u);
         return failure(v.rewind(f));
       }},
      {"a call after the end", [](KernelView&, const KernelFile&) {},
       [](KernelView& v, const KernelFile& f) { return failure(v.rewind(f)); }},
  };
}

TEST_F(ReplayingKernelViewTest, DivergesAtAnyCallButTheRecordedOne) {
  for (const Divergence& divergence : divergences()) {
    SCOPED_TRACE(divergence.name);
    FakeKernelView kernel;
    kernel.set_file("/proc/7/stat", "text");
    {
      Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
      ASSERT_TRUE(writer);
      RecordingKernelView recording{kernel, *writer};
      const Result<KernelFile> file = recording.open(KernelRoot::proc, "7/stat");
      ASSERT_TRUE(file);
      divergence.recorded(recording, *file);
      ASSERT_TRUE(writer->finish());
    }
    Result<CaptureReader> reader = CaptureReader::open(path());
    ASSERT_TRUE(reader);
    ReplayingKernelView replay{*reader};
    const Result<KernelFile> file = replay.open(KernelRoot::proc, "7/stat");
    ASSERT_TRUE(file);
    EXPECT_FALSE(replay.divergence());
    const std::optional<Error> error = divergence.asked(replay, *file);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, ErrorCode::diverged);
    EXPECT_EQ(error->file, path());
    EXPECT_TRUE(error->offset);
    EXPECT_NE(error->what.find("event 2 of the capture"), std::string::npos) << error->what;
    EXPECT_NE(error->what.find("the replay asks for "), std::string::npos) << error->what;
    // From here on everything fails, the recorded calls as well.
    ASSERT_TRUE(replay.divergence());
    EXPECT_EQ(replay.divergence()->what, error->what);
    EXPECT_EQ(replay.open(KernelRoot::proc, "7/stat").error().what, error->what);
  }
}

TEST_F(ReplayingKernelViewTest, NamesBothCalls) {
  ASSERT_TRUE(write_capture(path(), sample_events()));
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader);
  ReplayingKernelView replay{*reader};
  const Result<KernelFile> file = replay.open(KernelRoot::proc, "1234/smaps");
  ASSERT_FALSE(file);
  EXPECT_NE(file.error().what.find("the replay asks for open of \"1234/smaps\" in proc, but the "
                                   "capture holds open of \"kernel/mm\" in sys"),
            std::string::npos)
      << file.error().what;
}

TEST_F(ReplayingKernelViewTest, NeverSleeps) {
  const CaptureEvent sleep{.call = {.operation = KernelOperation::sleep_for,
                                    .duration_ns = std::int64_t{3600} * 1'000'000'000}};
  ASSERT_TRUE(write_capture(path(), {sleep}));
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader);
  ReplayingKernelView replay{*reader};
  replay.sleep_for(std::chrono::hours{1});
  EXPECT_FALSE(replay.divergence());
}

TEST_F(ReplayingKernelViewTest, DoesNotBelieveAnErrorOfACallThatCannotFail) {
  CaptureEvent event{.call = {.operation = KernelOperation::monotonic_now}};
  event.answer.error = Error{.code = ErrorCode::io, .what = "no clock"};
  ASSERT_TRUE(write_capture(path(), {event}));
  Result<CaptureReader> reader = CaptureReader::open(path());
  ASSERT_TRUE(reader);
  ReplayingKernelView replay{*reader};
  EXPECT_EQ(replay.monotonic_now(), Nanoseconds{0});
  EXPECT_TRUE(replay.divergence());
}

/// Words of kpagecount or of pagemap, read as 8-byte numbers from `first` on.
Result<std::vector<std::uint64_t>> words_of(KernelView& view, const KernelFile& file,
                                            std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> words(count);
  const auto got = view.pread(file, std::as_writable_bytes(std::span{words}), first * 8);
  if (!got) return got.error();
  words.resize(*got / 8);
  return words;
}

/// Records `calls`, and replays them for `asked`.
class ReplayLeniency : public ReplayingKernelViewTest {
 protected:
  void replay(const std::function<void(KernelView&)>& recorded,
              const std::function<void(ReplayingKernelView&)>& asked) {
    FakeKernelView kernel;
    kernel.set_words("/proc/kpagecount", {{1, 11}, {2, 12}, {3, 13}, {4, 14}});
    kernel.set_words("/proc/7/pagemap", {{1, 21}, {2, 22}, {3, 23}, {4, 24}});
    {
      Result<CaptureWriter> writer = CaptureWriter::create(path(), sample_metadata());
      ASSERT_TRUE(writer);
      RecordingKernelView recording{kernel, *writer};
      recorded(recording);
      ASSERT_TRUE(writer->finish());
    }
    Result<CaptureReader> reader = CaptureReader::open(path());
    ASSERT_TRUE(reader);
    ReplayingKernelView view{*reader};
    asked(view);
  }
};

TEST_F(ReplayLeniency, ReadsOfKpagecountMayBeLeftOut) {
  replay(
      [](KernelView& view) {
        const auto counts = view.open(KernelRoot::proc, "kpagecount");
        EXPECT_TRUE(words_of(view, *counts, 1, 2));
        EXPECT_TRUE(words_of(view, *counts, 3, 1));
        view.entropy();
      },
      [](ReplayingKernelView& view) {
        view.entropy();
        EXPECT_FALSE(view.divergence());
      });
}

TEST_F(ReplayLeniency, ReadsOfKpagecountThatTheCaptureLacksAreUnsupported) {
  replay([](KernelView& view) { view.entropy(); },
         [](ReplayingKernelView& view) {
           const auto counts = view.open(KernelRoot::proc, "kpagecount");
           ASSERT_FALSE(counts);
           EXPECT_EQ(counts.error().code, ErrorCode::unsupported);
           view.entropy();
           EXPECT_FALSE(view.divergence());
         });
}

TEST_F(ReplayLeniency, AnotherReadOfKpagecountIsUnsupportedAndCostsNothing) {
  replay(
      [](KernelView& view) {
        const auto counts = view.open(KernelRoot::proc, "kpagecount");
        EXPECT_TRUE(words_of(view, *counts, 1, 2));
      },
      [](ReplayingKernelView& view) {
        const auto counts = view.open(KernelRoot::proc, "kpagecount");
        ASSERT_TRUE(counts);
        const auto other = words_of(view, *counts, 4, 1);
        ASSERT_FALSE(other);
        EXPECT_EQ(other.error().code, ErrorCode::unsupported);
        const auto same = words_of(view, *counts, 1, 2);
        ASSERT_TRUE(same);
        EXPECT_EQ(*same, (std::vector<std::uint64_t>{11, 12}));
      });
}

TEST_F(ReplayLeniency, PartOfARecordedPreadAnswersASmallerOneInsideIt) {
  replay(
      [](KernelView& view) {
        const auto pagemap = view.open(KernelRoot::proc, "7/pagemap");
        EXPECT_TRUE(words_of(view, *pagemap, 1, 4));
        view.entropy();
      },
      [](ReplayingKernelView& view) {
        const auto pagemap = view.open(KernelRoot::proc, "7/pagemap");
        ASSERT_TRUE(pagemap);
        const auto first = words_of(view, *pagemap, 1, 2);
        ASSERT_TRUE(first);
        EXPECT_EQ(*first, (std::vector<std::uint64_t>{21, 22}));
        const auto second = words_of(view, *pagemap, 3, 2);
        ASSERT_TRUE(second);
        EXPECT_EQ(*second, (std::vector<std::uint64_t>{23, 24}));
        view.entropy();
        EXPECT_FALSE(view.divergence());
      });
}

TEST_F(ReplayLeniency, APreadThatReachesBeyondTheRecordedOneDiverges) {
  replay(
      [](KernelView& view) {
        const auto pagemap = view.open(KernelRoot::proc, "7/pagemap");
        EXPECT_TRUE(words_of(view, *pagemap, 1, 2));
      },
      [](ReplayingKernelView& view) {
        const auto pagemap = view.open(KernelRoot::proc, "7/pagemap");
        ASSERT_TRUE(pagemap);
        EXPECT_FALSE(words_of(view, *pagemap, 2, 2));
        EXPECT_TRUE(view.divergence());
      });
}

}  // namespace
}  // namespace smaps_audit
