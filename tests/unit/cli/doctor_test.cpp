// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace smaps_audit {
namespace {

class Doctor : public ::testing::Test, public CliFixture {
 protected:
  // Privileges as a mask of CapEff; pid 1 readable or not.
  void SetUp() override {
    kernel = [this](FakeKernelView& fake) {
      fake.set_file("/proc/self/status", "Name:\tx\nCapEff:\t" + effective_ + "\n");
      for (const char* file : {"smaps", "smaps_rollup", "numa_maps", "pagemap"}) {
        const std::string path = std::string{"/proc/1/"} + file;
        fake.set_file(path, "content");
        if (!foreign_readable_) fake.set_errno(path, EACCES);
      }
    };
  }

  nlohmann::json diagnose() {
    return nlohmann::json::parse(CliFixture::run({"doctor", "--format", "json"}).out);
  }

  std::string effective_ = "000001ffffffffff";
  bool foreign_readable_ = true;
};

const nlohmann::json& row(const nlohmann::json& rows, const char* key, const std::string& value) {
  for (const nlohmann::json& candidate : rows) {
    if (candidate[key] == value) return candidate;
  }
  static const nlohmann::json none;
  return none;
}

TEST_F(Doctor, TellsWhatEachMissingCapabilityWouldAdd) {
  effective_ = "0000000000000000";
  foreign_readable_ = false;
  const nlohmann::json json = diagnose();
  EXPECT_EQ(json["schema"], "smaps-audit.doctor/1");
  EXPECT_EQ(row(json["features"], "id", "foreign-smaps")["works"], false);
  for (const char* name : {"+ CAP_SYS_PTRACE", "+ CAP_DAC_READ_SEARCH", "+ CAP_SYS_ADMIN"}) {
    EXPECT_EQ(row(json["privileges"], "name", name)["held"], false) << name;
  }
  const CliRun run = CliFixture::run({"doctor"});
  for (const char* name : {"CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_SYS_ADMIN"}) {
    EXPECT_NE(run.out.find(name), std::string::npos) << run.out;
  }
}

TEST_F(Doctor, ReadsPrivilegesFromItsOwnStatus) {
  effective_ = "0000000000080004";  // CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH
  const nlohmann::json levels = diagnose()["privileges"];
  EXPECT_EQ(row(levels, "name", "+ CAP_SYS_PTRACE")["held"], true);
  EXPECT_EQ(row(levels, "name", "+ CAP_DAC_READ_SEARCH")["held"], true);
  EXPECT_EQ(row(levels, "name", "+ CAP_SYS_ADMIN")["held"], false);
}

TEST_F(Doctor, SaysUnknownWhereItCannotTell) {
  effective_ = "not hex";
  EXPECT_TRUE(row(diagnose()["privileges"], "name", "+ CAP_SYS_ADMIN")["held"].is_null());
}

TEST_F(Doctor, CannotRunWithoutPagemap) {
  capabilities.pagemap = false;
  EXPECT_EQ(CliFixture::run({"doctor"}).exit_code, 77);
}

}  // namespace
}  // namespace smaps_audit
