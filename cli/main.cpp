// SPDX-License-Identifier: Apache-2.0
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <ostream>
#include <string_view>

#include "cli/audit_target.h"
#include "cli/bounded_audit.h"
#include "cli/environment.h"
#include "cli/exit_code.h"
#include "cli/output.h"
#include "cli/run.h"
#include "collect/live_kernel_view.h"

namespace {

volatile std::sig_atomic_t stop_signal = 0;

extern "C" void on_stop_signal(int signal) { stop_signal = signal; }

// The first one ends the run after the process at hand; a second one ends it at once.
void watch_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A reader that goes away shows as EPIPE, so that temporary files are cleaned up.
  std::signal(SIGPIPE, SIG_IGN);
}

unsigned terminal_columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0;
  return known ? size.ws_col : 80;
}

bool colour_allowed() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view{terminal} == "dumb";
  return (no_colour == nullptr || *no_colour == '\0') && !dumb;
}

std::unique_ptr<smaps_audit::KernelView> open_live(const std::optional<std::string>& proc_root,
                                                   const std::optional<std::string>& sys_root) {
  using smaps_audit::LiveKernelView;
  return std::make_unique<LiveKernelView>(proc_root.value_or(LiveKernelView::kProcRoot),
                                          sys_root.value_or(LiveKernelView::kSysRoot));
}

}  // namespace

int main(int argc, char** argv) {
  smaps_audit::FdStreambuf out_buffer{STDOUT_FILENO};
  smaps_audit::FdStreambuf err_buffer{STDERR_FILENO};
  std::ostream out{&out_buffer};
  std::ostream err{&err_buffer};
  try {
    watch_signals();
    smaps_audit::CliEnvironment environment{
        .out = out,
        .err = err,
        .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
        .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
        .colour_allowed = colour_allowed(),
        .columns = terminal_columns(),
        .own_pid = ::getpid(),
        .open_view = open_live,
        .host = smaps_audit::read_host_info,
        .capabilities = smaps_audit::probe_kernel_capabilities,
        .audit =
            [](smaps_audit::KernelView& view, const smaps_audit::KernelCapabilities& capabilities,
               const smaps_audit::PageGeometry& pages, int pid,
               const smaps_audit::AuditOptions& options) {
              return smaps_audit::audit_bounded(view, capabilities, pages, pid, options);
            },
        .run_probe = smaps_audit::probes::run_probe,
        .stop_signal = [] { return static_cast<int>(stop_signal); },
    };
    const int exit_code = smaps_audit::run_smaps_audit(argc, argv, environment);
    if (smaps_audit::any_audit_stuck()) {
      out.flush();
      err.flush();
      ::_exit(exit_code);
    }
    return exit_code;
  } catch (const std::exception& error) {
    err << "smaps-audit: internal error: " << error.what() << '\n';
    return smaps_audit::kExitInternal;
  }
}
