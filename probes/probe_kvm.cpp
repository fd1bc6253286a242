// SPDX-License-Identifier: Apache-2.0
// P13 of docs/kernel.md §6: does a guest's access through KVM take the hinting fault? A few bytes
// of real-mode code touch one page after the other and report each by an I/O exit.
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "probes/all_probes.h"
#include "probes/child.h"
#include "probes/judge.h"

#if defined(__x86_64__)

namespace smaps_audit::probes {
namespace {

constexpr std::uint64_t kPagesTouched = 160;  // 640 KiB: what real mode reaches below its devices
constexpr std::size_t kGuestBytes = 2 * kMiB;
constexpr std::uint64_t kCodeAddress = 0xe0000;
constexpr std::uint64_t kRoundsAsked = 2;

//   again: mov ax, 0      ax: segment of the page
//   next:  mov ds, ax
//          mov bl, [0]
//          out 0x10, al
//          add ax, 0x100
//          cmp ax, 160 * 0x100
//          jne next
//          jmp again
constexpr std::array<std::uint8_t, 21> kCode{0xb8, 0x00, 0x00,        //
                                             0x8e, 0xd8,              //
                                             0x8a, 0x1e, 0x00, 0x00,  //
                                             0xe6, 0x10,              //
                                             0x05, 0x00, 0x01,        //
                                             0x3d, 0x00, 0xa0,        //
                                             0x75, 0xf0,              //
                                             0xeb, 0xeb};

/// A virtual CPU with the code above.
class Guest {
 public:
  /// Ends the child as skipped or unproven where there can be no guest.
  Guest(ProbeChild& child, Memory memory) {
    kvm_ = UniqueFd{::open("/dev/kvm", O_RDWR | O_CLOEXEC)};
    if (!kvm_) child.skip(std::string{"no usable /dev/kvm: "} + std::strerror(errno));
    vm_ = UniqueFd{::ioctl(kvm_.get(), KVM_CREATE_VM, 0)};
    if (!vm_) child.skip(std::string{"KVM makes no virtual machine: "} + std::strerror(errno));
    code_ = ProbeChild::base_memory(kPageBytes);
    std::memcpy(code_.data(), kCode.data(), kCode.size());
    add_memory(0, 0, memory.first(kPagesTouched * kPageBytes));
    add_memory(1, kCodeAddress, code_);
    cpu_ = UniqueFd{::ioctl(vm_.get(), KVM_CREATE_VCPU, 0)};
    const int size = ::ioctl(kvm_.get(), KVM_GET_VCPU_MMAP_SIZE, 0);
    if (!cpu_ || size <= 0) child.skip("KVM makes no virtual CPU");
    void* const shared = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ | PROT_WRITE,
                                MAP_SHARED, cpu_.get(), 0);
    if (shared == MAP_FAILED) die("mmap of the virtual CPU");
    run_ = static_cast<kvm_run*>(shared);
    // Its first access is a fault of its own, which is none of the guest's.
    static_cast<void>(*static_cast<volatile char*>(shared));
    point_at_code();
  }

  /// Runs until the next page was touched; false if it did anything else.
  bool touch_next() {
    int done = 0;
    do {
      done = ::ioctl(cpu_.get(), KVM_RUN, 0);
    } while (done < 0 && errno == EINTR);
    return done == 0 && run_->exit_reason == KVM_EXIT_IO;
  }
  [[nodiscard]] unsigned exit_reason() const { return run_->exit_reason; }

 private:
  void add_memory(std::uint32_t slot, std::uint64_t at, Memory memory) {
    kvm_userspace_memory_region region{};
    region.slot = slot;
    region.guest_phys_addr = at;
    region.memory_size = memory.size();
    region.userspace_addr = reinterpret_cast<std::uintptr_t>(memory.data());
    if (::ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) die("KVM memory");
  }
  void point_at_code() {
    kvm_sregs special{};
    if (::ioctl(cpu_.get(), KVM_GET_SREGS, &special) != 0) die("KVM_GET_SREGS");
    special.cs.base = kCodeAddress;
    special.cs.selector = static_cast<std::uint16_t>(kCodeAddress >> 4);
    kvm_regs general{};
    general.rflags = 2;
    if (::ioctl(cpu_.get(), KVM_SET_SREGS, &special) != 0 ||
        ::ioctl(cpu_.get(), KVM_SET_REGS, &general) != 0) {
      die("KVM registers");
    }
  }

  UniqueFd kvm_;
  UniqueFd vm_;
  UniqueFd cpu_;
  Memory code_;
  kvm_run* run_ = nullptr;
};

void run(ProbeChild& child) {
  if (::access("/dev/kvm", R_OK | W_OK) != 0) {
    child.skip(std::string{"no usable /dev/kvm: "} + std::strerror(errno));
  }
  ProbeChild::welcome_balancing();
  const HintedMemory hinted = make_hinted(child.balancing(), kGuestBytes, Pages::base);
  if (!hinted.proven) child.unproven(hinted.why);
  Guest guest{child, hinted.memory};
  for (std::uint64_t round = 0; round < kRoundsAsked; ++round) {
    std::int64_t one_each = 0;
    std::int64_t faults = 0;
    for (std::uint64_t page = 0; page < kPagesTouched; ++page) {
      const std::int64_t before = minor_faults_of_thread();
      if (!guest.touch_next()) {
        child.unproven("the guest stopped at page " + std::to_string(page) + ", exit reason " +
                       std::to_string(guest.exit_reason()));
      }
      const std::int64_t taken = minor_faults_of_thread() - before;
      faults += taken;
      one_each += taken == 1 ? 1 : 0;
    }
    const std::string name = round == 0 ? "first" : "second";
    child.fact(name + "_faults", faults);
    child.fact(name + "_single", one_each);
  }
  const Memory beyond = hinted.memory.subspan(kPagesTouched * kPageBytes);
  child.fact("beyond", faults_of_touching(beyond, kPageBytes));
  child.fact("beyond_wanted", static_cast<std::int64_t>(beyond.size() / kPageBytes));
}

Answer judge(const Trial& trial) {
  constexpr auto kAll = static_cast<std::int64_t>(kPagesTouched);
  Answer answer = inconclusive("");
  const std::int64_t first = trial.fact("first_faults").value_or(-1);
  const std::int64_t single = trial.fact("first_single").value_or(-1);
  answer.expected = std::to_string(kAll) + " pages take one fault each, and none again";
  answer.observed = std::to_string(first) + " faults, " + std::to_string(single) +
                    " pages with exactly one; again " +
                    std::to_string(trial.fact("second_faults").value_or(-1));
  if (trial.fact("beyond") != trial.fact("beyond_wanted")) {
    answer.reason = "pages that no guest touched lost their hints";
  } else if (trial.fact("second_faults") != 0) {
    answer.reason = "pages that the guest had touched already took faults again";
  } else if (single == kAll) {
    answer.outcome = Outcome::pass;
    answer.reason = "each hinted page that a guest touches takes its fault";
  } else if (first == 0) {
    answer.outcome = Outcome::fail;
    answer.reason = "a guest's access takes no hinting fault: its memory never migrates";
  } else {
    answer.reason = "some pages took a fault, others not or more";
  }
  return answer;
}

}  // namespace

const Probe kKvmFault{.name = "kvm-fault",
                      .question = "Does a KVM guest's access take the NUMA hinting fault?",
                      .needs = "--allow-sysctl (root), /dev/kvm",
                      .cost = "6 MiB, 1 to 3 s of two CPUs",
                      .tier = Tier::balanced,
                      .uses_balancing = true,
                      .run = run,
                      .judge = judge};

}  // namespace smaps_audit::probes

#else

namespace smaps_audit::probes {
namespace {
void run(ProbeChild& child) { child.skip("the guest's code is for x86-64"); }
Answer judge(const Trial& /*trial*/) { return inconclusive(""); }
}  // namespace

const Probe kKvmFault{.name = "kvm-fault",
                      .question = "Does a KVM guest's access take the NUMA hinting fault?",
                      .needs = "x86-64",
                      .cost = "nothing",
                      .tier = Tier::balanced,
                      .uses_balancing = true,
                      .run = run,
                      .judge = judge};

}  // namespace smaps_audit::probes

#endif
