// SPDX-License-Identifier: Apache-2.0
// P8 of docs/kernel.md §6: FOLL_FORCE reads what PROT_NONE hides, and changes nothing else.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"
#include "probes/ptrace_helper.h"

namespace smaps_audit::probes {
namespace {

constexpr std::size_t kBytes = 2 * kMiB;
constexpr std::size_t kPagesAsked = 8;
constexpr std::size_t kPagesBetween = 17;
constexpr std::uint64_t kSeed = 3000;
constexpr std::uint64_t kWritten = 0x5a5a5a5a;

/// One word of this process by /proc/self/mem; where the kernel forbids force (EIO), by a tracer.
class ForcedAccess {
 public:
  explicit ForcedAccess(ProbeChild& child)
      : helper_(child.setup().proc_root),
        memory_(::open((child.setup().proc_root + "/self/mem").c_str(), O_RDWR | O_CLOEXEC)) {}

  bool read(const std::byte* address, std::uint64_t& word) {
    const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(address));
    if (::pread(memory_.get(), &word, sizeof word, offset) == sizeof word) return true;
    return traced(PtraceHelper::Way::mem_read, PtraceHelper::Way::peek, address, word);
  }
  bool write(std::byte* address, std::uint64_t word) {
    const auto offset = static_cast<off_t>(reinterpret_cast<std::uintptr_t>(address));
    if (::pwrite(memory_.get(), &word, sizeof word, offset) == sizeof word) return true;
    return traced(PtraceHelper::Way::mem_write, PtraceHelper::Way::poke, address, word);
  }
  [[nodiscard]] bool needed_tracer() const { return needed_tracer_; }

 private:
  bool traced(PtraceHelper::Way first, PtraceHelper::Way second, const std::byte* address,
              std::uint64_t& word) {
    needed_tracer_ = true;
    for (const PtraceHelper::Way way : {first, second}) {
      const auto answer = helper_.ask(way, address, word);
      if (!answer || answer->errno_value != 0) continue;
      word = answer->word;
      return true;
    }
    return false;
  }

  PtraceHelper helper_;
  UniqueFd memory_;
  bool needed_tracer_ = false;
};

std::byte* page_asked(Memory memory, std::size_t i) {
  return &memory[i * kPagesBetween * kPageBytes];
}

bool still_hidden(Memory memory) {
  std::byte byte{};
  const iovec local{&byte, 1};
  const iovec remote{memory.data(), 1};
  return ::process_vm_readv(::getpid(), &local, 1, &remote, 1, 0) == -1 && errno == EFAULT;
}

struct Counts {
  std::int64_t read = 0;
  std::int64_t written = 0;
};

Counts force(ForcedAccess& access, Memory memory) {
  Counts counts;
  for (std::size_t i = 0; i < kPagesAsked; ++i) {
    std::uint64_t word = 0;
    const std::uint64_t expected = kSeed + i * kPagesBetween;
    counts.read += access.read(page_asked(memory, i), word) && word == expected ? 1 : 0;
    counts.written += access.write(page_asked(memory, i) + sizeof word, kWritten + i) ? 1 : 0;
  }
  return counts;
}

bool is_as_written(Memory memory) {
  for (std::size_t i = 0; i < kPagesAsked; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, page_asked(memory, i) + sizeof word, sizeof word);
    if (word != kWritten + i) return false;
  }
  return holds_pattern(memory, kSeed);
}

void run(ProbeChild& child) {
  ForcedAccess access{child};
  const std::array memories{ProbeChild::base_memory(kBytes), child.huge_memory(kBytes)};
  Counts counts;
  Counts control;
  for (const Memory memory : memories) {
    write_pattern(memory, kSeed);
    const Counts accessible = force(access, memory);
    protect(memory, PROT_NONE);
    const Counts forced = force(access, memory);
    control = {control.read + accessible.read, control.written + accessible.written};
    counts = {counts.read + forced.read, counts.written + forced.written};
  }
  child.fact("control_read", control.read);
  child.fact("control_written", control.written);
  child.fact("read", counts.read);
  child.fact("written", counts.written);
  child.fact("needed_tracer", access.needed_tracer() ? 1 : 0);
  child.fact("hidden", still_hidden(memories[0]) && still_hidden(memories[1]) ? 1 : 0);
  child.declare("base", Role::subject, memories[0], kBytes);
  child.hold("forced");
  bool intact = true;
  for (const Memory memory : memories) {
    protect(memory, PROT_READ);
    intact = intact && is_as_written(memory);
  }
  child.fact("data_intact", intact ? 1 : 0);
}

Answer judge_force(const Trial& trial) {
  constexpr std::int64_t kWanted = 2 * kPagesAsked;
  const Observation* const seen = trial.find("forced");
  if (seen == nullptr) return inconclusive("the child was not seen after the forced access");
  Answer answer = inconclusive("");
  const std::string all = std::to_string(kWanted);
  answer.expected = all + " words read, " + all + " written, still PROT_NONE";
  const bool hidden = trial.fact("hidden") == 1 && !seen->measures.at(0).accessible;
  answer.observed = std::to_string(trial.fact("read").value_or(0)) + " words read, " +
                    std::to_string(trial.fact("written").value_or(0)) + " written, " +
                    (hidden ? "still PROT_NONE" : "accessible now");
  if (trial.fact("control_read") != kWanted || trial.fact("control_written") != kWanted) {
    answer.reason = "memory that is accessible could not be read and written either";
    return answer;
  }
  if (trial.fact("read") != kWanted || trial.fact("written") != kWanted) {
    answer.reason = "this kernel forbids forced access (proc_mem.force_override)";
    if (trial.fact("read") == 0 && trial.fact("written") == 0) {
      answer.outcome = Outcome::skipped;
    } else {
      answer.outcome = Outcome::fail;
      answer.reason = "forced access reached some pages only";
    }
    return answer;
  }
  answer.outcome = hidden ? Outcome::pass : Outcome::fail;
  answer.reason = !hidden ? "forced access left memory accessible"
                  : trial.fact("needed_tracer") == 1
                      ? "a tracer reads PROT_NONE memory and leaves it as it is"
                      : "the mem file of a process reads PROT_NONE memory and leaves it as it is";
  return answer;
}

Answer judge(const Trial& trial) { return with_data_check(trial, judge_force(trial)); }

}  // namespace

const Probe kFollForce{
    .name = "foll-force",
    .question = "Does forced access read PROT_NONE memory and leave it PROT_NONE?",
    .needs = "transparent huge pages",
    .cost = "4 MiB, 0.1 s",
    .tier = Tier::instant,
    .run = run,
    .judge = judge};

}  // namespace smaps_audit::probes
