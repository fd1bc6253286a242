// SPDX-License-Identifier: Apache-2.0
// MmSharing against a host made of values in which everything happens at random: fork, clone with
// CLONE_VM, execve, exit, the exit of a leader alone, and pids that are used again at once. After
// each step what is kept must say what a look at everybody says.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "collect/mm_sharing.h"
#include "tests/unit/collect/fake_process.h"

namespace smaps_audit {
namespace {

constexpr int kLastPid = 14;
constexpr int kSteps = 4000;

class World {
 public:
  explicit World(unsigned seed) : random_(seed) { groups_[7] = {.mm = new_mm(1), .inode = 1}; }

  void step() {
    const int pid = any_pid();
    Group& group = groups_.at(pid);
    switch (random_() % 8) {
      case 0:
      case 1: make_child(new_mm(starts_.at(group.mm))); return;
      case 2:
      case 3: make_child(group.mm); return;
      case 4:
      case 5: group = {.mm = new_mm(random_() % 3), .inode = group.inode}; return;
      case 6:
        if (pid == 7) {
          // The target ends, and another makes one with its pid.
          groups_[7] = {.mm = groups_.at(any_pid()).mm, .inode = ++inodes_};
          ++forks_;
        } else {
          groups_.erase(pid);
        }
        return;
      default:
        if (pid != 7) group.leader_lives = false;
        return;
    }
  }

  void publish(FakeKernelView& view) const {
    std::vector<std::string> names;
    for (int pid = 7; pid <= kLastPid; ++pid) {
      const auto found = groups_.find(pid);
      const std::string directory = "/proc/./" + std::to_string(pid);
      if (found == groups_.end()) {
        view.remove(directory);
        view.set_same_mm(7, pid, false);
        view.set_same_mm(7, 100 + pid, false);
        continue;
      }
      names.push_back(std::to_string(pid));
      publish(view, directory, pid, found->second);
    }
    view.set_directory("/proc/.", names);
    view.set_file("/proc/stat", "processes " + std::to_string(forks_) + "\n");
    for (const auto& [pid, group] : groups_) {
      const bool same = group.mm == groups_.at(7).mm;
      view.set_same_mm(7, pid, group.leader_lives && same);
      view.set_same_mm(7, 100 + pid, same);
    }
  }

  std::uint64_t starts() const { return starts_.at(groups_.at(7).mm); }
  bool shared() const {
    const std::size_t mm = groups_.at(7).mm;
    return std::any_of(groups_.begin(), groups_.end(),
                       [mm](const auto& each) { return each.first != 7 && each.second.mm == mm; });
  }

 private:
  struct Group {
    std::size_t mm = 0;
    std::uint64_t inode = 0;
    bool leader_lives = true;
  };

  static void publish(FakeKernelView& view, const std::string& directory, int pid,
                      const Group& group, std::uint64_t starts) {
    FakeKernelView unused;
    FakeProcess told{unused};
    told.start_code = 0x1000 + starts;
    told.threads = 2;
    view.set_identity(directory, {1, group.inode, 0});
    view.set_directory(directory + "/task", {std::to_string(pid), std::to_string(100 + pid)});
    view.set_file(directory + "/task/" + std::to_string(100 + pid) + "/stat", told.stat());
    told.state = group.leader_lives ? 'S' : 'Z';
    view.set_file(directory + "/stat", told.stat());
  }
  void publish(FakeKernelView& view, const std::string& directory, int pid,
               const Group& group) const {
    publish(view, directory, pid, group, starts_.at(group.mm));
  }

  std::size_t new_mm(std::uint64_t starts) {
    starts_.push_back(starts);
    return starts_.size() - 1;
  }
  int any_pid() {
    auto at = groups_.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(random_() % groups_.size()));
    return at->first;
  }
  void make_child(std::size_t mm) {
    for (int pid = 8; pid <= kLastPid; ++pid) {
      if (groups_.contains(pid)) continue;
      groups_[pid] = {.mm = mm, .inode = ++inodes_};
      ++forks_;
      return;
    }
  }

  std::mt19937 random_;
  std::map<int, Group> groups_;
  std::vector<std::uint64_t> starts_;
  std::uint64_t inodes_ = 1;
  std::uint64_t forks_ = 1;
};

TEST(MmSharingModel, WhatIsKeptSaysWhatALookAtEverybodySays) {
  int shared = 0;
  for (const unsigned seed : {1U, 2U, 3U}) {
    World world{seed};
    FakeKernelView view;
    FakeProcess process{view};
    process.vmas = {{.range = {0x10000, 0x20000}, .pages = 4}};
    MmSharing sharing;
    std::mt19937 pace{seed};
    for (int step = 0; step < kSteps; ++step) {
      world.step();
      if (pace() % 3 == 0) continue;
      process.start_code = 0x1000 + world.starts();
      process.publish();
      world.publish(view);
      RefusedTarget refused;
      const auto target = Target::open(view, 7, refused);
      ASSERT_TRUE(target.ok());
      ASSERT_EQ(sharing.may_be_shared(view, *target), world.shared())
          << "seed " << seed << ", step " << step;
      shared += world.shared() ? 1 : 0;
    }
  }
  EXPECT_GT(shared, 100);  // else nothing was tried
}

}  // namespace
}  // namespace smaps_audit
