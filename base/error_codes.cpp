// SPDX-License-Identifier: Apache-2.0
#include "base/error_codes.h"

namespace smaps_audit {

std::string_view name_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::gone: return "gone";
    case ErrorCode::denied: return "denied";
    case ErrorCode::unsupported: return "unsupported";
    case ErrorCode::malformed: return "malformed";
    case ErrorCode::truncated: return "truncated";
    case ErrorCode::deadline: return "deadline";
    case ErrorCode::io: return "io";
    case ErrorCode::usage: return "usage";
    case ErrorCode::diverged: return "diverged";
  }
  return "unknown";
}

}  // namespace smaps_audit
