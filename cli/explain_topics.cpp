// SPDX-License-Identifier: Apache-2.0
#include "cli/explain_topics.h"

#include <algorithm>

#include "audit/checks.h"
#include "base/edit_distance.h"
#include "base/error_codes.h"
#include "config/known_defects.h"
#include "config/settings_schema.h"
#include "daemon/store/stored_finding.h"
#include "report/kernel_fields.h"
#include "report/reasons.h"
#include "report/report_schema.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string lower(std::string_view text) {
  std::string result{text};
  for (char& letter : result) {
    if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
  }
  return result;
}

std::string bound_text(const std::string& bound) {
  if (bound.empty()) return "";
  if (bound == "thread_cache") return ", at most what the threads keep to themselves";
  if (bound == "percpu_batch") return ", at most what the CPUs keep to themselves";
  return ", at most HardwareCorrupted of meminfo";
}

std::string signs_of(const DefectSignature& signature) {
  std::string signs = joined(signature.interfaces);
  const bool all_fields = signature.fields.front() == "*";
  signs += all_fields ? ", every field: " : " (" + joined(signature.fields) + "): ";
  signs += signature.direction == "either" ? "deficit or excess" : signature.direction;
  signs += " in multiples of " + bytes_text(signature.granule_bytes) + bound_text(signature.bound);
  if (!signature.mapping_flag.empty()) {
    signs += "; only in mappings with VmFlags " + signature.mapping_flag;
  }
  if (signature.varies) signs += "; another amount in every read";
  if (signature.needs_awake) signs += "; only while the process runs";
  if (!signature.sided_by.empty()) signs += "; contradicted by " + joined(signature.sided_by);
  return signs + ".";
}

std::string seen_by_text(SeenBy seen_by) {
  switch (seen_by) {
    case SeenBy::audit: return "smaps-audit check names it where a process shows it.";
    case SeenBy::start:
      return "Tried at every start, on memory of our own; the audit allows for it.";
    case SeenBy::host:
      return "A possible cause of a note of check --all or check --cgroup (I13, I14).";
    case SeenBy::probe: return "Only a probe, which knows the truth, can show it.";
  }
  return "";
}

Topic topic_of(const KnownDefect& defect) {
  Topic topic{.kind = "defect", .id = defect.id, .title = defect.title, .sections = {}};
  auto& sections = topic.sections;
  sections.emplace_back("Kernels", defect.versions + ".");
  sections.emplace_back("Class", defect.defect_class == DefectClass::finding
                                     ? "a finding: a number that users read is wrong."
                                     : "a note: no Rss or Pss of a process depends on it.");
  sections.emplace_back("Seen", seen_by_text(defect.seen_by));
  sections.emplace_back("Signs", signs_of(defect.signature));
  for (const std::string& sentence : defect.what_to_do) sections.emplace_back("To do", sentence);
  for (const std::string& sentence : defect.background) sections.emplace_back("More", sentence);
  for (const std::string& link : defect.links) sections.emplace_back("See", link);
  return topic;
}

Topic topic_of(const CheckText& check) {
  return {.kind = "check",
          .id = std::string{check.id},
          .title = "a relation that holds on every correct kernel",
          .sections = {{"Says", std::string{check.relation}},
                       {"Needs", std::string{check.witnesses}},
                       {"Else", std::string{check.without}},
                       {"Except", std::string{check.exceptions}},
                       {"Proof", std::string{check.confirmed}}}};
}

Topic topic_of(const ReasonText& reason) {
  Topic topic{.kind = "reason",
              .id = std::string{reason.word},
              .title = "why a process got no conclusive verdict",
              .sections = {{"Means", std::string{reason.meaning}}}};
  if (!reason.help.empty()) topic.sections.emplace_back("Help", reason.help);
  return topic;
}

std::string consequence_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::gone: return "A process of which this is said is vanished.";
    case ErrorCode::denied:
      return "A process of which this is said is denied; smaps-audit doctor tells what is missing.";
    case ErrorCode::unsupported:
      return "A fallback is taken where there is one; smaps-audit doctor tells what it costs.";
    case ErrorCode::malformed:
    case ErrorCode::truncated:
      return "Nothing is judged from it: inconclusive; of a capture, exit code 65.";
    case ErrorCode::deadline: return "The process is inconclusive; --deadline gives it more time.";
    case ErrorCode::io:
      return "The process is inconclusive; of our own output, exit code 77. The errno says more.";
    case ErrorCode::usage: return "Exit code 64; --help tells what can be asked.";
    case ErrorCode::diverged:
      return "The capture is damaged or of another version of the audit: exit code 65.";
  }
  return "";
}

Topic topic_of(ErrorCode code) {
  return {
      .kind = "error",
      .id = std::string{name_of(code)},
      .title = "why something could not be had",
      .sections = {{"Means", std::string{describe(code)} + "."}, {"Then", consequence_of(code)}}};
}

Topic topic_of(const KernelField& field) {
  Topic topic{.kind = "kernel field",
              .id = std::string{field.file} + "." + std::string{field.name},
              .title = "what the kernel tells of a process",
              .sections = {{"Means", std::string{field.meaning}}}};
  const std::string judged{field.judged};
  if (field.checks.empty()) {
    topic.sections.emplace_back("Checked", "no: " + judged + ".");
  } else {
    topic.sections.emplace_back("Checked", std::string{field.checks} + ": " + judged + ".");
  }
  return topic;
}

Topic topic_of(const ReportField& field) {
  return {.kind = "report field",
          .id = field.path,
          .title = "a field of the JSON report",
          .sections = {{"Means", field.meaning}, {"Type", field.type + "."}}};
}

Topic topic_of(store::Resolution why) {
  return {.kind = "resolution",
          .id = std::string{name_of(why)},
          .title = "why a finding that the service stored is open no more",
          .sections = {{"Means", std::string{describe(why)} + "."},
                       {"Then",
                        "smaps-audit findings list --all still shows it, until it is the "
                        "oldest beyond what the configuration lets the store keep."}}};
}

Topic topic_of(const SettingKey& key) {
  Topic topic{.kind = "setting",
              .id = key.path,
              .title = "a key of smaps-auditd.json",
              .sections = {{"Means", key.meaning}}};
  if (!key.default_value.empty()) topic.sections.emplace_back("Default", key.default_value);
  if (!key.range.empty()) topic.sections.emplace_back("Takes", key.range);
  return topic;
}

// One topic for a word that several fields use ("deficit").
void add_words(std::vector<Topic>& topics) {
  const std::size_t first = topics.size();
  for (const ReportWord& word : report_words()) {
    const auto same =
        std::find_if(topics.begin() + static_cast<std::ptrdiff_t>(first), topics.end(),
                     [&](const Topic& topic) { return topic.id == word.word; });
    if (same == topics.end()) {
      topics.push_back({.kind = "word",
                        .id = word.word,
                        .title = "a word of the JSON report",
                        .sections = {{"Means", word.meaning + "."}, {"Of", word.path}}});
    } else if (same->sections.front().second == word.meaning + ".") {
      same->sections.emplace_back("Of", word.path);
    } else {
      same->sections.emplace_back("Means", word.meaning + ".");
      same->sections.emplace_back("Of", word.path);
    }
  }
}

std::vector<Topic> make_topics() {
  std::vector<Topic> topics;
  for (const KnownDefect& defect : known_defects()) topics.push_back(topic_of(defect));
  for (const CheckText& check : check_texts()) topics.push_back(topic_of(check));
  for (const ReasonText& reason : reason_texts()) topics.push_back(topic_of(reason));
  for (const ErrorCode code : kErrorCodes) topics.push_back(topic_of(code));
  for (const KernelField& field : kernel_fields()) topics.push_back(topic_of(field));
  for (const ReportField& field : report_fields()) topics.push_back(topic_of(field));
  add_words(topics);
  for (const store::Resolution why : store::kResolutions) topics.push_back(topic_of(why));
  for (const SettingKey& key : setting_keys()) topics.push_back(topic_of(key));
  return topics;
}

std::string_view last_part(std::string_view id) { return id.substr(id.rfind('.') + 1); }

}  // namespace

const std::vector<Topic>& all_topics() {
  static const std::vector<Topic> topics = make_topics();
  return topics;
}

std::vector<const Topic*> find_topics(std::string_view id) {
  if (id.empty()) return {};
  std::vector<const Topic*> found;
  const auto collect = [&](const auto& fits) {
    for (const Topic& topic : all_topics()) {
      if (fits(topic)) found.push_back(&topic);
    }
    return !found.empty();
  };
  const std::string suffix = "." + std::string{id};
  if (collect([&](const Topic& topic) { return topic.id == id; })) return found;
  if (collect([&](const Topic& topic) { return topic.id.ends_with(suffix); })) return found;
  const std::string small = lower(id);
  if (collect([&](const Topic& topic) { return lower(topic.id) == small; })) return found;
  collect([&](const Topic& topic) { return lower(topic.id).ends_with("." + small); });
  return found;
}

std::vector<std::string> similar_topics(std::string_view id) {
  constexpr std::size_t kMost = 3;
  constexpr std::size_t kLongest = 64;  // nobody mistypes an id of this length
  if (id.empty() || id.size() > kLongest) return {};
  const std::string wanted = lower(id);
  std::vector<std::pair<std::size_t, std::string>> near;
  for (const Topic& topic : all_topics()) {
    const std::string whole = lower(topic.id);
    const std::size_t far =
        std::min(edit_distance(wanted, whole), edit_distance(wanted, last_part(whole)));
    if (far <= std::max<std::size_t>(1, wanted.size() / 3)) near.emplace_back(far, topic.id);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> ids;
  for (const auto& [far, name] : near) {
    if (std::find(ids.begin(), ids.end(), name) == ids.end()) ids.push_back(name);
    if (ids.size() == kMost) break;
  }
  return ids;
}

}  // namespace smaps_audit
