// SPDX-License-Identifier: Apache-2.0
#include "probes/gup_callers.h"

#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <numaif.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string>

#include "probes/ptrace_helper.h"

namespace smaps_audit::probes {
namespace {

bool vm_readv(Memory page) {
  std::byte byte{};
  const iovec local{&byte, 1};
  const iovec remote{page.data(), 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

bool vm_writev(Memory page) {
  std::byte byte{1};
  const iovec local{&byte, 1};
  const iovec remote{page.data(), 1};
  return ::process_vm_writev(::getpid(), &local, 1, &remote, 1, 0) == 1;
}

bool splice_page(Memory page) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return false;
  const UniqueFd out{pipe[0]};
  const UniqueFd in{pipe[1]};
  const iovec from{page.data(), page.size()};
  return ::vmsplice(in.get(), &from, 1, 0) == static_cast<ssize_t>(page.size());
}

bool populate(Memory page, int advice) { return ::madvise(page.data(), page.size(), advice) == 0; }

/// A file for direct I/O, of one page and without a name. Memory file systems take O_DIRECT and
/// then copy through the page cache: that would be a plain access.
UniqueFd direct_file() {
  const char* const directory = std::getenv("TMPDIR");
  for (const char* const where : {directory, "/var/tmp", "/tmp"}) {
    struct statfs system {};
    if (where == nullptr || ::statfs(where, &system) != 0) continue;
    if (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC) continue;
    UniqueFd file{::open(where, O_TMPFILE | O_RDWR | O_DIRECT | O_CLOEXEC, 0600)};
    if (file && ::ftruncate(file.get(), kPageBytes) == 0) return file;
  }
  return {};
}

struct Equipment {
  explicit Equipment(const std::string& proc_root)
      : helper(proc_root),
        memory(::open((proc_root + "/self/mem").c_str(), O_RDWR | O_CLOEXEC)),
        file(direct_file()) {}

  bool ptrace(PtraceHelper::Way way, Memory page) {
    const auto answer = helper.ask(way, page.data(), 1);
    return answer && answer->errno_value == 0;
  }
  [[nodiscard]] bool self_mem(bool writing, Memory page) const {
    std::uint64_t word = 1;
    const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(page.data()));
    const ssize_t done = writing ? ::pwrite(memory.get(), &word, sizeof word, offset)
                                 : ::pread(memory.get(), &word, sizeof word, offset);
    return done == sizeof word;
  }
  [[nodiscard]] bool direct(bool reading, Memory page) const {
    if (!file) return false;
    const ssize_t done = reading ? ::pread(file.get(), page.data(), page.size(), 0)
                                 : ::pwrite(file.get(), page.data(), page.size(), 0);
    return done == static_cast<ssize_t>(page.size());
  }

  PtraceHelper helper;
  UniqueFd memory;
  UniqueFd file;
};

}  // namespace

FixedBuffers::FixedBuffers() {
  io_uring_params parameters{};
  ring_ = UniqueFd{static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters))};
}

bool FixedBuffers::pin(Memory memory) const {
  const iovec buffer{memory.data(), memory.size()};
  return ring_ &&
         ::syscall(SYS_io_uring_register, ring_.get(), IORING_REGISTER_BUFFERS, &buffer, 1) == 0;
}

std::vector<GupCaller> gup_callers(const ProbeChild& child) {
  using Way = PtraceHelper::Way;
  const auto equipment = std::make_shared<Equipment>(child.setup().proc_root);
  return {
      {"process_vm_readv", vm_readv},
      {"process_vm_writev", vm_writev},
      {"vmsplice", splice_page},
      {"direct_write", [equipment](Memory page) { return equipment->direct(false, page); }},
      {"direct_read", [equipment](Memory page) { return equipment->direct(true, page); }},
      {"io_uring_buffers", [](Memory page) { return FixedBuffers{}.pin(page); }},
      {"populate_read", [](Memory page) { return populate(page, MADV_POPULATE_READ); }},
      {"populate_write", [](Memory page) { return populate(page, MADV_POPULATE_WRITE); }},
      {"mem_read", [equipment](Memory page) { return equipment->self_mem(false, page); }},
      {"mem_write", [equipment](Memory page) { return equipment->self_mem(true, page); }},
      {"ptrace_read", [equipment](Memory page) { return equipment->ptrace(Way::peek, page); }},
      {"ptrace_write", [equipment](Memory page) { return equipment->ptrace(Way::poke, page); }},
  };
}

void look_at(Memory memory, const ProbeChild& child) {
  const std::size_t pages = memory.size() / kPageBytes;
  std::vector<unsigned char> core(pages);
  ::mincore(memory.data(), memory.size(), core.data());
  std::vector<void*> addresses;
  for (std::size_t i = 0; i < pages; ++i) addresses.push_back(&memory[i * kPageBytes]);
  std::vector<int> status(pages);
  ::move_pages(0, pages, addresses.data(), nullptr, status.data(), 0);
  std::array<char, 65536> text{};
  for (const char* const name : {"/self/smaps", "/self/smaps_rollup", "/self/numa_maps"}) {
    const UniqueFd file{::open((child.setup().proc_root + name).c_str(), O_RDONLY | O_CLOEXEC)};
    while (file && ::read(file.get(), text.data(), text.size()) > 0) {
    }
  }
  static_cast<void>(child.own_pagemap(memory));
}

}  // namespace smaps_audit::probes
