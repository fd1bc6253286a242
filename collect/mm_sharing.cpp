// SPDX-License-Identifier: Apache-2.0
#include "collect/mm_sharing.h"

#include <set>
#include <utility>
#include <vector>

#include "base/parse_int.h"
#include "parsers/kernel_stat.h"
#include "parsers/proc_stat.h"

namespace smaps_audit {
namespace {

/// What could not be seen in full is looked at again behind this.
constexpr Nanoseconds kPartTrusted = std::chrono::seconds(1);
/// Somebody may end between each list and the look: behind so many it is unknown who is there.
constexpr int kMostLists = 8;

int pid_from(const std::string& name) {
  const auto number = parse_unsigned(name);
  return number && *number <= INT32_MAX ? static_cast<int>(*number) : 0;
}

MmUser look_at_leader_and_threads(KernelView& view, const KernelFile& proc,
                                  const std::string& pid) {
  MmUser user{.at = view.monotonic_now()};
  const auto look = [&](const std::string& task, const std::string& path) {
    const auto text = read_file(view, proc, path + "/stat");
    if (!text) return std::uint64_t{0};
    const auto stat = parse_proc_stat(*text);
    if (!stat) return std::uint64_t{0};
    user.complete = user.kernel_thread = stat->is_kernel_thread();
    if (stat->is_kernel_thread()) return std::uint64_t{0};
    if (stat->has_exited()) {
      user.complete = stat->num_threads <= 1;
      return stat->num_threads;
    }
    user.complete = stat->start_stack != 0;
    user.task = pid_from(task);
    user.start_code = stat->start_code;
    user.start_stack = stat->start_stack;
    return stat->num_threads;
  };
  if (look(pid, pid) <= 1 || user.task != 0) return user;
  auto tasks = view.open_directory_at(proc, pid + "/task");
  const auto tids = tasks ? view.list(*tasks) : Result<std::vector<std::string>>{tasks.error()};
  if (!tids) return user;
  const std::string below = pid + "/task/";
  for (const std::string& tid : *tids) {
    if (tid == pid) continue;
    look(tid, below + tid);
    if (user.task != 0) break;
  }
  return user;
}

/// Of a leader that has exited: the first living thread.
MmUser look_at(KernelView& view, const KernelFile& proc, const std::string& pid) {
  MmUser user = look_at_leader_and_threads(view, proc, pid);
  user.shows_mm = user.task != 0 && user.start_stack != 0;
  return user;
}

enum class Answer : std::uint8_t { no, yes, gone };

Answer shares(KernelView& view, const Target& target, const MmUser& other) {
  if (other.task == 0 || other.start_code != target.start_code() ||
      other.start_stack != target.start_stack()) {
    return Answer::no;
  }
  const auto same = view.same_mm(target.mm_task(), other.task);
  if (!same && same.error().code == ErrorCode::gone) return Answer::gone;
  return !same || *same ? Answer::yes : Answer::no;
}

std::optional<std::uint64_t> read_forks(KernelView& view) {
  const auto text = read_file(view, KernelRoot::proc, "stat");
  if (!text) return std::nullopt;
  const auto stat = parse_kernel_stat(*text);
  // No host made none: it does not count them (gVisor).
  return stat && stat->forks != 0U ? stat->forks : std::nullopt;
}

}  // namespace

bool may_share_mm(KernelView& view, const Target& target) {
  auto proc = view.open_directory(KernelRoot::proc, ".");
  if (!proc) return true;
  std::set<int> looked_at{target.pid()};
  bool shared = false;
  for (int lists = 0; lists < kMostLists; ++lists) {
    const auto entries = view.list(*proc);
    if (!entries) return true;
    view.monotonic_now();  // captures have it here
    bool ended = false;
    for (const std::string& entry : *entries) {
      const int pid = pid_from(entry);
      if (pid == 0 || !looked_at.insert(pid).second) continue;
      const MmUser user = look_at(view, *proc, entry);
      ended = ended || user.may_have_ended();
      if (shared) continue;
      Answer answer = shares(view, target, user);
      // Its thread ended after we saw it; the others may go on.
      if (answer == Answer::gone) {
        const MmUser again = look_at(view, *proc, entry);
        answer = shares(view, target, again);
        ended = ended || again.may_have_ended();
      }
      shared = answer == Answer::yes;
      ended = ended || answer == Answer::gone;
    }
    if (shared || !ended) return shared;
  }
  return true;
}

/// Adds to `present` who is there and not in it yet. Whoever is looked at is so after all were
/// identified: a target that is one of them was there by then.
Result<bool> MmSharing::add_present(KernelView& view, const KernelFile& proc,
                                    std::map<int, Seen>& present) {
  const auto entries = view.list(proc);
  if (!entries) return entries.error();
  bool ended = false;
  std::vector<int> unknown;
  for (const std::string& entry : *entries) {
    const int pid = pid_from(entry);
    if (pid == 0 || present.contains(pid)) continue;
    const auto identity = view.identify(proc, entry);
    if (!identity && identity.error().code == ErrorCode::gone) {
      ended = true;
      continue;
    }
    const auto known = seen_.find(pid);
    if (identity && known != seen_.end() && known->second.identity == *identity) {
      present.insert(seen_.extract(known));
      continue;
    }
    Seen& seen = present[pid];
    seen.known_in = question_;
    if (identity) seen.identity = *identity;
    unknown.push_back(pid);
  }
  for (const int pid : unknown) {
    const Seen& seen = look_again(view, proc, pid, question_, present.at(pid));
    ended = ended || seen.user.may_have_ended();
  }
  return ended;
}

/// False: what is there cannot be told.
bool MmSharing::list(KernelView& view, const KernelFile& proc) {
  forks_.reset();
  const auto forks = read_forks(view);
  std::map<int, Seen> present;
  for (int lists = 0; lists < kMostLists; ++lists) {
    const Result<bool> ended = add_present(view, proc, present);
    if (!ended) return false;
    if (*ended) continue;
    seen_ = std::move(present);
    forks_ = forks;
    return true;
  }
  seen_.merge(present);
  return false;
}

MmSharing::Seen& MmSharing::look_again(KernelView& view, const KernelFile& proc, int pid,
                                       std::uint64_t question, Seen& seen) {
  seen.user = look_at(view, proc, std::to_string(pid));
  seen.looked_in = question;
  return seen;
}

/// The question since which it has been there with the starts that it has now: whoever was looked
/// at before may have had another mm then, of which the target is a later user.
std::uint64_t MmSharing::known_since(const Target& target) {
  const auto known = seen_.find(target.pid());
  if (known == seen_.end()) return question_;
  Seen& self = known->second;
  if (self.user.start_code != target.start_code() ||
      self.user.start_stack != target.start_stack()) {
    self.user.start_code = target.start_code();
    self.user.start_stack = target.start_stack();
    self.known_in = question_;
  }
  return self.known_in;
}

/// nullopt: one that could have shared it has ended, and may have made another.
std::optional<bool> MmSharing::ask(KernelView& view, const KernelFile& proc, const Target& target) {
  const std::uint64_t since = known_since(target);
  const Nanoseconds now = view.monotonic_now();
  bool ended = false;
  for (auto& [pid, seen] : seen_) {
    if (pid == target.pid()) continue;
    const bool stale = !seen.user.complete && now - seen.user.at >= kPartTrusted;
    if (seen.looked_in < since || stale) look_again(view, proc, pid, question_, seen);
    Answer answer = shares(view, target, seen.user);
    // A leader that has exited meanwhile has no mm any more; its threads do.
    const bool same_starts = seen.user.task != 0 && seen.user.start_code == target.start_code() &&
                             seen.user.start_stack == target.start_stack();
    if (answer != Answer::yes && same_starts && seen.looked_in != question_) {
      answer = shares(view, target, look_again(view, proc, pid, question_, seen).user);
      ended = ended || seen.user.may_have_ended();
    }
    if (answer == Answer::yes) return true;
    ended = ended || answer == Answer::gone;
  }
  if (ended) return std::nullopt;
  return false;
}

bool MmSharing::may_be_shared(KernelView& view, const Target& target) {
  ++question_;
  auto proc = view.open_directory(KernelRoot::proc, ".");
  if (!proc) return true;
  bool nobody_came = forks_ && read_forks(view) == forks_;
  for (int lists = 0; lists < kMostLists; ++lists) {
    if (!nobody_came && !list(view, *proc)) return true;
    if (const auto answer = ask(view, *proc, target)) return *answer;
    nobody_came = false;
  }
  return true;
}

}  // namespace smaps_audit
