// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "daemon/web/bind_address.h"

namespace smaps_audit {
namespace {

constexpr int kBacklog = 512;
constexpr mode_t kUnixMode = 0660;

/// The one place where the address families' types meet the kernel's.
template <class T>
const sockaddr* as_sockaddr(const T& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

std::string remedy(int errno_value) {
  switch (errno_value) {
    case EADDRINUSE: return "something listens there already: stop it, or choose another port";
    case EADDRNOTAVAIL: return "this machine has no such address";
    case EACCES: return "ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one";
    case EAFNOSUPPORT: return "this kernel lacks this kind of address: leave it out";
    default: return {};
  }
}

std::string unix_remedy(int errno_value) {
  switch (errno_value) {
    case ENOENT: return "its directory must exist (RuntimeDirectory= of the unit makes it)";
    case EACCES:
    case EROFS: return "its directory must be writable for this process";
    default: return {};
  }
}

Error cannot_listen(int errno_value, const std::string& address, const std::string& what_to_do) {
  return error_from_errno(errno_value,
                          "cannot listen" + (what_to_do.empty() ? "" : ": " + what_to_do), address);
}

std::string bound_text(int fd, const std::string& host) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  std::array<char, NI_MAXHOST> name{};
  std::array<char, NI_MAXSERV> port{};
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0 ||
      ::getnameinfo(as_sockaddr(bound), size, name.data(), name.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return host;
  }
  const std::string number(name.data());
  const bool v6 = bound.ss_family == AF_INET6;
  return (v6 ? "[" + number + "]" : number) + ":" + port.data();
}

struct AddressInfoDeleter {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Result<ListenSocket> bind_tcp(const ListenAddress& address, const std::string& host,
                              bool dual_stack) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(address.port).c_str(), &hints, &list) != 0) {
    return Error{.code = ErrorCode::usage,
                 .what = "not a numeric address; write the address instead of a name",
                 .file = address.text};
  }
  const std::unique_ptr<addrinfo, AddressInfoDeleter> found(list);
  UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return cannot_listen(errno, address.text, remedy(errno));
  const int on = 1;
  const int v6_only = dual_stack ? 0 : 1;
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (found->ai_family == AF_INET6 &&
       ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only) != 0) ||
      ::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(fd.get(), kBacklog) != 0) {
    return cannot_listen(errno, address.text, remedy(errno));
  }
  std::string text = bound_text(fd.get(), address.text);
  return ListenSocket(std::move(fd), PeerKind::tcp, std::move(text));
}

Result<ListenSocket> open_tcp(const ListenAddress& address) {
  if (!address.host.empty()) return bind_tcp(address, address.host, false);
  auto both = bind_tcp(address, "::", true);
  if (both ||
      (both.error().errno_value != EAFNOSUPPORT && both.error().errno_value != EADDRNOTAVAIL)) {
    return both;
  }
  return bind_tcp(address, "0.0.0.0", false);
}

Result<gid_t> group_id(const std::string& name, const std::string& address) {
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) {
    return Error{.code = ErrorCode::usage,
                 .what = "there is no group \"" + name +
                         "\": systemd-sysusers makes it, or name another in the configuration",
                 .file = address};
  }
  return found->gr_gid;
}

/// Removes what a dead process left at the path; an error where something else is there.
std::optional<Error> clear_path(const ListenAddress& address, const sockaddr_un& where) {
  struct stat status {};
  if (::lstat(address.path.c_str(), &status) != 0) return std::nullopt;
  if (!S_ISSOCK(status.st_mode)) {
    return Error{.code = ErrorCode::usage,
                 .what = "cannot listen: something that is not a socket is there",
                 .file = address.text};
  }
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe) return cannot_listen(errno, address.text, {});
  const int connected = ::connect(probe.get(), as_sockaddr(where), sizeof where);
  if (connected == 0 || errno != ECONNREFUSED) {
    return cannot_listen(EADDRINUSE, address.text, "another process listens there");
  }
  if (::unlink(address.path.c_str()) != 0) {
    return cannot_listen(errno, address.text, "what a former process left there can't be removed");
  }
  return std::nullopt;
}

Result<ListenSocket> open_unix(const ListenAddress& address, const std::string& group_name) {
  sockaddr_un where{};
  where.sun_family = AF_UNIX;
  if (address.path.size() >= sizeof where.sun_path) {
    return cannot_listen(
        ENAMETOOLONG, address.text,
        "a socket's path has at most " + std::to_string(sizeof where.sun_path - 1) + " bytes");
  }
  std::memcpy(where.sun_path, address.path.data(), address.path.size());
  gid_t group_of_socket = static_cast<gid_t>(-1);
  if (!group_name.empty()) {
    const auto found = group_id(group_name, address.text);
    if (!found) return found.error();
    group_of_socket = *found;
  }
  if (const auto error = clear_path(address, where)) return *error;
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), as_sockaddr(where), sizeof where) != 0) {
    return cannot_listen(errno, address.text, unix_remedy(errno));
  }
  // From here on the file is ours to remove. Nobody can connect before listen().
  ListenSocket made(std::move(fd), PeerKind::unix_socket, address.text, address.path);
  if (!group_name.empty() &&
      ::chown(address.path.c_str(), static_cast<uid_t>(-1), group_of_socket) != 0) {
    return cannot_listen(errno, address.text,
                         "the service's user must be in group \"" + group_name + "\"");
  }
  if (::chmod(address.path.c_str(), kUnixMode) != 0 || ::listen(made.fd(), kBacklog) != 0) {
    return cannot_listen(errno, address.text, {});
  }
  return made;
}

}  // namespace

ListenSocket::ListenSocket(UniqueFd fd, PeerKind kind, std::string text, std::string owned_path)
    : fd_(std::move(fd)), kind_(kind), text_(std::move(text)), owned_path_(std::move(owned_path)) {
  struct stat status {};
  if (owned_path_.empty() || ::lstat(owned_path_.c_str(), &status) != 0) return;
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      kind_(other.kind_),
      text_(std::move(other.text_)),
      owned_path_(std::exchange(other.owned_path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListenSocket::~ListenSocket() {
  struct stat status {};
  if (owned_path_.empty() || ::lstat(owned_path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(owned_path_.c_str());
}

Result<ListenSocket> open_listen_socket(const ListenAddress& address,
                                        const std::string& unix_group) {
  if (address.kind == PeerKind::unix_socket) return open_unix(address, unix_group);
  return open_tcp(address);
}

Result<std::vector<ListenSocket>> sockets_from_systemd() {
  const std::string name = "socket activation";
  const int count = ::sd_listen_fds(1);
  if (count < 0) return error_from_errno(-count, "sd_listen_fds", name);
  if (count == 0) {
    return Error{
        .code = ErrorCode::usage,
        .what = "systemd handed over no socket: start smaps-auditd.socket, or name addresses",
        .file = name};
  }
  std::vector<UniqueFd> owned;
  owned.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) owned.emplace_back(SD_LISTEN_FDS_START + i);
  std::vector<ListenSocket> sockets;
  sockets.reserve(owned.size());
  for (UniqueFd& fd : owned) {
    const bool unix_socket = ::sd_is_socket(fd.get(), AF_UNIX, SOCK_STREAM, 1) > 0;
    const bool tcp = ::sd_is_socket(fd.get(), AF_INET, SOCK_STREAM, 1) > 0 ||
                     ::sd_is_socket(fd.get(), AF_INET6, SOCK_STREAM, 1) > 0;
    if (!unix_socket && !tcp) {
      return Error{.code = ErrorCode::usage,
                   .what = "descriptor " + std::to_string(fd.get()) +
                           " is no listening stream socket: the socket unit needs ListenStream=",
                   .file = name};
    }
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
      return error_from_errno(errno, "fcntl", name);
    }
    std::string text = unix_socket ? "unix socket of systemd" : bound_text(fd.get(), name);
    sockets.emplace_back(std::move(fd), unix_socket ? PeerKind::unix_socket : PeerKind::tcp,
                         std::move(text));
  }
  return sockets;
}

}  // namespace smaps_audit
