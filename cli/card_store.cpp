// SPDX-License-Identifier: Apache-2.0
#include "cli/card_store.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "cli/output.h"
#include "report/card_report.h"

namespace smaps_audit {
namespace {

std::string file_in(const std::string& directory) { return directory + "/" + kCardFile; }

std::optional<std::string> environment(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr || *value != '/') return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::string> spool_directory(const std::optional<std::string>& given) {
  if (given) return given;
  if (::geteuid() == 0) return "/var/lib/smaps-audit";
  if (const auto state = environment("XDG_STATE_HOME")) return *state + "/smaps-audit";
  if (const auto home = environment("HOME")) return *home + "/.local/state/smaps-audit";
  return std::nullopt;
}

Result<Ok> store_card(const std::string& directory, const probes::BehaviourCard& card) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return error_from_errno(error.value(), "it cannot be made", directory);
  std::ostringstream unused;
  Result<Output> output = Output::open(file_in(directory), unused);
  if (!output) return output.error();
  output->stream() << card_text(card);
  return output->commit();
}

Result<probes::BehaviourCard> load_card(const std::string& directory) {
  const std::string path = file_in(directory);
  std::ifstream file{path};
  if (!file) return error_from_errno(errno, "no behaviour card can be read", path);
  std::ostringstream text;
  text << file.rdbuf();
  auto card = parse_card(text.str());
  if (card) return card;
  Error error = card.error();
  error.file = path;
  return error;
}

}  // namespace smaps_audit
