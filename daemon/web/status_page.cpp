// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/status_page.h"

#include <nlohmann/json.hpp>

#include "daemon/web/page_text.h"

namespace smaps_audit {
namespace {

using nlohmann::json;

constexpr std::string_view kSummaryPlace = "@SUMMARY@";
constexpr std::size_t kSummaryBytes = 256;  ///< reserved for each group

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char byte : text) {
    switch (byte) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += byte;
    }
  }
  return safe;
}

/// What stands there, escaped; "unknown" for null and what is missing.
std::string text_of(const json& row, const char* key) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return "unknown";
  return escaped(found->is_string() ? found->get<std::string>() : found->dump());
}

std::string table(std::string_view caption, std::initializer_list<std::string_view> heads,
                  const json& rows, std::initializer_list<const char*> keys) {
  std::string html = "<table><caption>" + std::string(caption) + "</caption><thead><tr>";
  for (const std::string_view head : heads)
    html += "<th scope=\"col\">" + std::string(head) + "</th>";
  html += "</tr></thead><tbody>\n";
  html.reserve(html.size() + rows.size() * kSummaryBytes);
  for (const json& row : rows) {
    html += "<tr>";
    for (const char* const key : keys) html += "<td>" + text_of(row, key) + "</td>";
    html += "</tr>\n";
  }
  return html + "</tbody></table>";
}

std::string summary_of(std::string_view status_json) {
  const json status = json::parse(status_json);
  const json& findings = status.at("findings");
  std::string html = "<section><h2>";
  html += findings.empty() ? "No finding is open" : "Yes: this kernel misreports memory";
  html +=
      "</h2><p>Linux " + text_of(status.at("kernel"), "release") + ", as of " +
      text_of(status, "time") +
      ". Missing from Rss: " + text_of(status.at("totals"), "rss_deficit_bytes") +
      " bytes. Processes with a finding: " +
      text_of(status.at("totals"), "processes_with_finding") +
      ". Judged conclusively: " + text_of(status.at("coverage"), "conclusive_ratio") +
      " of the targets. This page stays as it is without JavaScript: load it again for news.</p>";
  if (!findings.empty()) {
    html += table("Findings",
                  {"Group", "Check", "Interface", "Field", "Direction", "Defect", "Error in bytes"},
                  findings,
                  {"group", "check", "interface", "field", "direction", "defect", "error_bytes"});
  }
  html += table("Groups",
                {"Group", "Processes", "Reported RSS in bytes", "True RSS at least",
                 "True RSS at most", "Findings"},
                status.at("groups"),
                {"name", "processes", "reported_rss_bytes", "true_rss_low_bytes",
                 "true_rss_high_bytes", "findings"});
  return html + "</section>";
}

}  // namespace

HttpResponse status_page(std::string_view status_json) {
  std::string summary;
  try {
    summary = summary_of(status_json);
  } catch (const json::exception&) {
    summary = "<p>There is no status yet.</p>";
  }
  std::string html(kPageHtml);
  html.replace(html.find(kSummaryPlace), kSummaryPlace.size(), summary);
  return http_response(200, "text/html; charset=utf-8", std::move(html));
}

std::optional<HttpResponse> status_page_file(std::string_view path) {
  if (path == "/page.css")
    return http_response(200, "text/css; charset=utf-8", std::string(kPageCss));
  if (path == "/page.js")
    return http_response(200, "text/javascript; charset=utf-8", std::string(kPageJs));
  return std::nullopt;
}

}  // namespace smaps_audit
