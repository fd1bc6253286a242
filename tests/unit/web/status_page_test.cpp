// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/status_page.h"

#include <gtest/gtest.h>

#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

bool holds(const HttpResponse& response, std::string_view words) {
  return response.body->find(words) != std::string::npos;
}

std::string sample(const std::string& name) {
  return read_whole_file(std::string(SMAPS_AUDIT_SOURCE_DIR) + "/tests/service/samples/" + name);
}

TEST(StatusPage, SaysWithoutJavascriptWhoIsLiedAbout) {
  const HttpResponse page = status_page(sample("lying.json"));
  EXPECT_EQ(page.content_type, "text/html; charset=utf-8");
  EXPECT_TRUE(holds(page, "Yes: this kernel misreports memory"));
  EXPECT_TRUE(holds(page, "<td>postgresql</td>"));
  EXPECT_TRUE(holds(page, "<td>K01</td>"));
  EXPECT_FALSE(holds(page, "@SUMMARY@"));
}

TEST(StatusPage, SaysWithoutJavascriptThatNothingIsWrong) {
  const HttpResponse page = status_page(sample("starting.json"));
  EXPECT_TRUE(holds(page, "No finding is open"));
  EXPECT_TRUE(holds(page, "Missing from Rss: unknown"));
}

TEST(StatusPage, EscapesWhatOthersNamed) {
  const HttpResponse page = status_page(
      R"({"kernel":{"release":null},"time":"now","totals":{},"coverage":{},"findings":[],)"
      R"("groups":[{"name":"<script>\"&","processes":1}]})");
  EXPECT_TRUE(holds(page, "<td>&lt;script&gt;&quot;&amp;</td><td>1</td><td>unknown</td>"));
}

TEST(StatusPage, IsThereWithoutAStatus) {
  for (const char* const text : {"", "nonsense", "{}", "[]"}) {
    EXPECT_TRUE(holds(status_page(text), "There is no status yet")) << text;
  }
}

TEST(StatusPage, BringsItsOwnFiles) {
  const HttpResponse page = status_page("");
  EXPECT_TRUE(holds(page, "href=\"/page.css\""));
  EXPECT_TRUE(holds(page, "src=\"/page.js\""));
  const auto css = status_page_file("/page.css");
  ASSERT_TRUE(css);
  EXPECT_EQ(css->content_type, "text/css; charset=utf-8");
  const auto script = status_page_file("/page.js");
  ASSERT_TRUE(script);
  EXPECT_EQ(script->content_type, "text/javascript; charset=utf-8");
  EXPECT_FALSE(status_page_file("/page.html"));
}

TEST(StatusPage, NamesNoOtherHost) {
  for (const HttpResponse& file :
       {status_page(""), *status_page_file("/page.css"), *status_page_file("/page.js")}) {
    std::string text = *file.body;
    for (const std::string_view name :
         {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}) {
      if (const std::size_t place = text.find(name); place != std::string::npos)
        text.erase(place, name.size());
    }
    EXPECT_EQ(text.find("//www"), std::string::npos);
    EXPECT_EQ(text.find("http:"), std::string::npos);
    EXPECT_EQ(text.find("https:"), std::string::npos);
  }
}

}  // namespace
}  // namespace smaps_audit
