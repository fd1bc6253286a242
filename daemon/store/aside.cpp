// SPDX-License-Identifier: Apache-2.0
#include "daemon/store/aside.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

#include "daemon/store/wall_time.h"

namespace smaps_audit::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMark = ".corrupt-";

// What is not there needs no moving.
Result<Ok> rename_if_there(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0 || errno == ENOENT) return Ok{};
  return error_from_errno(errno, "it cannot be moved aside", from);
}

// Their names end in the time, so that the oldest sort first.
void keep_newest(const std::string& directory, const std::string& prefix) {
  std::error_code error;
  std::vector<fs::path> found;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    const bool journal = name.ends_with("-wal") || name.ends_with("-shm");
    if (name.starts_with(prefix) && !journal) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  for (std::size_t i = 0; i + kKeptAside < found.size(); ++i) {
    fs::remove_all(found[i], error);
    for (const char* suffix : {"-wal", "-shm"}) fs::remove(found[i].string() + suffix, error);
  }
}

std::string free_name(const std::string& stem) {
  constexpr int kMostNames = 1000;
  std::string name = stem;
  std::error_code error;
  for (int number = 2; fs::exists(name, error) && number <= kMostNames; ++number) {
    name = stem + "-" + std::to_string(number);
  }
  return name;
}

}  // namespace

Result<std::string> move_aside(const std::string& directory, WallTime now) {
  const std::string database = directory + "/" + kDatabaseFile;
  const std::string captures = directory + "/" + kCapturesFolder;
  const std::string moved = free_name(database + kMark + compact_time(now));
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const Result<Ok> renamed = rename_if_there(database + suffix, moved + suffix);
    if (!renamed) return renamed.error();
  }
  const Result<Ok> renamed =
      rename_if_there(captures, free_name(captures + kMark + compact_time(now)));
  if (!renamed) return renamed.error();
  keep_newest(directory, std::string{kDatabaseFile} + kMark);
  keep_newest(directory, std::string{kCapturesFolder} + kMark);
  return moved;
}

}  // namespace smaps_audit::store
