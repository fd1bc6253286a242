// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace smaps_audit {

/// A fresh directory, removed with all that is in it. Aborts the test program if there is none to
/// be had: no test means anything then.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const;
  /// Names in it, sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string path_;
};

/// Makes it a proc root of one process: an audit looks at every process for one that shares the mm,
/// and those of this machine come and go.
void show_only_process(const TemporaryDirectory& proc_root, int pid);

std::string read_whole_file(const std::string& path);
void write_whole_file(const std::string& path, std::string_view content);

}  // namespace smaps_audit
