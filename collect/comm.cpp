// SPDX-License-Identifier: Apache-2.0
#include "collect/comm.h"

#include "collect/target.h"

namespace smaps_audit {

std::string read_comm(KernelView& view, int pid) {
  std::string comm = read_file(view, KernelRoot::proc, std::to_string(pid) + "/comm").value_or("");
  if (comm.ends_with('\n')) comm.pop_back();
  return comm;
}

}  // namespace smaps_audit
