// SPDX-License-Identifier: Apache-2.0
#include "cli/config_command.h"

#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "cli/exit_code.h"
#include "cli/render.h"
#include "config/settings_json.h"
#include "config/settings_parser.h"
#include "report/printable.h"

namespace smaps_audit {
namespace {

using nlohmann::ordered_json;
using Problems = std::vector<SettingsProblem>;

void write_problems(std::ostream& out, const std::string& file, const Problems& problems) {
  std::istringstream lines{problems_text(file, problems)};
  for (std::string line; std::getline(lines, line);) out << printable(line) << '\n';
}

ordered_json problem_json(const SettingsProblem& problem) {
  ordered_json json;
  json["path"] = problem.path;
  json["line"] = problem.place ? ordered_json(problem.place->line) : ordered_json(nullptr);
  json["column"] = problem.place ? ordered_json(problem.place->column) : ordered_json(nullptr);
  json["what"] = problem.what;
  json["remedy"] = problem.remedy;
  return json;
}

std::string check_json(const std::string& file, const Problems& problems) {
  ordered_json json;
  json["schema"] = "smaps-audit.config-check/1";
  json["file"] = file;
  json["ok"] = problems.empty();
  ordered_json& list = json["problems"] = ordered_json::array();
  for (const SettingsProblem& problem : problems) list.push_back(problem_json(problem));
  return json.dump(1, ' ', /*ensure_ascii=*/true, ordered_json::error_handler_t::replace) + "\n";
}

int print(const std::string& text, const ConfigOptions& options, CliEnvironment& environment,
          int exit_code) {
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  output->stream() << text;
  return finish_output(*output, environment, exit_code);
}

int check(const std::string& file, const SettingsOrProblems& outcome, const ConfigOptions& options,
          CliEnvironment& environment) {
  const auto* const found = std::get_if<Problems>(&outcome);
  const Problems problems = found == nullptr ? Problems{} : *found;
  const int exit_code = problems.empty() ? kExitClean : kExitBadConfig;
  if (options.common.format == Format::json) {
    return print(check_json(file, problems), options, environment, exit_code);
  }
  write_problems(environment.err, file, problems);
  if (!problems.empty()) return exit_code;
  return print(options.common.quiet ? "" : printable(file) + ": right\n", options, environment,
               exit_code);
}

}  // namespace

int run_config(const ConfigOptions& options, CliEnvironment& environment) {
  SettingsOrProblems outcome = Settings{};
  if (options.file) outcome = load_settings(*options.file);
  const std::string file = options.file.value_or("");
  if (options.action == ConfigOptions::Action::check) {
    return check(file, outcome, options, environment);
  }
  if (const auto* const problems = std::get_if<Problems>(&outcome)) {
    write_problems(environment.err, file, *problems);
    return kExitBadConfig;
  }
  return print(settings_json(std::get<Settings>(outcome)), options, environment, kExitClean);
}

}  // namespace smaps_audit
