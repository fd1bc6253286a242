// SPDX-License-Identifier: Apache-2.0
#include "daemon/privileges.h"

#include <sys/capability.h>
#include <sys/prctl.h>

#include <array>
#include <cerrno>
#include <memory>
#include <vector>

namespace smaps_audit::service {
namespace {

constexpr std::array<cap_value_t, 3> kReading{CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYS_ADMIN};

struct CapFree {
  void operator()(void* object) const { cap_free(object); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, CapFree>;

Error failed(const char* what) { return error_from_errno(errno, what); }

bool is_reading(cap_value_t value) {
  for (const cap_value_t kept : kReading) {
    if (kept == value) return true;
  }
  return false;
}

// Needs CAP_SETPCAP, which a service with User= lacks: there an exec gains nothing anyway.
void shrink_bounding_set(bool keep_reading) {
  for (cap_value_t value = 0; value <= CAP_LAST_CAP; ++value) {
    if (!keep_reading || !is_reading(value)) cap_drop_bound(value);
  }
}

}  // namespace

Result<Ok> drop_all_capabilities() {
  shrink_bounding_set(false);
  cap_reset_ambient();
  const Capabilities none{cap_init()};
  if (!none || cap_set_proc(none.get()) != 0) return failed("cannot drop the capabilities");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("cannot set no_new_privs");
  return Ok{};
}

Result<Ok> keep_reading_capabilities() {
  shrink_bounding_set(true);
  const Capabilities held{cap_get_proc()};
  const Capabilities kept{cap_init()};
  if (!held || !kept) return failed("cannot read the capabilities");
  std::vector<cap_value_t> ours;
  for (const cap_value_t value : kReading) {
    cap_flag_value_t is_held = CAP_CLEAR;
    cap_get_flag(held.get(), value, CAP_PERMITTED, &is_held);
    if (is_held == CAP_SET) ours.push_back(value);
  }
  for (const cap_flag_t set : {CAP_PERMITTED, CAP_EFFECTIVE, CAP_INHERITABLE}) {
    cap_set_flag(kept.get(), set, static_cast<int>(ours.size()), ours.data(), CAP_SET);
  }
  if (cap_set_proc(kept.get()) != 0) return failed("cannot drop the capabilities");
  for (const cap_value_t value : ours) {
    if (cap_set_ambient(value, CAP_SET) != 0) return failed("cannot keep a capability across exec");
  }
  return Ok{};
}

}  // namespace smaps_audit::service
