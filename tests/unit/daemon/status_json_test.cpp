// SPDX-License-Identifier: Apache-2.0
#include "daemon/status_json.h"

#include <gtest/gtest.h>

namespace smaps_audit::service {
namespace {

Snapshot in_trouble() {
  Snapshot snapshot;
  snapshot.paused_by = "/run/secret/off";
  snapshot.config_problem = "/etc/secret.json:3: unknown key";
  snapshot.store.healthy = false;
  snapshot.store.problem = "/var/lib/secret: no space left on device";
  return snapshot;
}

TEST(StatusJson, NamesTheFilesOfATroubleToWhoMaySeeAll) {
  const std::string all = status_json(in_trouble(), {}, true);
  for (const std::string file : {"/run/secret/off", "/etc/secret.json", "/var/lib/secret"}) {
    EXPECT_NE(all.find(file), std::string::npos) << file;
  }
}

TEST(StatusJson, SaysToOthersThatThereIsTroubleWithoutItsFiles) {
  const std::string some = status_json(in_trouble(), {}, false);
  EXPECT_EQ(some.find("secret"), std::string::npos) << some;
  for (const std::string text :
       {R"("paused_reason":"the configuration or the off file says so")",
        R"("config_error":"the log says what is wrong")",
        R"("problem":"the log says what is wrong")", "The store: the log says what is wrong"}) {
    EXPECT_NE(some.find(text), std::string::npos) << text << '\n' << some;
  }
}

TEST(StatusJson, HasNoReasonWhereThereIsNoTrouble) {
  const std::string some = status_json({}, {}, false);
  EXPECT_NE(some.find(R"("paused_reason":null)"), std::string::npos) << some;
  EXPECT_NE(some.find(R"("config_error":null)"), std::string::npos) << some;
}

}  // namespace
}  // namespace smaps_audit::service
