// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace smaps_audit {

/// The uid of a user's name, or of a number, which need not be anybody's; nullopt: there is no such
/// user. Asks the name service, which may ask the network.
std::optional<std::uint32_t> find_user(const std::string& word);

}  // namespace smaps_audit
