// SPDX-License-Identifier: Apache-2.0
#include "collect/live_kernel_view.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kPages = 64;

std::string own_path(const std::string& file) { return std::to_string(::getpid()) + "/" + file; }

/// Private memory of this process of which every second page was touched.
class StripedMemory {
 public:
  StripedMemory()
      : memory_(
            ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    ::madvise(memory_, bytes(), MADV_NOHUGEPAGE);
    for (std::size_t page = 0; page < kPages; page += 2) {
      static_cast<volatile char*>(memory_)[page * page_bytes()] = 1;
    }
  }
  StripedMemory(const StripedMemory&) = delete;
  StripedMemory& operator=(const StripedMemory&) = delete;
  ~StripedMemory() { ::munmap(memory_, bytes()); }

  [[nodiscard]] static std::size_t page_bytes() {
    return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  }
  [[nodiscard]] static std::size_t bytes() { return kPages * page_bytes(); }
  [[nodiscard]] std::uint64_t start() const { return reinterpret_cast<std::uintptr_t>(memory_); }
  [[nodiscard]] std::uint64_t end() const { return start() + bytes(); }

 private:
  void* memory_;
};

TEST(LiveKernelView, ReadsAFileToItsEnd) {
  LiveKernelView kernel;
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, own_path("comm"));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->path(), "/proc/" + own_path("comm"));
  std::array<std::byte, 64> buffer{};
  const Result<std::size_t> first = kernel.read(*file, buffer);
  ASSERT_TRUE(first);
  EXPECT_GT(*first, 1u);
  EXPECT_EQ(kernel.read(*file, buffer).value_or(1), 0u);
  ASSERT_TRUE(kernel.rewind(*file));
  EXPECT_EQ(kernel.read(*file, buffer).value_or(0), *first);
}

TEST(LiveKernelView, KeepsTheNumericPidInPathsBelowADirectory) {
  LiveKernelView kernel;
  const std::string pid = std::to_string(::getpid());
  const Result<KernelFile> directory = kernel.open_directory(KernelRoot::proc, pid);
  ASSERT_TRUE(directory);
  const Result<KernelFile> file = kernel.open_at(*directory, "smaps");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->path(), "/proc/" + pid + "/smaps");
  const Result<KernelFile> task = kernel.open_directory_at(*directory, "task");
  ASSERT_TRUE(task);
  const Result<KernelFile> absent = kernel.open_at(*task, "0/smaps");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().file, "/proc/" + pid + "/task/0/smaps");
  EXPECT_EQ(absent.error().code, ErrorCode::gone);
}

TEST(LiveKernelView, NamesTheRootThatIsNotThere) {
  LiveKernelView kernel{"/nonexistent/proc", "/nonexistent/sys"};
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "1/smaps");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().file, "/nonexistent/proc");
  EXPECT_EQ(file.error().errno_value, ENOENT);
}

TEST(LiveKernelView, ClosesWhatItOpened) {
  LiveKernelView kernel;
  const Result<KernelFile> fds = kernel.open_directory(KernelRoot::proc, own_path("fd"));
  ASSERT_TRUE(fds);
  const std::size_t before = kernel.list(*fds).value_or({}).size();
  {
    Result<KernelFile> first = kernel.open(KernelRoot::proc, "stat");
    Result<KernelFile> second = kernel.open(KernelRoot::sys, "devices/system/cpu/online");
    ASSERT_TRUE(first && second);
    EXPECT_EQ(kernel.list(*fds).value_or({}).size(), before + 3);  // and the root of sys
    KernelFile moved = *std::move(first);
    moved = *std::move(second);
    EXPECT_EQ(kernel.list(*fds).value_or({}).size(), before + 2);
  }
  EXPECT_EQ(kernel.list(*fds).value_or({}).size(), before + 1);
}

TEST(LiveKernelView, ListsADirectoryAgain) {
  TemporaryDirectory directory;
  for (const char* const name : {"a", "b", "c"}) write_whole_file(directory.file(name), "");
  LiveKernelView kernel{directory.path(), directory.path()};
  const Result<KernelFile> opened = kernel.open_directory(KernelRoot::proc, "");
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->path(), directory.path());
  for (int again = 0; again < 2; ++again) {
    Result<std::vector<std::string>> names = kernel.list(*opened);
    ASSERT_TRUE(names);
    std::sort(names->begin(), names->end());
    EXPECT_EQ(*names, (std::vector<std::string>{"a", "b", "c"}));
  }
}

TEST(LiveKernelView, SaysWhyAFileCannotBeRead) {
  TemporaryDirectory directory;
  write_whole_file(directory.file("text"), "text");
  LiveKernelView kernel{directory.path(), directory.path()};
  const Result<KernelFile> folder = kernel.open_directory(KernelRoot::proc, "");
  ASSERT_TRUE(folder);
  std::array<std::byte, 8> buffer{};
  const Result<std::size_t> read = kernel.read(*folder, buffer);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().errno_value, EISDIR);
  EXPECT_EQ(read.error().file, directory.path());
  const Result<std::size_t> pread = kernel.pread(*folder, buffer, 8);
  ASSERT_FALSE(pread);
  EXPECT_EQ(pread.error().offset, 8u);
  const Result<KernelFile> file = kernel.open(KernelRoot::proc, "text");
  ASSERT_TRUE(file);
  EXPECT_FALSE(kernel.list(*file));
  EXPECT_FALSE(kernel.open_directory(KernelRoot::proc, "text"));
  // A file that is no pagemap knows no ioctl: as on a kernel that lacks it.
  std::array<PageRegion, 1> regions{};
  EXPECT_EQ(kernel.pagemap_scan(*file, 0, 4096, 1, 1, regions).error().code,
            ErrorCode::unsupported);
  EXPECT_EQ(kernel.procmap_query(*file, 0).error().code, ErrorCode::unsupported);
  const KernelFile closed;
  EXPECT_EQ(kernel.read(closed, buffer).error().errno_value, EBADF);
  EXPECT_FALSE(kernel.rewind(closed));
  EXPECT_FALSE(kernel.list(closed));
  EXPECT_FALSE(kernel.owner(closed));
}

TEST(LiveKernelView, ReadsLinksOfAnyLengthAndByte) {
  TemporaryDirectory directory;
  std::string target = "\xff/";
  while (target.size() < 3000) target += "0123456789/";
  ASSERT_EQ(::symlink(target.c_str(), directory.file("link").c_str()), 0);
  LiveKernelView kernel{directory.path(), directory.path()};
  const Result<KernelFile> opened = kernel.open_directory(KernelRoot::proc, "");
  ASSERT_TRUE(opened);
  EXPECT_EQ(kernel.read_link(*opened, "link").value_or(""), target);
  const Result<std::string> absent = kernel.read_link(*opened, "absent");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().file, directory.file("absent"));
}

TEST(LiveKernelView, IdentifiesTheFileBehindALinkAndTheOwnerOfAProcess) {
  LiveKernelView kernel;
  const Result<KernelFile> own =
      kernel.open_directory(KernelRoot::proc, std::to_string(::getpid()));
  ASSERT_TRUE(own);
  struct stat status {};
  ASSERT_EQ(::stat("/proc/self/exe", &status), 0);
  const Result<FileIdentity> identity = kernel.identify(*own, "exe");
  ASSERT_TRUE(identity);
  EXPECT_EQ(identity->inode, status.st_ino);
  EXPECT_EQ(identity->device, status.st_dev);
  EXPECT_GT(identity->change_time_ns, 0);
  EXPECT_EQ(kernel.owner(*own).value_or(4711), ::geteuid());
  EXPECT_FALSE(kernel.identify(*own, "absent"));
}

TEST(LiveKernelView, ScansThePagesThatAreThere) {
  const StripedMemory memory;
  LiveKernelView kernel;
  const Result<KernelFile> pagemap = kernel.open(KernelRoot::proc, own_path("pagemap"));
  ASSERT_TRUE(pagemap) << pagemap.error().message();
  std::array<PageRegion, 8> regions{};
  std::uint64_t at = memory.start();
  std::uint64_t present = 0;
  int calls = 0;
  while (at < memory.end()) {
    const Result<PagemapScanAnswer> answer = kernel.pagemap_scan(
        *pagemap, at, memory.end(), page_is::kPresent, page_is::kPresent, regions);
    if (!answer && answer.error().code == ErrorCode::unsupported) {
      GTEST_SKIP() << "PAGEMAP_SCAN came with 6.7: " << answer.error().message();
    }
    ASSERT_TRUE(answer) << answer.error().message();
    for (const PageRegion& region : std::span{regions}.first(answer->regions)) {
      present += (region.end - region.start) / StripedMemory::page_bytes();
      EXPECT_EQ(region.categories, page_is::kPresent);
    }
    ASSERT_GT(answer->walk_end, at);
    at = answer->walk_end;
    ++calls;
  }
  EXPECT_EQ(present, kPages / 2);
  EXPECT_GE(calls, 4);  // eight regions a call
}

TEST(LiveKernelView, ReadsPagemapWords) {
  const StripedMemory memory;
  LiveKernelView kernel;
  const Result<KernelFile> pagemap = kernel.open(KernelRoot::proc, own_path("pagemap"));
  ASSERT_TRUE(pagemap);
  std::vector<std::byte> buffer(kPages * 8);
  const Result<std::size_t> got =
      kernel.pread(*pagemap, buffer, memory.start() / StripedMemory::page_bytes() * 8);
  ASSERT_TRUE(got);
  ASSERT_EQ(*got, buffer.size());
  for (std::size_t page = 0; page < kPages; ++page) {
    const bool present = (buffer[page * 8 + 7] & std::byte{0x80}) != std::byte{0};
    EXPECT_EQ(present, page % 2 == 0) << page;
  }
}

TEST(LiveKernelView, FindsTheVmaAtOrAboveAnAddress) {
  const StripedMemory memory;
  LiveKernelView kernel;
  const Result<KernelFile> maps = kernel.open(KernelRoot::proc, own_path("maps"));
  ASSERT_TRUE(maps);
  const Result<std::optional<VmaGeometry>> found = kernel.procmap_query(*maps, memory.start());
  if (!found && found.error().code == ErrorCode::unsupported) {
    GTEST_SKIP() << "PROCMAP_QUERY came with 6.11: " << found.error().message();
  }
  ASSERT_TRUE(found) << found.error().message();
  ASSERT_TRUE(*found);
  EXPECT_LE((*found)->start, memory.start());
  EXPECT_GE((*found)->end, memory.end());
  EXPECT_FALSE((*found)->has_file);
  const auto code = reinterpret_cast<std::uintptr_t>(&own_path);
  const Result<std::optional<VmaGeometry>> text = kernel.procmap_query(*maps, code);
  ASSERT_TRUE(text && *text);
  EXPECT_TRUE((*text)->has_file);
  const Result<std::optional<VmaGeometry>> above =
      kernel.procmap_query(*maps, ~std::uint64_t{4095});
  ASSERT_TRUE(above) << above.error().message();
  EXPECT_FALSE(*above);
}

TEST(LiveKernelView, KnowsWhichProcessesAreThereAndWhichShareMemory) {
  LiveKernelView kernel;
  EXPECT_TRUE(kernel.process_exists(::getpid()));
  EXPECT_TRUE(kernel.process_exists(1));
  EXPECT_FALSE(kernel.process_exists(0));
  EXPECT_FALSE(kernel.process_exists(-1));
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_TRUE(kernel.process_exists(child));
  const Result<bool> other = kernel.same_mm(::getpid(), child);
  const Result<bool> own = kernel.same_mm(::getpid(), ::getpid());
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_FALSE(kernel.process_exists(child));
  EXPECT_FALSE(kernel.same_mm(::getpid(), child));
  if (!own && own.error().code == ErrorCode::unsupported) GTEST_SKIP() << own.error().message();
  ASSERT_TRUE(own && other);
  EXPECT_TRUE(*own);
  EXPECT_FALSE(*other);
}

TEST(LiveKernelView, SleepsAtLeastAsLongAsAsked) {
  LiveKernelView kernel;
  const Nanoseconds before = kernel.monotonic_now();
  kernel.sleep_for(std::chrono::milliseconds{3});
  kernel.sleep_for(Nanoseconds{-5});
  EXPECT_GE(kernel.monotonic_now() - before, std::chrono::milliseconds{3});
  EXPECT_GT(kernel.wall_now(), std::chrono::hours{24 * 365 * 50});
  EXPECT_NE(kernel.entropy(), kernel.entropy());
}

}  // namespace
}  // namespace smaps_audit
