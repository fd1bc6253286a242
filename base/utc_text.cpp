// SPDX-License-Identifier: Apache-2.0
#include "base/utc_text.h"

#include <ctime>
#include <iomanip>
#include <locale>
#include <sstream>

namespace smaps_audit {

std::string utc_text(std::chrono::nanoseconds since_epoch, const char* format) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(since_epoch).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::ostringstream text;
  text.imbue(std::locale::classic());
  text << std::put_time(&parts, format);
  return text.str();
}

}  // namespace smaps_audit
