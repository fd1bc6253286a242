// SPDX-License-Identifier: Apache-2.0
#include "collect/target.h"

#include <algorithm>
#include <array>
#include <span>

namespace smaps_audit {
namespace {

constexpr std::size_t kReadStep = 4096;

constexpr const char* kExecutable = "exe";

}  // namespace

Result<std::string> read_whole(KernelView& view, const KernelFile& file, std::size_t limit) {
  std::string text;
  while (true) {
    const std::size_t filled = text.size();
    if (filled >= limit) {
      return Error{.code = ErrorCode::truncated,
                   .what = "longer than expected",
                   .file = file.path(),
                   .offset = filled};
    }
    text.resize(filled + std::max(kReadStep, filled));
    const auto got =
        view.pread(file, std::as_writable_bytes(std::span{text}.subspan(filled)), filled);
    if (!got) return got.error();
    text.resize(filled + *got);
    if (*got == 0) return text;
  }
}

Result<Target> Target::open(KernelView& view, int pid, RefusedTarget& refused) {
  const auto refuse = [&](Refusal why, Error error) {
    refused = {why, error};
    return error;
  };
  const auto refuse_by_code = [&](const Error& error) {
    const Refusal why = error.code == ErrorCode::denied      ? Refusal::denied
                        : error.code == ErrorCode::malformed ? Refusal::malformed
                                                             : Refusal::gone;
    return refuse(why, error);
  };

  Target target;
  target.pid_ = pid;
  auto directory = view.open_directory(KernelRoot::proc, std::to_string(pid));
  if (!directory) {
    // hidepid: the process is there, its directory is not.
    if (directory.error().code == ErrorCode::gone && view.process_exists(pid)) {
      Error hidden = directory.error();
      hidden.code = ErrorCode::denied;
      hidden.what = "hidden from this user (hidepid)";
      return refuse(Refusal::denied, hidden);
    }
    return refuse_by_code(directory.error());
  }
  target.directory_ = *std::move(directory);

  auto stat_file = view.open_at(target.directory_, "stat");
  if (!stat_file) return refuse_by_code(stat_file.error());
  target.stat_ = *std::move(stat_file);
  const Result<std::string> stat_text = read_whole(view, target.stat_);
  if (!stat_text) return refuse_by_code(stat_text.error());
  const Result<ProcStat> stat = parse_proc_stat(*stat_text);
  if (!stat) return refuse_by_code(in_file(stat.error(), target.stat_));
  target.comm_ = std::string{stat->comm};
  target.start_time_ticks_ = stat->start_time_ticks;
  target.start_code_ = stat->start_code;
  target.start_stack_ = stat->start_stack;
  if (stat->is_kernel_thread()) {
    return refuse(Refusal::kernel_thread,
                  {.code = ErrorCode::unsupported, .what = "kernel thread"});
  }
  if (stat->state == 'Z' || stat->state == 'X') {
    return refuse(Refusal::zombie, {.code = ErrorCode::gone, .what = "zombie: its memory is gone"});
  }

  if (const auto identity = view.identify(target.directory_, kExecutable)) {
    target.executable_ = *identity;
  }
  const Result<Ok> opened = target.open_files(view, target.directory_);
  if (!opened) return refuse_by_code(opened.error());
  return target;
}

/// A leader that exited has no mm, but its threads do: then the files of a live thread are used.
Result<Ok> Target::open_files(KernelView& view, const KernelFile& from) {
  struct Wanted {
    const char* name;
    KernelFile* file;
  };
  for (const Wanted& wanted :
       {Wanted{"smaps", &smaps_}, Wanted{"pagemap", &pagemap_}, Wanted{"maps", &maps_},
        Wanted{"status", &status_}, Wanted{"statm", &statm_}}) {
    auto file = view.open_at(from, wanted.name);
    if (!file) return file.error();
    *wanted.file = *std::move(file);
  }
  // Optional witnesses: their absence is a capability, not a refusal.
  numa_maps_.reset();
  smaps_rollup_.reset();
  if (auto file = view.open_at(from, "numa_maps")) numa_maps_ = *std::move(file);
  if (auto file = view.open_at(from, "smaps_rollup")) smaps_rollup_ = *std::move(file);

  if (&from != &directory_) return Ok{};
  std::array<std::byte, 256> peek;
  const auto got = view.pread(maps_, peek, 0);
  if (!got) return got.error();
  if (*got != 0) return Ok{};
  auto tasks = view.open_directory_at(directory_, "task");
  if (!tasks) return tasks.error();
  const auto tids = view.list(*tasks);
  if (!tids) return tids.error();
  for (const std::string& tid : *tids) {
    if (tid == std::to_string(pid_)) continue;
    auto thread = view.open_directory_at(*tasks, tid);
    if (!thread) continue;
    if (open_files(view, *thread)) {
      const auto thread_got = view.pread(maps_, peek, 0);
      if (thread_got && *thread_got != 0) return Ok{};
    }
  }
  return Error{.code = ErrorCode::gone, .what = "it has no address space", .file = maps_.path()};
}

Result<Ok> Target::still_same(KernelView& view, std::optional<std::uint64_t> known_page) const {
  const auto gone = [&](std::string what) {
    return Error{.code = ErrorCode::gone, .what = std::move(what), .file = directory_.path()};
  };
  const Result<std::string> text = read_whole(view, stat_);
  if (!text) return text.error();
  const Result<ProcStat> stat = parse_proc_stat(*text);
  if (!stat) return in_file(stat.error(), stat_);
  if (stat->start_time_ticks != start_time_ticks_) return gone("another process has this pid now");
  if (stat->start_code != start_code_ || stat->start_stack != start_stack_) {
    return gone("it executed another program meanwhile");
  }
  const auto identity = view.identify(directory_, kExecutable);
  if (!identity && executable_ && identity.error().code != ErrorCode::gone) return identity.error();
  if (identity.ok() != executable_.has_value() || (identity && *identity != *executable_)) {
    return gone("it executed another program meanwhile");
  }
  if (!known_page) return Ok{};
  std::uint64_t word = 0;
  const auto got =
      view.pread(pagemap_, std::as_writable_bytes(std::span{&word, 1}), *known_page * sizeof word);
  if (!got) return got.error();
  if (*got != sizeof word) return gone("the audited address space is gone");
  return Ok{};
}

Result<std::uint64_t> Target::faults(KernelView& view) const {
  std::array<char, 4096> line;  // one line, read once per chunk: worth a single system call
  const auto got = view.pread(stat_, std::as_writable_bytes(std::span{line}), 0);
  if (!got) return got.error();
  const Result<ProcStat> stat = parse_proc_stat({line.data(), *got});
  if (!stat) return in_file(stat.error(), stat_);
  return stat->faults();
}

Result<StatusNumbers> Target::status(KernelView& view) const {
  const Result<std::string> text = read_whole(view, status_);
  if (!text) return text.error();
  const Result<ProcStatus> status = parse_proc_status(*text);
  if (!status) return in_file(status.error(), status_);
  return StatusNumbers{.vm_peak = status->vm_peak,
                       .vm_size = status->vm_size,
                       .vm_hwm = status->vm_hwm,
                       .vm_rss = status->vm_rss,
                       .rss_anon = status->rss_anon,
                       .rss_file = status->rss_file,
                       .rss_shmem = status->rss_shmem,
                       .vm_pte = status->vm_pte,
                       .vm_swap = status->vm_swap,
                       .threads = status->threads};
}

Result<ProcStatm> Target::statm(KernelView& view) const {
  const Result<std::string> text = read_whole(view, statm_);
  if (!text) return text.error();
  Result<ProcStatm> statm = parse_proc_statm(*text);
  if (!statm) return in_file(statm.error(), statm_);
  return statm;
}

}  // namespace smaps_audit
