// SPDX-License-Identifier: Apache-2.0
#include "cli/explain.h"

#include <nlohmann/json.hpp>
#include <ostream>

#include "cli/exit_code.h"
#include "cli/explain_topics.h"
#include "cli/render.h"
#include "report/text_layout.h"

namespace smaps_audit {
namespace {

constexpr std::size_t kLabelColumns = 10;

void write_wrapped(std::ostream& out, std::string_view label, std::string_view text,
                   const TextStyle& style) {
  // An id that fills its column stands on a line of its own.
  if (label.size() + 2 >= kLabelColumns) {
    out << "  " << label << '\n';
    label = {};
  }
  const std::string head = pad_right("  " + std::string{label}, kLabelColumns);
  for (const std::string& line : hanging(head, kLabelColumns, text, style.columns)) {
    out << line << '\n';
  }
}

void write_topic(std::ostream& out, const Topic& topic, const TextStyle& style) {
  out << topic.id << ": " << topic.title << '\n';
  std::string_view before;
  for (const auto& [label, text] : topic.sections) {
    write_wrapped(out, label == before ? "" : label, text, style);
    before = label;
  }
}

std::string heading(const std::string& kind) {
  if (kind == "defect") return "Known defects of the kernel";
  if (kind == "check") return "Checks: relations that hold on every correct kernel";
  if (kind == "reason") return "Reasons why a verdict is not conclusive";
  if (kind == "error") return "Errors";
  if (kind == "kernel field") return "Fields of the kernel's files";
  if (kind == "report field") return "Fields of the JSON report";
  if (kind == "resolution") return "Why a stored finding is open no more";
  if (kind == "setting") return "Settings of smaps-auditd (smaps-auditd.json)";
  return "Words of the JSON report";
}

// Defects and checks with what they say; of the others the ids tell enough.
void list_all(std::ostream& out, const TextStyle& style) {
  std::string kind;
  std::string words;
  const auto flush = [&] {
    if (!words.empty()) write_wrapped(out, "", words, style);
    words.clear();
  };
  for (const Topic& topic : all_topics()) {
    if (topic.kind != kind) {
      flush();
      out << (kind.empty() ? "" : "\n") << heading(topic.kind) << '\n';
      kind = topic.kind;
    }
    if (kind == "defect") {
      write_wrapped(out, topic.id, topic.title, style);
    } else if (kind == "check") {
      write_wrapped(out, topic.id, topic.sections.front().second, style);
    } else {
      words += (words.empty() ? "" : " ") + topic.id;
    }
  }
  flush();
  out << "\nsmaps-audit explain ID tells more; of a longer id its last part is enough.\n";
}

nlohmann::ordered_json topic_json(const Topic& topic) {
  nlohmann::ordered_json json;
  json["kind"] = topic.kind;
  json["id"] = topic.id;
  json["title"] = topic.title;
  auto& sections = json["sections"] = nlohmann::ordered_json::array();
  for (const auto& [label, text] : topic.sections) {
    sections.push_back({{"label", label}, {"text", text}});
  }
  return json;
}

void write_topics_json(std::ostream& out, const std::vector<const Topic*>& topics) {
  nlohmann::ordered_json json;
  json["schema"] = "smaps-audit.explain/1";
  auto& list = json["topics"] = nlohmann::ordered_json::array();
  for (const Topic* topic : topics) list.push_back(topic_json(*topic));
  out << json.dump(1, ' ', true, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

Error unknown_topic(const std::string& id) {
  std::string what = "nothing is known of \"" + id + "\"";
  const std::vector<std::string> similar = similar_topics(id);
  for (const std::string& name : similar) {
    what += (&name == &similar.front() ? "; did you mean " : " or ") + name;
  }
  what += similar.empty() ? "; " : "? ";
  return Error{.code = ErrorCode::usage,
               .what = what + "(smaps-audit explain lists what there is)"};
}

}  // namespace

int run_explain(const ExplainOptions& options, CliEnvironment& environment) {
  std::vector<const Topic*> topics;
  for (const std::string& id : options.ids) {
    const std::vector<const Topic*> found = find_topics(id);
    if (found.empty()) return complain(environment, unknown_topic(id), kExitUsage);
    topics.insert(topics.end(), found.begin(), found.end());
  }
  const bool json = options.common.format == Format::json;
  if (options.ids.empty() && json) {
    for (const Topic& topic : all_topics()) topics.push_back(&topic);
  }
  Result<Output> output = Output::open(options.common.output, environment.out);
  if (!output) return complain(environment, output.error(), kExitCannotRun);
  std::ostream& out = output->stream();
  const TextStyle style = style_for(environment, options.common, *output);
  if (json) {
    write_topics_json(out, topics);
  } else if (options.ids.empty()) {
    list_all(out, style);
  }
  for (const Topic* topic : topics) {
    if (json) break;
    if (topic != topics.front()) out << '\n';
    write_topic(out, *topic, style);
  }
  return finish_output(*output, environment, kExitClean);
}

}  // namespace smaps_audit
