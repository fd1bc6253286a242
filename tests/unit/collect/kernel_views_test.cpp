// SPDX-License-Identifier: Apache-2.0
// The views that tests are made of do what their headers say.
#include <gtest/gtest.h>

#include <array>
#include <cerrno>

#include "tests/support/failing_kernel_view.h"
#include "tests/support/fake_kernel_view.h"
#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

std::string read_text(KernelView& kernel, const KernelFile& file, std::size_t size = 64) {
  std::vector<std::byte> buffer(size);
  const Result<std::size_t> got = kernel.read(file, buffer);
  return got ? to_text(std::span{buffer}.first(*got)) : "error: " + got.error().message();
}

TEST(FakeKernelView, ReadsChunksAsASeqFileDoes) {
  FakeKernelView kernel;
  kernel.set_chunks("/proc/7/smaps", {"first", "second"});
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/smaps");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_text(kernel, *file), "first");
  EXPECT_EQ(read_text(kernel, *file), "second");
  EXPECT_EQ(read_text(kernel, *file), "");
  ASSERT_TRUE(kernel.rewind(*file));
  EXPECT_EQ(read_text(kernel, *file), "first");
  EXPECT_EQ(kernel.calls().front(), "open /proc/7/smaps");
}

TEST(FakeKernelView, ReadsTextInPiecesOfTheCallersSize) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", "abcdef");
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/stat");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_text(kernel, *file, 4), "abcd");
  EXPECT_EQ(read_text(kernel, *file, 4), "ef");
  EXPECT_EQ(read_text(kernel, *file, 4), "");
}

TEST(FakeKernelView, ServesPagemapWordsAndEndsAtItsSize) {
  FakeKernelView kernel;
  kernel.set_words("/proc/7/pagemap", {{11, 0x1234}}, 13);
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/pagemap");
  ASSERT_TRUE(file);
  std::array<std::byte, 64> buffer{};
  EXPECT_EQ(kernel.pread(*file, buffer, 80).value_or(0), 24u);  // pages 10, 11, 12
  EXPECT_EQ(buffer[8], std::byte{0x34});
  EXPECT_EQ(kernel.pread(*file, buffer, 104).value_or(1), 0u);
}

TEST(FakeKernelView, ClipsAndMasksWhatAScanReturns) {
  FakeKernelView kernel;
  kernel.set_scan("/proc/7/pagemap", {{0x1000, 0x5000, page_is::kPresent | page_is::kFile},
                                      {0x5000, 0x6000, page_is::kPresent},
                                      {0x8000, 0x9000, page_is::kSwapped},
                                      {0xa000, 0xb000, page_is::kPresent}});
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/pagemap");
  ASSERT_TRUE(file);
  std::array<PageRegion, 1> one{};
  Result<PagemapScanAnswer> answer =
      kernel.pagemap_scan(*file, 0x2000, 0x10000, page_is::kPresent, page_is::kPresent, one);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->regions, 1u);
  EXPECT_EQ(answer->walk_end, 0xa000u);
  EXPECT_EQ(one[0].start, 0x2000u);
  EXPECT_EQ(one[0].end, 0x6000u);  // merged: the mask hides the difference
}

TEST(FakeKernelView, IsLikeAKernelWithoutWhatWasNotSet) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/maps", "");
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/maps");
  ASSERT_TRUE(file);
  EXPECT_EQ(kernel.procmap_query(*file, 0).error().code, ErrorCode::unsupported);
  EXPECT_EQ(kernel.open(KernelRoot::proc, "8/maps").error().code, ErrorCode::gone);
  kernel.remove("/proc/7");
  EXPECT_EQ(read_text(kernel, *file).substr(0, 5), "error");
  EXPECT_FALSE(kernel.open_directory(KernelRoot::proc, "7"));
}

TEST(FakeKernelView, LetsAHookChangeTheKernelBetweenTwoReads) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/status", "VmRSS: 4 kB");
  kernel.on_call([&](std::string_view operation, const std::string& path) {
    if (operation == "read") kernel.set_file(path, "VmRSS: 8 kB");
  });
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "7/status");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_text(kernel, *file), "VmRSS: 8 kB");
}

TEST(FailingKernelView, FailsTheChosenCallOnly) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", "text");
  FailingKernelView failing{kernel};
  failing.fail_call(2, EIO);
  const Result<KernelFile> file = failing.open(KernelRoot::proc, "7/stat");
  ASSERT_TRUE(file);
  EXPECT_EQ(read_text(failing, *file).substr(0, 5), "error");
  EXPECT_EQ(read_text(failing, *file), "text");
  EXPECT_EQ(failing.calls(), 3u);
  EXPECT_EQ(failing.failures(), 1u);
}

TEST(FailingKernelView, FailsEveryCallOnAPath) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", "text");
  kernel.set_file("/proc/7/smaps", "text");
  FailingKernelView failing{kernel};
  const Result<KernelFile> directory = failing.open_directory(KernelRoot::proc, "7");
  ASSERT_TRUE(directory);
  const Result<KernelFile> open_before = failing.open_at(*directory, "smaps");
  ASSERT_TRUE(open_before);
  failing.fail_path("/proc/7/smaps", EACCES);
  EXPECT_EQ(failing.open_at(*directory, "smaps").error().code, ErrorCode::denied);
  EXPECT_EQ(read_text(failing, *open_before).substr(0, 5), "error");
  EXPECT_TRUE(failing.open_at(*directory, "stat"));
}

TEST(FailingKernelView, FailsEverythingFromACallOnAndWholeOperations) {
  FakeKernelView kernel;
  kernel.set_file("/proc/7/stat", "text");
  FailingKernelView failing{kernel};
  failing.fail_operation(KernelOperation::rewind, ENOSYS);
  const Result<KernelFile> file = failing.open(KernelRoot::proc, "7/stat");
  ASSERT_TRUE(file);
  EXPECT_EQ(failing.rewind(*file).error().code, ErrorCode::unsupported);
  EXPECT_EQ(read_text(failing, *file), "text");
  failing.fail_from(failing.calls() + 1, ESRCH);
  EXPECT_EQ(failing.open(KernelRoot::proc, "7/stat").error().code, ErrorCode::gone);
  EXPECT_EQ(read_text(failing, *file).substr(0, 5), "error");
}

}  // namespace
}  // namespace smaps_audit
