// SPDX-License-Identifier: Apache-2.0
#include "cli/host_series.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "cli_fixture.h"

namespace smaps_audit {
namespace {

using Paths = std::vector<std::string>;

TEST(MemoryStatPaths, TakeTheWordsOfCgroupOptions) {
  const Paths wanted{"fs/cgroup/a/b/memory.stat", "fs/cgroup/memory/a/b/memory.stat"};
  for (const char* path : {"/a/b", "a/b", "/a/b/", "/sys/fs/cgroup/a/b"}) {
    EXPECT_EQ(memory_stat_paths(path, "/sys"), wanted) << path;
  }
  EXPECT_EQ(memory_stat_paths("/", "/sys").front(), "fs/cgroup/memory.stat");
  EXPECT_EQ(memory_stat_paths("/sys/fs/cgroup/memory/a", "/sys/").front(),
            "fs/cgroup/memory/a/memory.stat");
  EXPECT_EQ(memory_stat_paths("/sys/fs/cgroupies/a", "/sys").front(),
            "fs/cgroup/sys/fs/cgroupies/a/memory.stat");
}

/// One process with 1 GiB, and counters that say so.
void add_host(FakeKernelView& kernel, const std::string& anon_pages) {
  kernel.set_directory("/proc/.", {"7"});
  kernel.set_link("/proc/./self", "42");
  add_process(kernel, 7, "postgres", 100, "0::/a\n");
  std::string stat = "7 (postgres) S 1 1 1 0 -1 0";
  for (int field = 10; field <= 52; ++field) stat += field == 20 ? " 1" : " 0";
  kernel.set_file("/proc/7/stat", stat + "\n");
  kernel.set_file("/proc/7/smaps_rollup",
                  "55d700000000-7ffc00000000 ---p 00000000 00:00 0 [rollup]\nRss: 1048576 kB\n"
                  "Pss: 1048576 kB\nPss_Anon: 1048576 kB\nPss_File: 0 kB\nPss_Shmem: 0 kB\n");
  kernel.set_file("/proc/loadavg", "0.1 0.1 0.1 1/1 9\n");
  kernel.set_file("/proc/self/mountinfo", "\n");
  kernel.set_file("/proc/meminfo", "AnonPages: " + anon_pages + " kB\n");
  kernel.set_file("/sys/fs/cgroup/a/memory.stat", "anon 4294967296\n");
}

nlohmann::json notes_of(const std::vector<std::string>& selection, const std::string& anon_pages) {
  CliFixture cli;
  cli.kernel = [&](FakeKernelView& kernel) { add_host(kernel, anon_pages); };
  std::vector<std::string> words{"check", "--format", "json"};
  words.insert(words.end(), selection.begin(), selection.end());
  const CliRun run = cli.run(words);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return nlohmann::json::parse(run.out)["notes"];
}

TEST(HostNotes, AreEmptyWhereAllIsWell) { EXPECT_TRUE(notes_of({"--all"}, "1048576").empty()); }

TEST(HostNotes, TellOfMemoryThatNoProcessShowsAndLeaveTheExitCode) {
  const nlohmann::json notes = notes_of({"--all"}, "4194304");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0]["check"], "I13");
  EXPECT_EQ(notes[0]["direction"], "deficit");
  EXPECT_TRUE(notes[0]["cgroup"].is_null());
}

TEST(HostNotes, AreOfTheCgroupWhereOneIsSelected) {
  const nlohmann::json notes = notes_of({"--cgroup", "/a"}, "4194304");
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_EQ(notes[0]["check"], "I14");
  EXPECT_EQ(notes[0]["cgroup"], "/a");
}

TEST(HostNotes, AreNotAskedOfNamedProcesses) { EXPECT_TRUE(notes_of({"7"}, "4194304").empty()); }

}  // namespace
}  // namespace smaps_audit
