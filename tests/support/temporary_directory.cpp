// SPDX-License-Identifier: Apache-2.0
#include "tests/support/temporary_directory.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <system_error>

namespace smaps_audit {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  std::cerr << "test support: " << what << '\n';
  std::abort();
}

}  // namespace

TemporaryDirectory::TemporaryDirectory()
    : path_((std::filesystem::temp_directory_path() / "smaps-audit-test.XXXXXX").string()) {
  if (::mkdtemp(path_.data()) == nullptr) give_up("cannot create " + path_);
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string TemporaryDirectory::file(std::string_view name) const {
  return path_ + "/" + std::string{name};
}

std::vector<std::string> TemporaryDirectory::names() const {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator{path_}) {
    names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void show_only_process(const TemporaryDirectory& proc_root, int pid) {
  for (const std::string& name : {std::to_string(pid), std::string{"vmstat"}}) {
    std::filesystem::create_symlink("/proc/" + name, proc_root.file(name));
  }
}

std::string read_whole_file(const std::string& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) give_up("cannot open " + path);
  return {std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{}};
}

void write_whole_file(const std::string& path, std::string_view content) {
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  file.close();
  if (!file) give_up("cannot write " + path);
}

}  // namespace smaps_audit
