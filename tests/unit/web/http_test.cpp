// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/http.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Http, ShowsEverythingOnlyOverUnixOrWithAPasswordThroughTls) {
  for (const bool authenticated : {false, true}) {
    for (const bool encrypted : {false, true}) {
      HttpRequest request;
      request.authenticated = authenticated;
      request.encrypted = encrypted;
      EXPECT_EQ(may_see_all(request), authenticated && encrypted);
      request.peer = PeerKind::unix_socket;
      EXPECT_TRUE(may_see_all(request));
    }
  }
}

TEST(Http, TakesTheFirstArgumentOfAName) {
  const HttpRequest request{.path = "/", .query = {{"a", "1"}, {"b", ""}, {"a", "2"}}};
  EXPECT_EQ(request.argument("a"), "1");
  EXPECT_EQ(request.argument("b"), "");
  EXPECT_EQ(request.argument("c"), std::nullopt);
}

TEST(Http, ClassifiesPaths) {
  EXPECT_EQ(path_class_of("/metrics"), PathClass::metrics);
  EXPECT_EQ(path_class_of("/metrics/"), PathClass::other);
  EXPECT_EQ(path_class_of("/api/v1/status"), PathClass::api);
  EXPECT_EQ(path_class_of("/-/ready"), PathClass::health);
  EXPECT_EQ(path_class_of("/page.js"), PathClass::page);
  EXPECT_EQ(path_class_of("/"), PathClass::page);
  EXPECT_EQ(path_class_of("/favicon.ico"), PathClass::other);
}

TEST(Http, NamesEveryClassDifferently) {
  EXPECT_EQ(name_of(PathClass::page), "page");
  EXPECT_EQ(name_of(PathClass::metrics), "metrics");
  EXPECT_EQ(name_of(PathClass::api), "api");
  EXPECT_EQ(name_of(PathClass::health), "health");
  EXPECT_EQ(name_of(PathClass::other), "other");
}

TEST(Http, MakesOneLineOfText) {
  const HttpResponse response = text_response(404, "nothing here");
  EXPECT_EQ(response.status, 404U);
  EXPECT_EQ(response.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(*response.body, "nothing here\n");
  EXPECT_EQ(response.cache_control, "no-store");
}

}  // namespace
}  // namespace smaps_audit
