// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "base/unique_fd.h"

namespace smaps_audit {

/// A connection to what WebServer::addresses() names; aborts the test program if there is none.
UniqueFd connect_to(const std::string& address);
void send_text(const UniqueFd& connection, const std::string& text);
/// Everything until the other side closes, or until `ending` came.
std::string receive(const UniqueFd& connection, const std::string& ending = {});

/// "METHOD PATH" on a connection of its own, to its end; extra headers end in "\r\n".
std::string ask(const std::string& address, const std::string& method_and_path,
                const std::string& headers = {});
/// The three digits of a response's first line; 0 if it is none.
int status_of(const std::string& response);
std::string body_of(const std::string& response);
std::optional<std::string> header_of(const std::string& response, const std::string& name);

}  // namespace smaps_audit
