// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/http_daemon.h"

#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include <array>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "daemon/web/blocked_signals.h"

namespace smaps_audit {
namespace {

constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "
    "data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
constexpr const char* kChallenge = "Basic realm=\"smaps-auditd\", charset=\"UTF-8\"";
constexpr const char* kRetryAfterSeconds = "10";
/// Beyond what the table admits, so that the library's own limit is never the one that is met.
constexpr unsigned kSpareConnections = 64;

int fd_of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* const info =
      ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
  return info == nullptr ? -1 : info->connect_fd;
}

std::string priorities_of(const TlsConfig& config) {
  std::string text = "NORMAL:-VERS-ALL";
  if (config.max_version >= TlsVersion::tls13) text += ":+VERS-TLS1.3";
  if (config.min_version <= TlsVersion::tls12) text += ":+VERS-TLS1.2";
  return text;
}

MHD_Response* response_of(const std::shared_ptr<const std::string>& body) {
  auto* const held = new std::shared_ptr<const std::string>(body);
  MHD_Response* const made = ::MHD_create_response_from_buffer_with_free_callback_cls(
      (*held)->size(), const_cast<char*>((*held)->data()),
      [](void* cls) { delete static_cast<std::shared_ptr<const std::string>*>(cls); }, held);
  if (made == nullptr) delete held;
  return made;
}

std::atomic<std::uint64_t> next_id = 1;

}  // namespace

/// One request, from its headers to the end of its answer.
struct HttpDaemon::Exchange {
  HttpRequest request;
  PathClass path_class = PathClass::other;
  bool whole = false;  ///< the second call came: no body will
  bool asked_gate = false;
  PasswordAnswer gate_answer = PasswordAnswer::unknown;
};

/// What libmicrohttpd calls; nothing may be thrown through it.
struct HttpDaemon::Callbacks {
  static MHD_Result request(void* self, MHD_Connection* connection, const char* url,
                            const char* method, const char*, const char*, size_t* body_size,
                            void** context) {
    try {
      const bool has_body = *body_size > 0;
      return static_cast<HttpDaemon*>(self)->on_request(connection, url, method, has_body,
                                                        context) != 0
                 ? MHD_YES
                 : MHD_NO;
    } catch (...) {
      return MHD_NO;
    }
  }

  static void* request_line(void* self, const char*, MHD_Connection* connection) {
    static_cast<HttpDaemon*>(self)->shared_.table.request_begun(fd_of(connection),
                                                                ConnectionTable::Clock::now());
    return nullptr;
  }

  static void completed(void* self, MHD_Connection* connection, void** context,
                        MHD_RequestTerminationCode) {
    delete static_cast<Exchange*>(*context);
    *context = nullptr;
    static_cast<HttpDaemon*>(self)->shared_.table.answered(fd_of(connection),
                                                           ConnectionTable::Clock::now());
  }

  static void connection(void* self, MHD_Connection* connection, void**,
                         MHD_ConnectionNotificationCode code) {
    if (code != MHD_CONNECTION_NOTIFY_CLOSED) return;
    const HttpDaemon& daemon = *static_cast<HttpDaemon*>(self);
    const ConnectionTable::Seen seen = daemon.shared_.table.leave(fd_of(connection));
    if (daemon.encrypted_ && !seen.any_request_line) {
      ++daemon.shared_.counters.tls_failures;
    } else if (seen.within_request) {
      ++daemon.shared_.counters.incomplete;
    }
  }

  __attribute__((format(printf, 2, 0))) static void log(void* self, const char* format,
                                                        std::va_list arguments) {
    auto& daemon = *static_cast<HttpDaemon*>(self);
    std::array<char, 512> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    const std::lock_guard lock(daemon.log_mutex_);
    if (daemon.daemon_ == nullptr && daemon.start_log_.empty()) daemon.start_log_ = line.data();
  }

  static MHD_Result argument(void* request, MHD_ValueKind, const char* key, const char* value) {
    static_cast<HttpRequest*>(request)->query.emplace_back(key, value == nullptr ? "" : value);
    return MHD_YES;
  }
};

HttpDaemon::HttpDaemon(WebShared& shared, PeerKind peer, bool encrypted,
                       bool clients_show_certificates)
    : shared_(shared),
      peer_(peer),
      encrypted_(encrypted),
      clients_show_certificates_(clients_show_certificates),
      id_(next_id.fetch_add(1)) {}

Result<std::unique_ptr<HttpDaemon>> HttpDaemon::start(WebShared& shared, PeerKind peer,
                                                      const TlsIdentity* identity) {
  const bool clients =
      identity != nullptr && identity->config.clients == ClientCertificates::required;
  std::unique_ptr<HttpDaemon> made(new HttpDaemon(shared, peer, identity != nullptr, clients));
  unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
                   MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
  std::array<MHD_OptionItem, 5> tls{{{MHD_OPTION_END, 0, nullptr}}};
  const std::string priorities = identity == nullptr ? "" : priorities_of(identity->config);
  const auto text = [](const std::string& pem) { return const_cast<char*>(pem.c_str()); };
  if (identity != nullptr) {
    flags |= MHD_USE_TLS;
    tls = {{{MHD_OPTION_HTTPS_MEM_KEY, 0, text(identity->key)},
            {MHD_OPTION_HTTPS_MEM_CERT, 0, text(identity->certificate)},
            {MHD_OPTION_HTTPS_PRIORITIES, 0, text(priorities)},
            {clients ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, text(identity->client_ca)},
            {MHD_OPTION_END, 0, nullptr}}};
  }
  const BlockedSignals blocked;
  MHD_Daemon* const daemon = ::MHD_start_daemon(
      flags, 0, nullptr, nullptr, &Callbacks::request, made.get(), MHD_OPTION_EXTERNAL_LOGGER,
      &Callbacks::log, made.get(), MHD_OPTION_ARRAY, tls.data(), MHD_OPTION_CONNECTION_LIMIT,
      static_cast<unsigned>(shared.limits.connections) + kSpareConnections,
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(shared.limits.idle.count()),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, shared.limits.request_bytes, MHD_OPTION_STRICT_FOR_CLIENT,
      1, MHD_OPTION_URI_LOG_CALLBACK, &Callbacks::request_line, made.get(),
      MHD_OPTION_NOTIFY_COMPLETED, &Callbacks::completed, made.get(), MHD_OPTION_NOTIFY_CONNECTION,
      &Callbacks::connection, made.get(), MHD_OPTION_END);
  if (daemon == nullptr) {
    const std::lock_guard lock(made->log_mutex_);
    std::string why = made->start_log_;
    while (!why.empty() && (why.back() == '\n' || why.back() == '.')) why.pop_back();
    if (identity == nullptr) return error_from_errno(errno, "libmicrohttpd does not start: " + why);
    return Error{.code = ErrorCode::usage,
                 .what = "TLS does not start: no pair of PEM certificate and unencrypted key" +
                         (why.empty() ? "" : " (" + why + ")"),
                 .file = identity->config.cert_file};
  }
  const std::lock_guard lock(made->log_mutex_);
  made->daemon_ = daemon;
  return made;
}

HttpDaemon::~HttpDaemon() {
  if (daemon_ != nullptr) ::MHD_stop_daemon(daemon_);
}

void HttpDaemon::add(UniqueFd connection, const sockaddr_storage& address, socklen_t address_size) {
  const int fd = connection.release();
  const auto* const where = reinterpret_cast<const sockaddr*>(&address);
  // Closes it in any case. What fails later is cleaned up by the table when the number comes again.
  if (::MHD_add_connection(daemon_, fd, where, address_size) != MHD_YES) shared_.table.leave(fd);
}

int HttpDaemon::on_request(MHD_Connection* connection, const char* url, const char* method,
                           bool has_body, void** context) {
  auto* exchange = static_cast<Exchange*>(*context);
  if (exchange == nullptr) {
    auto fresh = std::make_unique<Exchange>();
    fresh->request.path = url;
    fresh->request.peer = peer_;
    fresh->request.encrypted = encrypted_;
    fresh->request.head = std::strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    fresh->path_class = path_class_of(fresh->request.path);
    const bool get = std::strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    *context = exchange = fresh.release();
    shared_.table.request_whole(fd_of(connection), ConnectionTable::Clock::now());
    if (!get && !exchange->request.head) {
      return send(connection, *exchange, text_response(405, "only GET and HEAD"),
                  MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    ::MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, &Callbacks::argument,
                                &exchange->request);
    const char* const length =
        ::MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if ((length != nullptr && std::strcmp(length, "0") != 0) ||
        ::MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
                                      MHD_HTTP_HEADER_TRANSFER_ENCODING) != nullptr) {
      return send(connection, *exchange, text_response(413, "a request has no body here"),
                  MHD_HTTP_HEADER_CONNECTION, "close");
    }
    return 1;
  }
  if (has_body) return 0;
  if (clients_show_certificates_ && !client_certificate_is_good(connection)) {
    return send(connection, *exchange,
                text_response(403, "no client certificate of client_ca_file"),
                MHD_HTTP_HEADER_CONNECTION, "close");
  }
  return authenticate(connection, *exchange);
}

int HttpDaemon::authenticate(MHD_Connection* connection, Exchange& exchange) {
  const std::shared_ptr<const WebConfig> config = shared_.config();
  if (peer_ == PeerKind::unix_socket || config->users.empty()) return answer(connection, exchange);
  if (!exchange.asked_gate) return ask_the_gate(connection, exchange, *config);
  switch (exchange.gate_answer) {
    case PasswordAnswer::right:
      exchange.request.authenticated = true;
      return answer(connection, exchange);
    case PasswordAnswer::wrong:
      ++shared_.counters.auth_failures;
      return send(connection, exchange, text_response(401, "wrong user or password"),
                  MHD_HTTP_HEADER_WWW_AUTHENTICATE, kChallenge);
    case PasswordAnswer::too_many:
      ++shared_.counters.auth_refused;
      return send(connection, exchange,
                  text_response(429, "too many wrong passwords from this address"),
                  MHD_HTTP_HEADER_RETRY_AFTER, kRetryAfterSeconds);
    case PasswordAnswer::unknown:
    case PasswordAnswer::overloaded: break;
  }
  ++shared_.counters.auth_refused;
  return send(connection, exchange, text_response(503, "too many passwords to check"),
              MHD_HTTP_HEADER_RETRY_AFTER, kRetryAfterSeconds);
}

int HttpDaemon::ask_the_gate(MHD_Connection* connection, Exchange& exchange,
                             const WebConfig& config) {
  const char* const header =
      ::MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
  auto credentials = header == nullptr ? std::nullopt : parse_basic_authorization(header);
  if (!credentials) {
    return send(connection, exchange, text_response(401, "user and password wanted"),
                MHD_HTTP_HEADER_WWW_AUTHENTICATE, kChallenge);
  }
  exchange.asked_gate = true;
  const ClientAddress from = shared_.table.address_of(fd_of(connection));
  exchange.gate_answer = shared_.gate->recall(config.users, *credentials, from);
  if (exchange.gate_answer != PasswordAnswer::unknown) {
    wipe(credentials->password);
    return authenticate(connection, exchange);
  }
  // The connection rests, and the exchange with it, until the gate has answered.
  ::MHD_suspend_connection(connection);
  ++suspended_;
  shared_.gate->submit(config.users, *credentials, from,
                       [this, connection, waiting = &exchange](PasswordAnswer found) {
                         waiting->gate_answer = found;
                         ::MHD_resume_connection(connection);
                         --suspended_;
                       });
  wipe(credentials->password);
  return 1;
}

int HttpDaemon::answer(MHD_Connection* connection, Exchange& exchange) {
  HttpResponse response;
  try {
    response = shared_.handler(exchange.request);
  } catch (const std::exception&) {
    response = text_response(500, "this answer could not be made");
  }
  return send(connection, exchange, response);
}

int HttpDaemon::send(MHD_Connection* connection, const Exchange& exchange,
                     const HttpResponse& response, const char* extra_name,
                     const char* extra_value) {
  static const auto kNothing = std::make_shared<const std::string>();
  MHD_Response* const made = response_of(response.body ? response.body : kNothing);
  if (made == nullptr) return 0;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) ::MHD_add_response_header(made, name, value.c_str());
  };
  add(MHD_HTTP_HEADER_CONTENT_TYPE, response.content_type);
  add("X-Content-Type-Options", "nosniff");
  add(MHD_HTTP_HEADER_CACHE_CONTROL, response.cache_control);
  if (response.content_type.starts_with("text/html")) {
    add("Content-Security-Policy", kPagePolicy);
    add("Referrer-Policy", "no-referrer");
  }
  for (const auto& [name, value] : shared_.config()->headers) add(name.c_str(), value);
  if (extra_name != nullptr) add(extra_name, extra_value);
  const bool closes =
      extra_name != nullptr && std::strcmp(extra_name, MHD_HTTP_HEADER_CONNECTION) == 0;
  if (retired_ && !closes) add(MHD_HTTP_HEADER_CONNECTION, "close");
  const MHD_Result queued = ::MHD_queue_response(connection, response.status, made);
  ::MHD_destroy_response(made);
  if (queued == MHD_YES) shared_.counters.count_request(exchange.path_class, response.status);
  return queued == MHD_YES ? 1 : 0;
}

bool HttpDaemon::client_certificate_is_good(MHD_Connection* connection) const {
  const MHD_ConnectionInfo* const info =
      ::MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
  if (info == nullptr || info->tls_session == nullptr) return false;
  unsigned status = 0;
  return ::gnutls_certificate_verify_peers2(static_cast<gnutls_session_t>(info->tls_session),
                                            &status) == 0 &&
         status == 0;
}

}  // namespace smaps_audit
