// SPDX-License-Identifier: Apache-2.0
#include "probes/runner.h"

#include <utility>

#include "probes/child_process.h"
#include "probes/judge.h"

namespace smaps_audit::probes {
namespace {

using std::chrono::steady_clock;

std::string seconds_text(std::chrono::nanoseconds duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count()) + " s";
}

/// One child from its first message to its last.
class Dialogue {
 public:
  Dialogue(const ProbeEnvironment& environment, const Probe& probe, ChildProcess& child,
           std::chrono::nanoseconds deadline)
      : environment_(environment),
        probe_(probe),
        child_(child),
        patience_(deadline),
        deadline_(steady_clock::now() + deadline) {}

  Answer run() {
    while (!answer_) {
      auto message = child_.next(deadline_, environment_.stopped);
      if (!message) return give_up(message.error());
      std::visit([this](auto& said) { on(said); }, *message);
    }
    return *std::move(answer_);
  }

 private:
  void on(RegionTruth& region) { regions_.push_back(std::move(region)); }
  void on(const Fact& fact) { trial_.facts[fact.name] = fact.value; }
  void on(const ForgetRegions& /*none*/) { regions_.clear(); }
  void on(const Hold& hold) {
    Measurer measurer{environment_, child_.pid(), regions_, trial_.facts};
    trial_.observations.push_back(probe_.observe != nullptr ? probe_.observe(measurer, hold.state)
                                                            : measurer.still(hold.state));
    if (measurer.error() != nullptr && !reading_) reading_ = *measurer.error();
    child_.go_on();
  }
  void on(const End& end) {
    if (end.outcome) {
      answer_ = inconclusive(end.reason);
      answer_->outcome = *end.outcome;
    } else if (reading_) {
      answer_ = inconclusive("the child could not be read: " + reading_->message());
    } else {
      answer_ = probe_.judge(trial_);
    }
  }

  Answer give_up(const Error& error) {
    switch (error.code) {
      case ErrorCode::deadline:
        return inconclusive("the probe's child did not answer within " + seconds_text(patience_));
      case ErrorCode::usage: return inconclusive("interrupted");
      default: return inconclusive(error.message());
    }
  }

  const ProbeEnvironment& environment_;
  const Probe& probe_;
  ChildProcess& child_;
  std::chrono::nanoseconds patience_;
  steady_clock::time_point deadline_;
  std::vector<RegionTruth> regions_;
  Trial trial_;
  std::optional<Error> reading_;
  std::optional<Answer> answer_;
};

}  // namespace

ProbeResult run_probe(const ProbeEnvironment& environment, const Probe& probe,
                      const ProbeSetup& setup, std::chrono::nanoseconds deadline) {
  const steady_clock::time_point begun = steady_clock::now();
  ProbeResult result;
  result.probe = probe.name;
  auto child = ChildProcess::spawn(environment.view, probe, setup);
  if (child) {
    result.answer = Dialogue{environment, probe, *child, deadline}.run();
    const ChildProcess::Cost cost = child->end();
    result.cpu = cost.cpu;
    result.peak_rss_bytes = cost.peak_rss_bytes;
  } else {
    result.answer = inconclusive(child.error().message());
  }
  result.duration = steady_clock::now() - begun;
  return result;
}

}  // namespace smaps_audit::probes
