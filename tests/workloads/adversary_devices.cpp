// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/workloads/adversary.h"
#include "tests/workloads/adversary_support.h"

namespace smaps_audit::workloads {
namespace {

constexpr std::size_t kBufferBytes = 16 * kMiB;
constexpr std::size_t kBuffers = 8;
constexpr unsigned kRingEntries = 8;

constexpr std::size_t kHangingBytes = 4 * kMiB;
constexpr std::uint64_t kHangingNode = 2;
constexpr unsigned kLongestStuckSeconds = 20;
constexpr std::size_t kFuseBufferBytes = 256 * 1024;
constexpr std::size_t kBesideBytes = 8 * kMiB;

fuse_attr attributes(std::uint64_t node) {
  fuse_attr attr{};
  attr.ino = node;
  attr.mode = node == kHangingNode ? S_IFREG | 0644 : S_IFDIR | 0755;
  attr.nlink = 1;
  attr.size = node == kHangingNode ? kHangingBytes : 0;
  return attr;
}

enum class Hangs : std::uint8_t { reads, writes };

/// A file system with one file, whose reads, or writes, are never answered.
class HangingServer {
 public:
  HangingServer(int device, Hangs hangs) : device_(device), hangs_(hangs) {}

  /// Until the file system is gone.
  void serve() {
    std::vector<std::byte> buffer(kFuseBufferBytes);
    for (;;) {
      const ssize_t got = read(device_, buffer.data(), buffer.size());
      if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
      if (got < static_cast<ssize_t>(sizeof(fuse_in_header))) return;
      fuse_in_header header{};
      std::memcpy(&header, buffer.data(), sizeof header);
      if (header.opcode == FUSE_READ && hangs_ == Hangs::writes) {
        give_zeros(header, buffer.data() + sizeof header);
      } else {
        answer(header);
      }
    }
  }

 private:
  void give_zeros(const fuse_in_header& header, const std::byte* body) {
    fuse_read_in wanted{};
    std::memcpy(&wanted, body, sizeof wanted);
    const std::vector<std::byte> zeros(wanted.size);
    reply(header, 0, zeros.data(), zeros.size());
  }

  void answer(const fuse_in_header& header) {
    switch (header.opcode) {
      case FUSE_INIT: {
        fuse_init_out out{};
        out.major = FUSE_KERNEL_VERSION;
        out.minor = 31;
        out.max_write = 4096;
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_LOOKUP: {
        fuse_entry_out out{};
        out.nodeid = kHangingNode;
        out.attr_valid = out.entry_valid = 3600;
        out.attr = attributes(kHangingNode);
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_GETATTR: {
        fuse_attr_out out{};
        out.attr_valid = 3600;
        out.attr = attributes(header.nodeid);
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_OPEN: {
        const fuse_open_out out{};
        return reply(header, 0, &out, sizeof out);
      }
      case FUSE_READ:
      case FUSE_WRITE:
      case FUSE_FORGET:
      case FUSE_BATCH_FORGET:
      case FUSE_INTERRUPT: return;
      default: return reply(header, -ENOSYS, nullptr, 0);
    }
  }

  void reply(const fuse_in_header& header, int error, const void* body, std::size_t bytes) {
    fuse_out_header out{};
    out.len = static_cast<std::uint32_t>(sizeof out + bytes);
    out.error = error;
    out.unique = header.unique;
    const std::array<iovec, 2> parts{iovec{&out, sizeof out},
                                     iovec{const_cast<void*>(body), bytes}};
    if (writev(device_, parts.data(), bytes == 0 ? 1 : 2) < 0 && errno != ENOENT) die("/dev/fuse");
  }

  int device_;
  Hangs hangs_;
};

/// Mounted where only this process and its children see it; gone with the last of them.
std::string mount_hanging(const Run& run, Hangs hangs) {
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) run.skip("/dev/fuse", errno);
  if (unshare(CLONE_NEWNS) != 0) run.skip("no mount namespace of its own", errno);
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 && errno != EINVAL) {
    run.skip("the mounts stay shared", errno);
  }
  std::string directory = "/tmp/adversary-fuse-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) die("mkdtemp");
  const std::string options =
      "fd=" + std::to_string(device) + ",rootmode=40000,user_id=0,group_id=0";
  if (mount("adversary", directory.c_str(), "fuse", MS_NOSUID | MS_NODEV, options.c_str()) != 0) {
    const int error = errno;
    rmdir(directory.c_str());
    run.skip("no FUSE mount", error);
  }
  in_child([&] {
    // Whoever holds mmap_lock for ever cannot even exit, so no signal tells of its death.
    if (hangs == Hangs::writes) alarm(kLongestStuckSeconds);
    HangingServer(device, hangs).serve();
  });
  close(device);
  return directory;
}

struct Ring {
  int fd;
  Memory memory;
};

Ring make_ring(const Run& run) {
  io_uring_params parameters{};
  const int fd = static_cast<int>(syscall(SYS_io_uring_setup, kRingEntries, &parameters));
  if (fd < 0) run.skip("no io_uring", errno);
  void* const base = mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE,
                          fd, IORING_OFF_SQ_RING);
  if (base == MAP_FAILED) die("mmap of the ring");
  return {fd, {static_cast<std::byte*>(base), kPageBytes}};
}

struct HangingFile {
  int fd;
  Memory memory;
};

HangingFile map_hanging(const Run& run, Hangs hangs) {
  const std::string directory = mount_hanging(run, hangs);
  const int fd = open((directory + "/hangs").c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) die("open of the hanging file");
  // Nothing is left behind even if we are killed; what is mapped and open stays.
  if (umount2(directory.c_str(), MNT_DETACH) != 0) die("umount2");
  if (rmdir(directory.c_str()) != 0) die("rmdir");
  return {fd, map_file(fd, kHangingBytes, MAP_SHARED)};
}

}  // namespace

void run_io_uring_buffers(const Run& run) {
  const Ring ring = make_ring(run);
  const Memory memory = map_guarded(kBufferBytes, Pages::base);
  const Memory huge = map_guarded(kBufferBytes, Pages::huge);
  touch_write(memory);
  touch_write(huge);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    std::array<iovec, kBuffers> buffers{};
    for (std::size_t i = 0; i < kBuffers; ++i) {
      const Memory pages = random_run(i % 2 == 0 ? memory : huge, random, 256);
      buffers[i] = {pages.data(), pages.size()};
    }
    // Pins every page of them, and brings those that are not there.
    if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS, buffers.data(),
                kBuffers) != 0) {
      die("IORING_REGISTER_BUFFERS");
    }
    for (const Memory part : {memory, huge}) {
      advise(random_run(part, random, 512), MADV_DONTNEED);
      touch_write(random_run(part, random, 256));
    }
    if (syscall(SYS_io_uring_register, ring.fd, IORING_UNREGISTER_BUFFERS, nullptr, 0) != 0) {
      die("IORING_UNREGISTER_BUFFERS");
    }
  }
}

/// One thread waits for a page that never comes, another changes the address space all the time.
void run_fuse_hang(const Run& run) {
  const Memory hanging = map_hanging(run, Hangs::reads).memory;
  std::thread([hanging] { touch_read(hanging); }).detach();
  const Memory memory = map_guarded(kBesideBytes, Pages::base);
  touch_write(memory);
  run.announce({getpid()});
  Random random(1);
  while (!run.over()) {
    for (int i = 0; i < 32; ++i) {
      advise(random_run(memory, random, 64), MADV_DONTNEED);
      touch_write(random_run(memory, random, 64));
    }
    const Memory closed = random_run(memory, random, 16);
    protect(closed, PROT_READ);
    protect(closed, PROT_READ | PROT_WRITE);
    random_pause(random, std::chrono::milliseconds(10));
  }
  _exit(0);  // the waiting thread cannot be joined
}

/// One thread waits inside a fault for a write that never ends, another for that one's mapping: it
/// holds mmap_lock for ever, and no file of /proc that takes it can be read any more.
void run_fuse_lock(const Run& run) {
  const HangingFile file = map_hanging(run, Hangs::writes);
  const Memory page = file.memory.first(kPageBytes);
  touch_write(page);
  if (sync_file_range(file.fd, 0, kPageBytes, SYNC_FILE_RANGE_WRITE) != 0) die("sync_file_range");
  run.announce({getpid()});
  std::thread([page] { touch_write(page); }).detach();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  std::thread([file] { protect(file.memory, PROT_READ); }).detach();
  while (!run.over()) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  _exit(0);
}

}  // namespace smaps_audit::workloads
