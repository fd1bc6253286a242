// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/connection_table.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <vector>

#include "base/unique_fd.h"

namespace smaps_audit {
namespace {

using std::chrono::seconds;
using Clock = ConnectionTable::Clock;

struct Pair {
  UniqueFd near;
  UniqueFd far;
};

Pair make_pair_of_sockets() {
  std::array<int, 2> ends{};
  EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {.near = UniqueFd(ends[0]), .far = UniqueFd(ends[1])};
}

bool was_shut_down(const Pair& pair) {
  pollfd watched{pair.far.get(), POLLRDHUP, 0};
  return ::poll(&watched, 1, 0) == 1;
}

ClientAddress from(std::uint8_t last) { return {.bytes = {10, 0, 0, last, 0, 0, 0, 0, 4}}; }

class ConnectionTableTest : public testing::Test {
 protected:
  Admission admit(const Pair& pair, std::uint8_t address, seconds at,
                  PeerKind kind = PeerKind::tcp) {
    return table.admit(pair.near.get(), kind, from(address), 7, begun + at);
  }

  Clock::time_point begun = Clock::now();
  ConnectionTable table{WebLimits{.connections = 3,
                                  .connections_per_address = 2,
                                  .request = seconds(10),
                                  .idle = seconds(30),
                                  .answer = seconds(60)}};
  std::vector<Pair> pairs = [] {
    std::vector<Pair> made;
    made.reserve(5);
    for (int i = 0; i < 5; ++i) made.push_back(make_pair_of_sockets());
    return made;
  }();
};

TEST_F(ConnectionTableTest, HoldsAnAddressToItsShare) {
  EXPECT_EQ(admit(pairs[0], 1, seconds(0)), Admission::admitted);
  EXPECT_EQ(admit(pairs[1], 1, seconds(0)), Admission::admitted);
  EXPECT_EQ(admit(pairs[2], 1, seconds(0)), Admission::address_limit);
  EXPECT_EQ(admit(pairs[2], 2, seconds(0)), Admission::admitted);
  table.leave(pairs[0].near.get());
  EXPECT_EQ(admit(pairs[0], 1, seconds(0)), Admission::admitted);
  EXPECT_EQ(table.size(), 3U);
  EXPECT_EQ(table.size_of(7), 3U);
  EXPECT_EQ(table.size_of(8), 0U);
  EXPECT_EQ(table.address_of(pairs[2].near.get()), from(2));
}

TEST_F(ConnectionTableTest, DoesNotCountUnixSocketsByAddress) {
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(admit(pairs[i], 0, seconds(0), PeerKind::unix_socket), Admission::admitted);
  }
}

TEST_F(ConnectionTableTest, LetsTheLongestIdleMakeRoom) {
  admit(pairs[0], 1, seconds(0));
  admit(pairs[1], 2, seconds(1));
  admit(pairs[2], 3, seconds(2));
  table.request_whole(pairs[0].near.get(), begun + seconds(2));
  EXPECT_EQ(admit(pairs[3], 4, seconds(5)), Admission::admitted_after_eviction);
  EXPECT_FALSE(was_shut_down(pairs[0])) << "it is being answered";
  EXPECT_TRUE(was_shut_down(pairs[1]));
  EXPECT_FALSE(was_shut_down(pairs[2]));
}

TEST_F(ConnectionTableTest, RefusesWhenNobodyIdles) {
  admit(pairs[0], 1, seconds(0));
  admit(pairs[1], 2, seconds(0));
  admit(pairs[2], 3, seconds(0));
  EXPECT_EQ(admit(pairs[3], 4, seconds(0)), Admission::total_limit) << "they have only just come";
  for (std::size_t i = 0; i < 3; ++i) table.request_whole(pairs[i].near.get(), begun);
  EXPECT_EQ(admit(pairs[3], 4, seconds(9)), Admission::total_limit) << "they are being answered";
}

TEST_F(ConnectionTableTest, EndsWhatTakesTooLong) {
  admit(pairs[0], 1, seconds(0));
  admit(pairs[1], 2, seconds(0));
  admit(pairs[2], 3, seconds(0));
  table.request_begun(pairs[1].near.get(), begun + seconds(5));
  table.answered(pairs[2].near.get(), begun + seconds(1));
  EXPECT_EQ(table.expire(begun + seconds(9)), 0U);
  EXPECT_EQ(table.expire(begun + seconds(10)), 1U) << "no request at all";
  EXPECT_TRUE(was_shut_down(pairs[0]));
  EXPECT_EQ(table.expire(begun + seconds(11)), 0U) << "only once";
  EXPECT_EQ(table.expire(begun + seconds(15)), 1U) << "half a request";
  EXPECT_TRUE(was_shut_down(pairs[1]));
  EXPECT_EQ(table.expire(begun + seconds(31)), 0U) << "to end an idle connection hurts nobody";
  EXPECT_TRUE(was_shut_down(pairs[2]));
}

TEST_F(ConnectionTableTest, EndsReadersThatStall) {
  admit(pairs[0], 1, seconds(0));
  table.request_whole(pairs[0].near.get(), begun);
  EXPECT_EQ(table.expire(begun + seconds(59)), 0U);
  EXPECT_EQ(table.expire(begun + seconds(60)), 1U);
}

TEST_F(ConnectionTableTest, TellsWhatWasSeen) {
  admit(pairs[0], 1, seconds(0));
  ConnectionTable::Seen seen = table.leave(pairs[0].near.get());
  EXPECT_FALSE(seen.any_request_line);
  EXPECT_TRUE(seen.within_request);
  admit(pairs[0], 1, seconds(0));
  table.request_begun(pairs[0].near.get(), begun);
  table.request_whole(pairs[0].near.get(), begun);
  table.answered(pairs[0].near.get(), begun);
  seen = table.leave(pairs[0].near.get());
  EXPECT_TRUE(seen.any_request_line);
  EXPECT_FALSE(seen.within_request);
}

TEST_F(ConnectionTableTest, IgnoresWhatItDoesNotKnow) {
  table.request_begun(12345, begun);
  EXPECT_FALSE(table.leave(12345).within_request);
  EXPECT_EQ(table.address_of(12345), ClientAddress{});
  EXPECT_EQ(table.size(), 0U);
}

TEST_F(ConnectionTableTest, TakesANumberThatComesAgainForANewConnection) {
  admit(pairs[0], 1, seconds(0));
  admit(pairs[0], 2, seconds(3));
  EXPECT_EQ(table.size(), 1U);
  EXPECT_EQ(table.address_of(pairs[0].near.get()), from(2));
}

}  // namespace
}  // namespace smaps_audit
