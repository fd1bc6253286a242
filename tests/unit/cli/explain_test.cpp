// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "cli_fixture.h"
#include "config/known_defects.h"
#include "report/reasons.h"

namespace smaps_audit {
namespace {

TEST(Explain, KnowsEveryDefectCheckAndReason) {
  CliFixture cli;
  std::vector<std::string> ids{"I1", "I2", "I3", "I4", "I6", "I7", "I8", "I12", "k01"};
  for (const KnownDefect& defect : known_defects()) ids.push_back(defect.id);
  for (const ReasonText& reason : reason_texts()) ids.emplace_back(reason.word);
  for (const std::string& id : ids) {
    const CliRun run = cli.run({"explain", id});
    EXPECT_EQ(run.exit_code, 0) << id << run.err;
    EXPECT_FALSE(run.out.empty()) << id;
  }
}

TEST(Explain, ListsWhatThereIs) {
  const CliRun run = CliFixture{}.run({"explain"});
  EXPECT_EQ(run.exit_code, 0);
  for (const char* word : {"K01", "K03", "I12", "maybe_pages"}) {
    EXPECT_NE(run.out.find(word), std::string::npos) << word;
  }
}

TEST(Explain, RefusesWhatItDoesNotKnow) {
  const CliRun run = CliFixture{}.run({"explain", "K99\x1b"});
  EXPECT_EQ(run.exit_code, 64);
  EXPECT_NE(run.err.find("K99\\x1b"), std::string::npos) << run.err;
}

}  // namespace
}  // namespace smaps_audit
