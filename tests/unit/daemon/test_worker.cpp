// SPDX-License-Identifier: Apache-2.0
// A worker with a fault of the tester's choice, for the service's tests.
//   test_worker sound | crash | hang | garbage | refuse  [proc root]
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <string_view>

#include "daemon/spawner.h"
#include "daemon/worker.h"

int main(int argc, char** argv) {
  using namespace smaps_audit;
  const std::string_view fault = argc > 1 ? argv[1] : "sound";
  service::WorkerOptions options;
  options.orders = UniqueFd{service::kOrderFd};
  options.answers = UniqueFd{service::kAnswerFd};
  options.scratch = UniqueFd{service::kScratchFd};
  options.heart = UniqueFd{service::kHeartFd};
  if (argc > 2) options.proc_root = argv[2];
#ifdef SMAPS_AUDIT_SANITIZED
  options.sandbox = false;
#endif
  options.once_confined = [fault] {
    if (fault == "crash") ::raise(SIGABRT);
    if (fault == "hang") ::pause();
    if (fault == "garbage") {
      [[maybe_unused]] const auto written = ::write(service::kAnswerFd, "}{\n", 3);
    }
    if (fault == "refuse") ::socket(AF_INET, SOCK_STREAM, 0);
  };
  return service::run_worker(std::move(options));
}
