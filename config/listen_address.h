// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "config/settings.h"

namespace smaps_audit {

/// "127.0.0.1:19755", "localhost:19755", "[::1]:19755", ":19755", "unix:/run/x.sock". Nothing is
/// looked up. Error `usage` says what would be right.
Result<ListenAddress> parse_listen_address(std::string_view text);
std::string listen_address_text(const ListenAddress& address);

}  // namespace smaps_audit
