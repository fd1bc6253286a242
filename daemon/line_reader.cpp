// SPDX-License-Identifier: Apache-2.0
#include "daemon/line_reader.h"

#include <unistd.h>

#include <array>
#include <cerrno>

#include "daemon/protocol.h"

namespace smaps_audit::service {

LineReader::State LineReader::fill() {
  std::array<char, 65536> chunk{};
  const ssize_t size = ::read(descriptor_, chunk.data(), chunk.size());
  if (size < 0) return errno == EINTR || errno == EAGAIN ? State::open : State::ended;
  if (size == 0) return State::ended;
  buffer_.append(chunk.data(), static_cast<std::size_t>(size));
  return buffer_.size() > kLongestLine + chunk.size() ? State::too_long : State::open;
}

std::optional<std::string> LineReader::take() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched_);
    if (end == std::string::npos) {
      searched_ = buffer_.size();
      return std::nullopt;
    }
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    searched_ = 0;
    if (!line.empty()) return line;
  }
}

std::optional<std::string> LineReader::next() {
  for (;;) {
    if (auto line = take()) return line;
    if (fill() != State::open) return std::nullopt;
  }
}

}  // namespace smaps_audit::service
