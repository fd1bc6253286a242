// SPDX-License-Identifier: Apache-2.0
#include "config/settings.h"

#include <gtest/gtest.h>

namespace smaps_audit {
namespace {

TEST(Settings, DefaultsAreThoseOfTheDesign) {
  const Settings settings;
  EXPECT_TRUE(settings.reading);
  EXPECT_EQ(settings.audit.interval, std::chrono::seconds(15));
  EXPECT_EQ(settings.audit.cpu_budget_percent, 1);
  EXPECT_EQ(settings.audit.stall_budget, std::chrono::milliseconds(10));
  EXPECT_EQ(settings.audit.stall_allowance_per_day, 1U);
  EXPECT_EQ(settings.limits.exported_groups, 20U);
  ASSERT_EQ(settings.web.listen.size(), 2U);
  EXPECT_EQ(settings.web.listen[0], "127.0.0.1:19755");
}

TEST(Settings, DefaultsKeepTheirOwnRules) {
  const Settings settings;
  EXPECT_LE(settings.audit.read_deadline, settings.audit.process_deadline);
  EXPECT_LE(settings.worker.quarantine_first, settings.worker.quarantine_longest);
}

}  // namespace
}  // namespace smaps_audit
