// SPDX-License-Identifier: Apache-2.0
#include "config/known_defects.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "config/known_defects_text.h"

namespace smaps_audit {
namespace {

SeenBy read_seen_by(const std::string& word) {
  if (word == "start") return SeenBy::start;
  if (word == "host") return SeenBy::host;
  return word == "probe" ? SeenBy::probe : SeenBy::audit;
}

KnownDefect read_defect(const nlohmann::json& row) {
  const nlohmann::json& signature = row.at("signature");
  return KnownDefect{
      .id = row.at("id"),
      .defect_class = row.at("class") == "note" ? DefectClass::note : DefectClass::finding,
      .seen_by = read_seen_by(row.at("seen_by")),
      .title = row.at("title"),
      .versions = row.at("versions"),
      .signature = {.interfaces = signature.at("interfaces"),
                    .fields = signature.at("fields"),
                    .direction = signature.at("direction"),
                    .granule_bytes = signature.at("granule_bytes"),
                    .sided_by = signature.at("sided_by"),
                    .varies = signature.at("varies"),
                    .needs_awake = signature.at("needs_awake"),
                    .mapping_flag = signature.value("mapping_flag", ""),
                    .bound = signature.value("bound", "")},
      .what_to_do = row.at("what_to_do"),
      .background = row.at("background"),
      .links = row.at("links"),
  };
}

// The text is part of the program: if it is off, that is our bug, and the unit test sees it first.
std::vector<KnownDefect> parse_table() {
  try {
    std::vector<KnownDefect> rows;
    for (const nlohmann::json& row : nlohmann::json::parse(kKnownDefectsText)) {
      rows.push_back(read_defect(row));
    }
    return rows;
  } catch (const nlohmann::json::exception& error) {
    std::fprintf(stderr, "config/known-defects.json: %s\n", error.what());
    std::abort();
  }
}

}  // namespace

const std::vector<KnownDefect>& known_defects() {
  static const std::vector<KnownDefect> rows = parse_table();
  return rows;
}

const KnownDefect* find_known_defect(std::string_view id) {
  const std::vector<KnownDefect>& rows = known_defects();
  const auto found =
      std::find_if(rows.begin(), rows.end(), [id](const KnownDefect& row) { return row.id == id; });
  return found == rows.end() ? nullptr : &*found;
}

std::optional<std::string> defect_if_known(std::string_view id) {
  const KnownDefect* const defect = find_known_defect(id);
  return defect == nullptr ? std::nullopt : std::optional{defect->id};
}

}  // namespace smaps_audit
