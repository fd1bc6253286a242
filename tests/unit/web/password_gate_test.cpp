// SPDX-License-Identifier: Apache-2.0
#include "daemon/web/password_gate.h"

#include <crypt.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <vector>

namespace smaps_audit {
namespace {

std::string hash_of(const std::string& password,
                    const char* salt = "$2y$04$abcdefghijklmnopqrstuu") {
  crypt_data workspace{};
  return ::crypt_r(password.c_str(), salt, &workspace);
}

ClientAddress from(std::uint8_t last) { return {.bytes = {10, 0, 0, last, 0, 0, 0, 0, 4}}; }

/// Collects answers; wait(n) until there are n.
class Answers {
 public:
  PasswordGate::Done taker() {
    return [this](PasswordAnswer answer) {
      const std::lock_guard lock(mutex_);
      given_.push_back(answer);
      more_.notify_all();
    };
  }
  std::vector<PasswordAnswer> wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return given_.size() >= count; });
    return given_;
  }
  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return given_.size();
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::vector<PasswordAnswer> given_;
};

std::unique_ptr<PasswordGate> gate_with(PasswordLimits limits) {
  limits.rest_factor = 0;
  auto gate = PasswordGate::create(limits);
  EXPECT_TRUE(gate);
  return *std::move(gate);
}

/// Costly enough to be still at work while a test fills the queue.
const std::string kSlowHash = "$2y$12$abcdefghijklmnopqrstuu" + std::string(31, '.');

const PasswordGate::Users kUsers{{"alice", hash_of("right")}};

TEST(PasswordGate, RemembersWhatWasRight) {
  const auto gate = gate_with({});
  const Credentials good{"alice", "right"};
  EXPECT_EQ(gate->recall(kUsers, good, from(1)), PasswordAnswer::unknown);
  Answers answers;
  gate->submit(kUsers, good, from(1), answers.taker());
  EXPECT_EQ(answers.wait(1).front(), PasswordAnswer::right);
  EXPECT_EQ(gate->recall(kUsers, good, from(1)), PasswordAnswer::right);
  EXPECT_EQ(gate->recall(kUsers, good, from(2)), PasswordAnswer::right);
  gate->submit(kUsers, good, from(1), answers.taker());
  EXPECT_EQ(answers.wait(2).back(), PasswordAnswer::right) << "answered from memory";
}

TEST(PasswordGate, RemembersWhatWasWrong) {
  const auto gate = gate_with({});
  const Credentials bad{"alice", "wrong"};
  Answers answers;
  gate->submit(kUsers, bad, from(1), answers.taker());
  EXPECT_EQ(answers.wait(1).front(), PasswordAnswer::wrong);
  EXPECT_EQ(gate->recall(kUsers, bad, from(1)), PasswordAnswer::wrong);
}

TEST(PasswordGate, RefusesUsersWhoAreNotThere) {
  const auto gate = gate_with({});
  Answers answers;
  gate->submit(kUsers, {"bob", "right"}, from(1), answers.taker());
  gate->submit({}, {"bob", "right"}, from(2), answers.taker());
  for (const PasswordAnswer answer : answers.wait(2)) EXPECT_EQ(answer, PasswordAnswer::wrong);
}

TEST(PasswordGate, AsksAgainAfterThePasswordWasChanged) {
  const auto gate = gate_with({});
  Answers answers;
  gate->submit(kUsers, {"alice", "right"}, from(1), answers.taker());
  answers.wait(1);
  const PasswordGate::Users changed{{"alice", hash_of("other")}};
  EXPECT_EQ(gate->recall(changed, {"alice", "right"}, from(1)), PasswordAnswer::unknown);
  EXPECT_NE(gate->recall({}, {"alice", "right"}, from(1)), PasswordAnswer::right);
}

TEST(PasswordGate, StopsLookingAfterTooManyFailuresOfAnAddress) {
  const auto gate = gate_with({.failures_per_address = 3, .forgiven_per_second = 1e-9});
  Answers answers;
  for (std::size_t i = 0; i < 3; ++i) {
    const Credentials bad{"alice", "wrong" + std::to_string(i)};
    ASSERT_EQ(gate->recall(kUsers, bad, from(1)), PasswordAnswer::unknown);
    gate->submit(kUsers, bad, from(1), answers.taker());
    answers.wait(i + 1);
  }
  // The third left a little less than three: what is forgotten meanwhile is next to nothing, but
  // not zero.
  gate->submit(kUsers, {"alice", "once more"}, from(1), answers.taker());
  answers.wait(4);
  EXPECT_EQ(gate->recall(kUsers, {"alice", "wrong again"}, from(1)), PasswordAnswer::too_many);
  EXPECT_EQ(gate->recall(kUsers, {"alice", "right"}, from(1)), PasswordAnswer::too_many);
  EXPECT_EQ(gate->recall(kUsers, {"alice", "right"}, from(2)), PasswordAnswer::unknown)
      << "another address has done nothing";
}

TEST(PasswordGate, ForgivesInTime) {
  const auto gate = gate_with({.failures_per_address = 1, .forgiven_per_second = 1e9});
  Answers answers;
  gate->submit(kUsers, {"alice", "wrong"}, from(1), answers.taker());
  answers.wait(1);
  EXPECT_EQ(gate->recall(kUsers, {"alice", "right"}, from(1)), PasswordAnswer::unknown);
}

TEST(PasswordGate, KeepsItsMemoryOfAddressesBounded) {
  const auto gate =
      gate_with({.forgiven_per_second = 0, .addresses_remembered = 2, .results_remembered = 2});
  Answers answers;
  for (std::uint8_t i = 0; i < 8; ++i) {
    gate->submit(kUsers, {"alice", "wrong" + std::to_string(i)}, from(i), answers.taker());
    answers.wait(i + 1U);
  }
  std::size_t remembered = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    const auto answer = gate->recall(kUsers, {"alice", "wrong" + std::to_string(i)}, from(99));
    remembered += answer == PasswordAnswer::wrong ? 1U : 0U;
  }
  EXPECT_EQ(remembered, 2U);
}

TEST(PasswordGate, BoundsTheQueueAndSharesEqualQuestions) {
  const auto gate = gate_with({.queue_length = 3, .queued_per_address = 2});
  const PasswordGate::Users slow{{"alice", kSlowHash}};
  Answers answers;
  Answers refused;
  gate->submit(slow, {"alice", "at work"}, from(1), answers.taker());
  // Until it is at work it stands in the queue: the same question finds it in both places.
  gate->submit(slow, {"alice", "at work"}, from(1), answers.taker());
  const auto in_queue = [&](std::uint8_t address, const char* password) {
    gate->submit(slow, {"alice", password}, from(address), answers.taker());
  };
  in_queue(2, "a");
  in_queue(2, "b");
  in_queue(2, "b");
  gate->submit(slow, {"alice", "c"}, from(2), refused.taker());
  EXPECT_EQ(refused.wait(1).front(), PasswordAnswer::too_many)
      << "two of that address wait already";
  for (std::uint8_t i = 3; i < 8; ++i) {
    gate->submit(slow, {"alice", "d" + std::to_string(i)}, from(i), refused.taker());
  }
  // Of these five at most two found a place.
  const auto given = refused.wait(4);
  EXPECT_EQ(given[1], PasswordAnswer::overloaded);
  gate->close();
  refused.wait(6);
  for (const PasswordAnswer answer : answers.wait(5)) {
    EXPECT_TRUE(answer == PasswordAnswer::overloaded || answer == PasswordAnswer::wrong);
  }
}

TEST(PasswordGate, AnswersEverybodyWhenItCloses) {
  Answers answers;
  {
    const auto gate = gate_with({});
    const PasswordGate::Users slow{{"alice", kSlowHash}};
    gate->submit(slow, {"alice", "a"}, from(1), answers.taker());
    gate->submit(slow, {"alice", "b"}, from(2), answers.taker());
    gate->close();
    EXPECT_EQ(gate->recall(kUsers, {"alice", "right"}, from(1)), PasswordAnswer::overloaded);
    gate->submit(kUsers, {"alice", "right"}, from(3), answers.taker());
  }
  EXPECT_EQ(answers.count(), 3U);
}

}  // namespace
}  // namespace smaps_audit
