// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <CLI/CLI.hpp>

#include "cli/command_tree.h"
#include "cli/command_words.h"
#include "cli/exit_code.h"

namespace smaps_audit {
namespace {

constexpr const char* kExitCodes = R"(Exit codes:
    0  no finding, and enough was conclusive
    1  at least one finding: a number that users read is wrong
    2  too little was conclusive: a named process was not, or with --all and the
       other selections less than --min-coverage percent
   64  the command line makes no sense       65  broken capture
   70  internal error                        77  cannot run here (says why)
  130, 143  interrupted (SIGINT, SIGTERM))";

constexpr const char* kMainFooter = R"(Examples:
  smaps-audit check 4211             is what smaps says of process 4211 true?
  sudo smaps-audit check --all       the same of every process of this machine
  smaps-audit check --comm postgres --format json
  smaps-audit probe                  does this kernel count memory rightly?
  smaps-audit doctor                 what can be seen here, and what cannot
  smaps-audit explain K01            a known defect of the kernel, in words
  smaps-audit findings list          what the service has found on this machine
  smaps-audit config check FILE      is this a configuration of smaps-auditd?
)";

constexpr const char* kCheckFooter = R"(Examples:
  smaps-audit check 4211 4212
  smaps-audit check --cgroup /system.slice/postgresql.service
  smaps-audit check --user www-data --min-coverage 80
  smaps-audit check --all --format jsonl --output report.jsonl
  sudo smaps-audit check --all --format prometheus -o smaps-audit.prom
                                          for node_exporter, see docs/service.md
  sudo smaps-audit check --freeze 4211    stop it meanwhile: no assumption
)";

constexpr const char* kProbeFooter = R"(Examples:
  smaps-audit probe                        the instant ones, as any user
  sudo smaps-audit probe --all --allow-sysctl
  smaps-audit probe protnone-thp --format json
  sudo smaps-audit probe --all --allow-sysctl --gate     before a kernel rollout
)";

constexpr const char* kConfigFooter = R"(Examples:
  smaps-audit config check /etc/smaps-auditd/smaps-auditd.json
  smaps-audit config dump                       every setting and its default
  smaps-audit config dump my.json -o full.json

Durations are texts as "15s", sizes as "64MiB". docs/configuration.md and the
comments of the shipped smaps-auditd.json explain the keys.

Exit codes:
    0  the configuration is right     78  it is not: all that is wrong, on stderr)";

constexpr const char* kProbeExitCodes = R"(Exit codes:
    0  all that ran pass           1  a defect (--gate: of class finding)
    2  a probe was inconclusive   77  nothing could run)";

constexpr const char* kFindingsFooter =
    R"(The service (smaps-auditd) stores what it finds, and when it was resolved: the
process ended, a later audit did not show it, or the machine was booted anew.
Reading it needs no service, and does not disturb one that runs.

Examples:
  smaps-audit findings list                  what is wrong now
  smaps-audit findings list --all --format jsonl
  smaps-audit findings show 12               all of one, its capture, what to do
  smaps-audit findings export -o findings.jsonl
  smaps-audit findings list --store ./copied/findings.db

Exit codes:
    0  read                          64  no such finding, or no such command
   65  the store is broken           77  there is none, or it cannot be read)";

void add_common(CLI::App& verb, Words& words, const std::vector<std::string>& formats) {
  if (!formats.empty()) {
    std::string choice;
    for (const std::string& format : formats) choice += (choice.empty() ? "" : "|") + format;
    verb.add_option("--format", words.format, "How to print it (text)")
        ->check(CLI::IsMember(formats))
        ->option_text(choice);
  }
  verb.add_option("--proc-root", words.proc_root, "Read this directory instead of the proc mount")
      ->type_name("DIR");
  verb.add_option("--sys-root", words.sys_root, "Read this directory instead of the sysfs mount")
      ->type_name("DIR");
  verb.add_flag("--no-color", words.common.no_colour, "No colour (also NO_COLOR, TERM=dumb)");
  verb.add_flag("-q,--quiet", words.common.quiet, "No progress, and no text where all is well");
  verb.add_flag("-v,--verbose", words.common.verbose, "List every process in tables");
  verb.add_option("--without", words.without, "Force fallbacks")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->group("");
}

void add_output(CLI::App& verb, Words& words) {
  verb.add_option("-o,--output", words.output, "Write there (atomically) instead of stdout")
      ->type_name("FILE");
}

CLI::App& add_check(CLI::App& app, Words& words) {
  CLI::App& verb = *app.add_subcommand("check", "Audit processes, once");
  verb.add_option("PID", words.pids, "Processes to audit")->type_name("");
  verb.add_flag("-a,--all", words.selection.all, "Every process");
  verb.add_option("--comm", words.selection.comms, "Processes of this name (as in comm)")
      ->allow_extra_args(false)
      ->type_name("NAME");
  verb.add_option("--cgroup", words.selection.cgroups, "Processes in this cgroup or below it")
      ->allow_extra_args(false)
      ->type_name("PATH");
  verb.add_option("--user", words.users, "Processes of this user (name or number)")
      ->allow_extra_args(false)
      ->type_name("USER");
  verb.add_option("--min-coverage", words.min_coverage,
                  "Conclusive share of the selected that is enough")
      ->type_name("PERCENT")
      ->capture_default_str();
  verb.add_flag("--freeze", words.freeze, "Stop it meanwhile (ptrace; epoll_wait gives EINTR)");
  verb.add_option("--deadline", words.deadline, "Seconds for one process (60)")
      ->type_name("SECONDS");
  verb.add_flag("--no-confirm", words.no_confirm, "Judge without the confirming series")->group("");
  add_output(verb, words);
  add_common(verb, words, {"text", "json", "jsonl", "prometheus"});
  verb.footer(std::string{kCheckFooter} + "\n" + kExitCodes);
  return verb;
}

CLI::App& add_probe(CLI::App& app, Words& words) {
  CLI::App& verb = *app.add_subcommand("probe", "Ask the kernel questions whose answer is known");
  verb.add_option("NAME", words.probes, "Probes (without: the instant, harmless ones)")
      ->type_name("");
  verb.add_flag("-a,--all", words.selection.all, "Every probe but those run by name only");
  verb.add_flag("--list", words.list, "What each asks, needs and costs");
  verb.add_flag("--allow-sysctl", words.allow_sysctl, "Turn NUMA balancing (or KSM) on and back");
  verb.add_flag("--gate", words.gate, "One line; fail only where a number is wrong");
  verb.add_option("--deadline", words.deadline, "Seconds for one probe (60)")->type_name("SECONDS");
  verb.add_option("--spool", words.spool, "Keep the behaviour card there")->type_name("DIR");
  verb.add_option("--sabotage", words.sabotage, "Make a probe go wrong")->group("");
  add_output(verb, words);
  add_common(verb, words, {"text", "json", "jsonl", "tap"});
  // Refused with the reason, so that nobody looks for them in vain.
  for (const char* const root : {"--proc-root", "--sys-root"}) verb.get_option(root)->group("");
  verb.footer(std::string{kProbeFooter} + "\n" + kProbeExitCodes);
  return verb;
}

CLI::App& add_capture(CLI::App& app, Words& words) {
  CLI::App& verb = *app.add_subcommand("capture", "Audit one process and keep all that was read");
  verb.add_option("PID", words.pids, "The process")->type_name("")->required()->expected(1);
  verb.add_option("-o,--output", words.file, "The capture")->type_name("FILE")->required();
  verb.add_flag("--freeze", words.freeze, "Stop the process meanwhile (ptrace)");
  verb.add_option("--deadline", words.deadline, "Seconds (600)")->type_name("SECONDS");
  add_common(verb, words, {"text", "json", "jsonl"});
  verb.footer("Example:\n  sudo smaps-audit capture 4211 -o evidence.cap\n\n" +
              std::string{kExitCodes});
  return verb;
}

void add_config(CLI::App& app, Words& words) {
  CLI::App& verb = *app.add_subcommand("config", "Checks or shows a configuration of smaps-auditd");
  verb.require_subcommand(1)->footer(kConfigFooter);
  CLI::App& check = *verb.add_subcommand("check", "All that is wrong with a file, or nothing");
  check.add_option("FILE", words.file, "The configuration")->type_name("")->required();
  check.add_option("--format", words.format, "How to print it (text)")
      ->check(CLI::IsMember({"text", "json"}))
      ->option_text("text|json");
  check.add_flag("-q,--quiet", words.common.quiet, "Not a word where all is well");
  CLI::App& dump = *verb.add_subcommand("dump", "Every setting as the service takes it, as JSON");
  dump.add_option("FILE", words.file, "The configuration (without: the defaults)")->type_name("");
  for (CLI::App* const part : {&check, &dump}) {
    add_output(*part, words);
    part->footer(kConfigFooter);
  }
}

void add_findings(CLI::App& app, Words& words) {
  CLI::App& verb = *app.add_subcommand("findings", "What the service has stored");
  verb.require_subcommand(1)->footer(kFindingsFooter);
  CLI::App& list = *verb.add_subcommand("list", "A line each, open ones first");
  list.add_flag("-a,--all", words.selection.all, "Those that are resolved, too");
  CLI::App& show = *verb.add_subcommand("show", "Everything about one, with what to do");
  show.add_option("ID", words.id, "Its number, as list gives it")->type_name("")->required();
  CLI::App& everything =
      *verb.add_subcommand("export", "All of them with their reports, as JSON lines");
  const auto add_format = [&](CLI::App& part, const std::vector<std::string>& formats,
                              const char* words_of_help) {
    part.add_option("--format", words.format, "How to print it (text)")
        ->check(CLI::IsMember(formats))
        ->option_text(words_of_help);
    part.add_flag("--no-color", words.common.no_colour, "No colour (also NO_COLOR, TERM=dumb)");
  };
  add_format(list, {"text", "json", "jsonl"}, "text|json|jsonl");
  add_format(show, {"text", "json"}, "text|json");
  for (CLI::App* const part : {&list, &show, &everything}) {
    part->add_option("--store", words.store, "The store's database")
        ->type_name("FILE")
        ->capture_default_str();
    add_output(*part, words);
    part->footer(kFindingsFooter);
  }
}

EarlyExit usage_exit(const std::string& verb, const std::string& what) {
  const std::string name = verb.empty() ? "smaps-audit" : "smaps-audit " + verb;
  return EarlyExit{name + ": " + what + "\nTry: " + name + " --help\n", kExitUsage};
}

// "check", "config dump"
std::string verb_of(const CLI::App& app) {
  const std::vector<CLI::App*> verbs = app.get_subcommands();
  if (verbs.empty()) return "";
  const std::string inner = verb_of(*verbs.front());
  return verbs.front()->get_name() + (inner.empty() ? "" : " " + inner);
}

}  // namespace

std::string_view tool_version() { return SMAPS_AUDIT_VERSION; }

Command parse_command_line(int argc, const char* const* argv) {
  Words words;
  CLI::App app{"Audits what Linux says of a process's memory: is smaps telling the truth?",
               "smaps-audit"};
  app.footer(std::string{kMainFooter} + "\n" + kExitCodes);
  app.set_version_flag("--version", "smaps-audit " + std::string{tool_version()});
  bool commands = false;
  app.add_flag("--print-commands", commands)->group("");
  add_check(app, words);
  add_probe(app, words);
  CLI::App& doctor = *app.add_subcommand("doctor", "What can be seen here, and what cannot");
  doctor.add_flag("--kernel", words.kernel, "The last behaviour card instead (see probe)");
  doctor.add_option("--spool", words.spool, "Where the card is kept")->type_name("DIR");
  add_output(doctor, words);
  add_common(doctor, words, {"text", "json"});
  add_capture(app, words);
  CLI::App& replay = *app.add_subcommand("replay", "The same audit of a capture, offline");
  replay.add_option("FILE", words.file, "The capture")->type_name("")->required();
  add_output(replay, words);
  add_common(replay, words, {"text", "json", "jsonl"});
  CLI::App& explain =
      *app.add_subcommand("explain", "A defect, check, reason, field, setting in words");
  explain.add_option("ID", words.ids, "K01, I3, maybe_pages ... (without: the list)")
      ->type_name("");
  add_output(explain, words);
  add_common(explain, words, {"text", "json"});
  add_config(app, words);
  add_findings(app, words);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    return EarlyExit{app.help(), kExitClean};
  } catch (const CLI::CallForVersion& version) {
    return EarlyExit{std::string{version.what()} + "\n", kExitClean};
  } catch (const CLI::Error& error) {
    return usage_exit(verb_of(app), error.what());
  }
  if (commands) return EarlyExit{command_tree(app), kExitClean};
  const std::string verb = verb_of(app);
  if (verb.empty())
    return usage_exit(
        "", "no verb: check, probe, doctor, capture, replay, explain, config or findings");
  Result<Command> command = read_command(verb, words);
  if (!command) return usage_exit(verb, command.error().what);
  return *std::move(command);
}

}  // namespace smaps_audit
