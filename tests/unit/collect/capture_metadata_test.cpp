// SPDX-License-Identifier: Apache-2.0
#include "collect/capture_metadata.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/collect/capture_samples.h"

namespace smaps_audit {
namespace {

/// The JSON of the sample with one piece of text replaced.
std::string edited_json(const std::string& from, const std::string& to) {
  std::string json = capture_metadata_to_json(sample_metadata());
  const std::size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from << " is not in " << json;
  return at == std::string::npos ? json : json.replace(at, from.size(), to);
}

std::string error_of(const std::string& json) {
  const Result<CaptureMetadata> metadata = capture_metadata_from_json(json);
  return metadata ? "no error" : metadata.error().what;
}

TEST(CaptureMetadata, ComesBackWithEveryField) {
  const CaptureMetadata given = sample_metadata();
  const Result<CaptureMetadata> read = capture_metadata_from_json(capture_metadata_to_json(given));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->tool_version, given.tool_version);
  EXPECT_EQ(read->host.kernel_release, given.host.kernel_release);
  EXPECT_EQ(read->host.machine, given.host.machine);
  EXPECT_EQ(read->host.boot_id, given.host.boot_id);
  EXPECT_EQ(read->host.pages, given.host.pages);
  EXPECT_EQ(read->host.pmd_bytes_assumed, given.host.pmd_bytes_assumed);
  EXPECT_EQ(read->host.cpus, given.host.cpus);
  EXPECT_EQ(read->host.numa_nodes, given.host.numa_nodes);
  EXPECT_EQ(read->host.numa_balancing, given.host.numa_balancing);
  EXPECT_EQ(read->host.thp, given.host.thp);
  EXPECT_EQ(read->capabilities, given.capabilities);
  EXPECT_EQ(read->pid, given.pid);
  EXPECT_EQ(read->full_series, given.full_series);
  EXPECT_EQ(read->frozen, given.frozen);
  EXPECT_EQ(read->uid, given.uid);
  EXPECT_EQ(read->deadline_ns, given.deadline_ns);
  EXPECT_EQ(read->comm, given.comm);
}

TEST(CaptureMetadata, KeepsAnyByteOfTheNameOfTheProcess) {
  CaptureMetadata metadata = sample_metadata();
  metadata.comm.clear();
  for (int byte = 0; byte < 256; ++byte) metadata.comm += static_cast<char>(byte);
  const auto read = capture_metadata_from_json(capture_metadata_to_json(metadata));
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->comm, metadata.comm);
}

TEST(CaptureMetadata, NamesTheKeyThatIsMissing) {
  EXPECT_EQ(error_of(edited_json("\"pid\"", "\"pod\"")), "the metadata's \"pid\" is missing");
  EXPECT_EQ(error_of(edited_json("\"cpus\":2,", "")), "the metadata's \"host.cpus\" is missing");
  EXPECT_EQ(error_of(edited_json("\"boot_id\"", "\"b\"")),
            "the metadata's \"host.boot_id\" is missing");
  EXPECT_EQ(error_of(edited_json("\"low\"", "\"l\"")),
            "the metadata's \"capabilities.huge_zero_pfns.low\" is missing");
  EXPECT_EQ(error_of("{}"), "the metadata's \"tool_version\" is missing");
}

TEST(CaptureMetadata, KeysThatCameLaterMayBeMissing) {
  for (const std::string key : {"mapcount_per_page", "scan_tells_guard"}) {
    const auto read = capture_metadata_from_json(edited_json("\"" + key + "\"", "\"other\""));
    ASSERT_TRUE(read) << read.error().message();
    EXPECT_FALSE(key == "mapcount_per_page" ? read->capabilities.mapcount_per_page
                                            : read->capabilities.scan_tells_guard);
    EXPECT_EQ(error_of(edited_json("\"" + key + "\":true", "\"" + key + "\":1")),
              "the metadata's \"capabilities." + key + "\" must be true or false");
  }
}

TEST(CaptureMetadata, NamesTheKeyThatIsMistyped) {
  const std::string pid = "\"pid\":1234";
  EXPECT_EQ(error_of(edited_json(pid, "\"pid\":\"1234\"")),
            "the metadata's \"pid\" must be an integer that fits");
  EXPECT_EQ(error_of(edited_json(pid, "\"pid\":4294967296")),
            "the metadata's \"pid\" must be an integer that fits");
  EXPECT_EQ(error_of(edited_json("\"uid\":65534", "\"uid\":-1")),
            "the metadata's \"uid\" must be an integer that fits");
  EXPECT_EQ(error_of(edited_json("\"frozen\":false", "\"frozen\":0")),
            "the metadata's \"frozen\" must be true or false");
  EXPECT_EQ(error_of(edited_json("\"thp\":\"madvise\"", "\"thp\":\"\\u20ac\"")),
            "the metadata's \"host.thp\" must be a string of bytes");
  EXPECT_EQ(error_of(edited_json("\"exact\"", "\"maybe\"")),
            "the metadata's \"capabilities.rss_counters\" must be \"exact\", "
            "\"per_thread\" or \"bounded\"");
  EXPECT_EQ(error_of(edited_json("\"high\":1023", "\"high\":5")),
            "the metadata's \"capabilities.huge_zero_pfns.high\" must not be less than low");
}

TEST(CaptureMetadata, RejectsPageSizesThatDivideNothing) {
  EXPECT_EQ(error_of(edited_json("\"page_bytes\":4096", "\"page_bytes\":0")),
            "the metadata's \"host.page_bytes\" must be a power of two");
  EXPECT_EQ(error_of(edited_json("\"pmd_bytes\":2097152", "\"pmd_bytes\":2048")),
            "the metadata's \"host.pmd_bytes\" must not be less than page_bytes");
}

TEST(CaptureMetadata, RejectsWhatIsNoObject) {
  EXPECT_EQ(error_of("{"), "the metadata is not JSON");
  EXPECT_EQ(error_of("[1]"), "the metadata is not a JSON object");
  EXPECT_EQ(error_of("\xff\xfe"), "the metadata is not JSON");
}

TEST(CaptureMetadata, IgnoresKeysItDoesNotKnow) {
  EXPECT_EQ(error_of(edited_json("\"pid\"", "\"later\":[1,{}],\"pid\"")), "no error");
}

}  // namespace
}  // namespace smaps_audit
