// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/web_server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "daemon/web/blocked_signals.h"
#include "daemon/web/http_daemon.h"
#include "daemon/web/web_config.h"

namespace smaps_audit {
namespace {

using Clock = ConnectionTable::Clock;

/// How often connections are looked through for those whose time is up.
constexpr std::chrono::milliseconds kHousekeeping{500};
/// So long accepting rests when the process has no descriptor left.
constexpr std::chrono::milliseconds kShortOfDescriptors{100};
constexpr std::chrono::milliseconds kWaitForGate{5};
/// Taken from one listener before the next is looked at.
constexpr int kAcceptedInARow = 32;

Result<std::vector<ListenSocket>> open_all(const WebOptions& options) {
  std::vector<ListenSocket> sockets;
  if (options.systemd_sockets) {
    auto handed_over = sockets_from_systemd();
    if (!handed_over) return handed_over.error();
    sockets = *std::move(handed_over);
  }
  for (const std::string& text : options.listen_addresses) {
    const auto address = parse_listen_address(text);
    if (!address) return address.error();
    auto opened = open_listen_socket(*address, options.unix_group);
    if (!opened) return opened.error();
    sockets.push_back(*std::move(opened));
  }
  if (sockets.empty()) {
    return Error{.code = ErrorCode::usage,
                 .what = "no address to listen on; --no-web does without"};
  }
  return sockets;
}

}  // namespace

class WebServer::Impl {
 public:
  Impl(const WebOptions& options, HttpHandler handler, std::vector<ListenSocket> sockets)
      : web_config_file_(options.web_config_file),
        shared_(std::move(handler), options.limits),
        sockets_(std::move(sockets)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  Result<Ok> start(const PasswordLimits& passwords);
  Result<Ok> reconfigure();
  [[nodiscard]] std::vector<std::string> addresses() const;
  [[nodiscard]] WebCounts counts() const;

 private:
  struct Retired {
    std::unique_ptr<HttpDaemon> daemon;
    Clock::time_point until;
  };

  [[nodiscard]] bool listens_on(PeerKind kind) const;
  Result<Ok> replace_tcp(const std::optional<TlsIdentity>& identity);
  void run();
  bool accept_some(const ListenSocket& socket);
  void admit(UniqueFd connection, PeerKind kind, const sockaddr_storage& address, socklen_t size);
  void keep_house();

  const std::string web_config_file_;
  WebShared shared_;
  std::vector<ListenSocket> sockets_;
  UniqueFd wake_;
  std::atomic<bool> stopping_ = false;
  /// Held while a connection is handed over, and while daemons change.
  std::mutex daemons_mutex_;
  std::unique_ptr<HttpDaemon> tcp_;
  std::unique_ptr<HttpDaemon> unix_;
  std::vector<Retired> retired_;
  /// Of reconfigure() only.
  std::mutex configuring_;
  std::optional<TlsIdentity> identity_;
  std::thread acceptor_;
};

Result<Ok> WebServer::Impl::start(const PasswordLimits& passwords) {
  auto loaded = load_web_config(web_config_file_);
  if (!loaded) return loaded.error();
  auto gate = PasswordGate::create(passwords);
  if (!gate) return gate.error();
  shared_.gate = *std::move(gate);
  if (listens_on(PeerKind::unix_socket)) {
    auto daemon = HttpDaemon::start(shared_, PeerKind::unix_socket, nullptr);
    if (!daemon) return daemon.error();
    unix_ = *std::move(daemon);
  }
  if (const auto replaced = replace_tcp(loaded->tls); !replaced) return replaced.error();
  shared_.set_config(std::move(loaded->config));
  wake_ = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return error_from_errno(errno, "eventfd");
  const BlockedSignals blocked;
  try {
    acceptor_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    return error_from_errno(error.code().value(), "cannot start the thread that accepts");
  }
  return Ok{};
}

bool WebServer::Impl::listens_on(PeerKind kind) const {
  return std::any_of(sockets_.begin(), sockets_.end(),
                     [&](const ListenSocket& socket) { return socket.kind() == kind; });
}

WebServer::Impl::~Impl() {
  stopping_ = true;
  if (acceptor_.joinable()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
    acceptor_.join();
  }
  // libmicrohttpd aborts when a daemon is stopped that has connections at rest.
  if (shared_.gate) shared_.gate->close();
  const auto at_rest = [](const std::unique_ptr<HttpDaemon>& daemon) {
    return daemon && !daemon->may_stop();
  };
  while (at_rest(tcp_) || at_rest(unix_) ||
         std::any_of(retired_.begin(), retired_.end(),
                     [&](const Retired& retired) { return at_rest(retired.daemon); })) {
    std::this_thread::sleep_for(kWaitForGate);
  }
  // While all members are still there: a handler may be at work.
  tcp_.reset();
  unix_.reset();
  retired_.clear();
}

Result<Ok> WebServer::Impl::replace_tcp(const std::optional<TlsIdentity>& identity) {
  if (!listens_on(PeerKind::tcp)) return Ok{};
  auto fresh = HttpDaemon::start(shared_, PeerKind::tcp, identity ? &*identity : nullptr);
  if (!fresh) return fresh.error();
  const std::lock_guard lock(daemons_mutex_);
  tcp_.swap(*fresh);
  identity_ = identity;
  if (*fresh) {
    (*fresh)->retire();
    retired_.push_back({.daemon = *std::move(fresh),
                        .until = Clock::now() + shared_.limits.answer + shared_.limits.idle});
  }
  return Ok{};
}

Result<Ok> WebServer::Impl::reconfigure() {
  const std::lock_guard lock(configuring_);
  auto loaded = load_web_config(web_config_file_);
  if (!loaded) return loaded.error();
  const bool same = identity_.has_value() == loaded->tls.has_value() &&
                    (!identity_ || identity_->same_material(*loaded->tls));
  if (!same) {
    if (const auto replaced = replace_tcp(loaded->tls); !replaced) return replaced.error();
  }
  shared_.set_config(std::move(loaded->config));
  return Ok{};
}

std::vector<std::string> WebServer::Impl::addresses() const {
  std::vector<std::string> texts;
  texts.reserve(sockets_.size());
  for (const ListenSocket& socket : sockets_) texts.push_back(socket.text());
  return texts;
}

WebCounts WebServer::Impl::counts() const {
  WebCounts counts;
  counts.open_connections = shared_.table.size();
  shared_.counters.add_to(counts);
  return counts;
}

void WebServer::Impl::run() {
  std::vector<pollfd> watched;
  watched.reserve(sockets_.size() + 1);
  for (const ListenSocket& socket : sockets_) watched.push_back({socket.fd(), POLLIN, 0});
  watched.push_back({wake_.get(), POLLIN, 0});
  while (!stopping_) {
    const int ready =
        ::poll(watched.data(), watched.size(), static_cast<int>(kHousekeeping.count()));
    for (std::size_t i = 0; ready > 0 && i < sockets_.size(); ++i) {
      if (watched[i].revents == 0) continue;
      if (!accept_some(sockets_[i])) std::this_thread::sleep_for(kShortOfDescriptors);
    }
    keep_house();
  }
}

bool WebServer::Impl::accept_some(const ListenSocket& socket) {
  for (int i = 0; i < kAcceptedInARow; ++i) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    UniqueFd connection(::accept4(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size,
                                  SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (connection) {
      admit(std::move(connection), socket.kind(), address,
            std::min<socklen_t>(size, sizeof address));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return false;
    } else if (errno == EAGAIN) {
      return true;
    }
  }
  return true;
}

void WebServer::Impl::admit(UniqueFd connection, PeerKind kind, const sockaddr_storage& address,
                            socklen_t size) {
  const std::lock_guard lock(daemons_mutex_);
  HttpDaemon& daemon = kind == PeerKind::tcp ? *tcp_ : *unix_;
  switch (shared_.table.admit(connection.get(), kind, client_address(address), daemon.id(),
                              Clock::now())) {
    case Admission::total_limit: ++shared_.counters.refused_total_limit; return;
    case Admission::address_limit: ++shared_.counters.refused_address_limit; return;
    case Admission::admitted_after_eviction: ++shared_.counters.evicted; break;
    case Admission::admitted: break;
  }
  ++shared_.counters.accepted;
  daemon.add(std::move(connection), address, size);
}

void WebServer::Impl::keep_house() {
  const Clock::time_point now = Clock::now();
  shared_.counters.expired += shared_.table.expire(now);
  std::vector<Retired> ended;
  {
    const std::lock_guard lock(daemons_mutex_);
    const auto over = [&](const Retired& retired) {
      const bool empty = shared_.table.size_of(retired.daemon->id()) == 0;
      return (empty || now >= retired.until) && retired.daemon->may_stop();
    };
    const auto first = std::stable_partition(retired_.begin(), retired_.end(), std::not_fn(over));
    std::move(first, retired_.end(), std::back_inserter(ended));
    retired_.erase(first, retired_.end());
  }
}

WebServer::WebServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebServer::~WebServer() = default;

Result<std::unique_ptr<WebServer>> WebServer::start(const WebOptions& options,
                                                    HttpHandler handler) {
  auto sockets = open_all(options);
  if (!sockets) return sockets.error();
  auto impl = std::make_unique<Impl>(options, std::move(handler), *std::move(sockets));
  if (const auto started = impl->start(options.passwords); !started) return started.error();
  return std::unique_ptr<WebServer>(new WebServer(std::move(impl)));
}

Result<Ok> WebServer::reconfigure() { return impl_->reconfigure(); }
std::vector<std::string> WebServer::addresses() const { return impl_->addresses(); }
WebCounts WebServer::counts() const { return impl_->counts(); }

}  // namespace smaps_audit
