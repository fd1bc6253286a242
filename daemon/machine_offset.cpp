// SPDX-License-Identifier: Apache-2.0
#include "daemon/machine_offset.h"

#include <systemd/sd-id128.h>

#include <cstdint>

namespace smaps_audit::service {

Nanoseconds offset_of_this_machine(Nanoseconds interval) {
  sd_id128_t ours{};
  sd_id128_t id{};
  if (::sd_id128_from_string("5c1d6f0c6c0a4b7f9a3f7a5b1c2d3e00", &ours) < 0 ||
      ::sd_id128_get_machine_app_specific(ours, &id) < 0) {
    return Nanoseconds{};
  }
  return Nanoseconds{
      static_cast<std::int64_t>(id.qwords[0] % static_cast<std::uint64_t>(interval.count()))};
}

}  // namespace smaps_audit::service
