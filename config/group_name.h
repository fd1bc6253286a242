// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace smaps_audit {

/// Where the groups that are not exported are summed up; no group may have that name.
inline constexpr std::string_view kOtherGroup = "other";
/// The group of processes without a unit and in the root cgroup.
inline constexpr std::string_view kNoGroup = "none";
/// Of a group's name, in bytes.
inline constexpr std::size_t kLongestGroupName = 64;

/// The name that a unit, or where there is none a cgroup's path, gives to a group: without what
/// tells one run from the next (ids of containers, sessions, pods, instances of templates), so that
/// the number of groups stays what an administrator would count. Empty: none.
///
///   docker-<64 hex>.scope                  docker.scope
///   cri-containerd-<hex>.scope in a pod    kubepods-burstable.slice (pods go by their slice)
///   session-7.scope, run-u12.scope         session.scope, run.scope
///   postgresql@15-main.service             postgresql@.service
///   machine-qemu\x2d3\x2dweb.scope         machine-qemu.scope
///   /docker/<64 hex>, no unit              docker
///
/// Printable ASCII, at most kLongestGroupName bytes, never kOtherGroup: other bytes become \xNN.
std::string group_name(std::string_view unit, std::string_view cgroup);

}  // namespace smaps_audit
