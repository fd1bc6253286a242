// SPDX-License-Identifier: Apache-2.0
#include "collect/target.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/parse_int.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kReadStep = 4096;

constexpr const char* kExecutable = "exe";

/// hidepid: the process is there, its directory is not. Asked more than once, because a pid that is
/// used again at once may be missing at the first question and there at the second.
Result<KernelFile> open_process(KernelView& view, int pid) {
  constexpr int kTries = 5;
  for (int tried = 1;; ++tried) {
    auto directory = view.open_directory(KernelRoot::proc, std::to_string(pid));
    if (directory || directory.error().code != ErrorCode::gone || !view.process_exists(pid)) {
      return directory;
    }
    if (tried < kTries) continue;
    Error hidden = directory.error();
    hidden.code = ErrorCode::denied;
    hidden.what = "hidden from this user (hidepid)";
    return hidden;
  }
}

Refusal refusal_by(ErrorCode code) {
  switch (code) {
    case ErrorCode::gone: return Refusal::gone;
    case ErrorCode::denied: return Refusal::denied;
    case ErrorCode::unsupported: return Refusal::no_pagemap;
    case ErrorCode::malformed:
    case ErrorCode::truncated: return Refusal::malformed;
    case ErrorCode::deadline:
    case ErrorCode::io:
    case ErrorCode::usage:
    case ErrorCode::diverged: return Refusal::unreadable;
  }
  return Refusal::unreadable;
}

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

Result<std::string> read_file(KernelView& view, KernelRoot root, const std::string& path,
                              std::size_t limit) {
  auto file = view.open(root, path);
  if (!file) return file.error();
  return read_whole(view, *file, limit);
}

Result<std::string> read_file(KernelView& view, const KernelFile& directory,
                              const std::string& path) {
  auto file = view.open_at(directory, path);
  if (!file) return file.error();
  return read_whole(view, *file);
}

Result<Target> Target::open(KernelView& view, int pid, RefusedTarget& refused) {
  Target target;
  target.pid_ = pid;
  const auto refuse = [&](const Error& error) {
    refused = {refusal_by(error.code), error};
    return error;
  };
  auto directory = open_process(view, pid);
  if (!directory) return refuse(directory.error());
  target.directory_ = *std::move(directory);
  auto stat_file = view.open_at(target.directory_, "stat");
  if (!stat_file) return refuse(stat_file.error());
  target.stat_ = *std::move(stat_file);
  const Result<std::string> stat_text = read_whole(view, target.stat_);
  if (!stat_text) return refuse(stat_text.error());
  const Result<ProcStat> stat = parse_proc_stat(*stat_text);
  if (!stat) return refuse(in_file(stat.error(), target.stat_));
  const Result<Ok> opened = target.open_as(view, *stat);
  if (opened) return target;
  const bool zombie = stat->has_exited() && opened.error().code == ErrorCode::gone;
  if (stat->is_kernel_thread() || zombie) {
    refused = {zombie ? Refusal::zombie : Refusal::kernel_thread, opened.error()};
    return opened.error();
  }
  return refuse(opened.error());
}

Result<Ok> Target::open_as(KernelView& view, const ProcStat& stat) {
  comm_ = std::string{stat.comm};
  start_time_ticks_ = stat.start_time_ticks;
  start_code_ = mm_start_code_ = stat.start_code;
  start_stack_ = mm_start_stack_ = stat.start_stack;
  if (stat.is_kernel_thread()) {
    return Error{.code = ErrorCode::unsupported, .what = "kernel thread"};
  }
  if (stat.has_exited() && stat.num_threads <= 1) {
    return Error{.code = ErrorCode::gone, .what = "zombie: its memory is gone"};
  }
  if (const auto identity = view.identify(directory_, kExecutable)) executable_ = *identity;
  return open_files(view, stat.has_exited());
}

/// The files of one task; false if it has no mm (any more).
Result<bool> Target::open_files_of(KernelView& view, const KernelFile& task) {
  struct Wanted {
    const char* name;
    KernelFile* file;
  };
  for (const Wanted& wanted :
       {Wanted{"smaps", &smaps_}, Wanted{"pagemap", &pagemap_}, Wanted{"maps", &maps_},
        Wanted{"status", &status_}, Wanted{"statm", &statm_}}) {
    auto file = view.open_at(task, wanted.name);
    if (!file) {
      const bool missing = file.error().errno_value == ENOENT;
      if (!missing || !read_file(view, task, "stat")) return file.error();
      // The task is there and its file is not: CONFIG_PROC_PAGE_MONITOR is off.
      Error error = file.error();
      error.code = ErrorCode::unsupported;
      return error;
    }
    *wanted.file = *std::move(file);
  }
  // Optional witnesses: their absence is a capability, not a refusal.
  numa_maps_.reset();
  smaps_rollup_.reset();
  if (auto file = view.open_at(task, "numa_maps")) numa_maps_ = *std::move(file);
  if (auto file = view.open_at(task, "smaps_rollup")) smaps_rollup_ = *std::move(file);
  std::array<std::byte, 256> peek;
  const auto got = view.pread(maps_, peek, 0);
  if (!got) return got.error();
  return *got != 0;
}

/// A leader that exited has no mm, but its threads do: then the files of a live thread are used.
/// Since 6.14 such files can't even be opened (ESRCH); before, they are empty.
Result<Ok> Target::open_files(KernelView& view, bool leader_exited) {
  mm_task_ = pid_;
  const Error gone{
      .code = ErrorCode::gone, .what = "it has no address space", .file = directory_.path()};
  Error why = gone;
  if (!leader_exited) {
    const Result<bool> opened = open_files_of(view, directory_);
    if (opened && *opened) return Ok{};
    if (!opened) why = opened.error();
    if (why.code != ErrorCode::gone) return why;
  }
  auto tasks = view.open_directory_at(directory_, "task");
  if (!tasks) return why;
  const auto tids = view.list(*tasks);
  if (!tids) return why;
  for (const std::string& tid : *tids) {
    const auto number = parse_unsigned(tid);
    if (!number || static_cast<int>(*number) == pid_) continue;
    auto thread = view.open_directory_at(*tasks, tid);
    if (!thread) continue;
    const Result<bool> opened = open_files_of(view, *thread);
    if (!opened || !*opened) continue;
    const auto text = read_file(view, *thread, "stat");
    const auto stat = text ? parse_proc_stat(*text) : Result<ProcStat>{text.error()};
    if (!stat) continue;
    mm_task_ = static_cast<int>(*number);
    mm_start_code_ = stat->start_code;
    mm_start_stack_ = stat->start_stack;
    return Ok{};
  }
  return why;
}

Result<Fate> Target::fate(KernelView& view) const {
  const Result<std::string> text = read_whole(view, stat_);
  if (!text && text.error().code == ErrorCode::gone) return Fate::exited;
  if (!text) return text.error();
  const Result<ProcStat> stat = parse_proc_stat(*text);
  if (!stat) return in_file(stat.error(), stat_);
  if (stat->start_time_ticks != start_time_ticks_) return Fate::replaced;
  if (mm_task_ == pid_ && stat->is_exiting()) {
    return stat->num_threads > 1 ? Fate::replaced : Fate::exited;
  }
  if (stat->start_code != start_code_ || stat->start_stack != start_stack_) return Fate::executed;
  const auto identity = view.identify(directory_, kExecutable);
  if (!identity && executable_ && identity.error().code != ErrorCode::gone) return identity.error();
  if (identity.ok() != executable_.has_value() || (identity && *identity != *executable_)) {
    return Fate::executed;
  }
  return Fate::same;
}

Result<Ok> Target::still_same(KernelView& view, std::optional<std::uint64_t> known_page) const {
  const auto gone = [&](std::string what) {
    return Error{.code = ErrorCode::gone, .what = std::move(what), .file = directory_.path()};
  };
  const Result<Fate> now = fate(view);
  if (!now) return now.error();
  switch (*now) {
    case Fate::exited: return gone("it has ended meanwhile");
    case Fate::executed: return gone("it executed another program meanwhile");
    case Fate::replaced:
      return gone("the process that was audited does not have this pid any more");
    case Fate::same: break;
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
