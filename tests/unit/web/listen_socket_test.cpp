// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "daemon/web/bind_address.h"
#include "tests/support/temporary_directory.h"

namespace smaps_audit {
namespace {

Result<ListenSocket> open(const std::string& text, const std::string& group = "") {
  const auto address = parse_listen_address(text);
  if (!address) return address.error();
  return open_listen_socket(*address, group);
}

bool mentions(const Error& error, std::string_view words) {
  return error.message().find(words) != std::string::npos;
}

TEST(ListenSocket, SaysWhichPortItGot) {
  const auto socket = open("127.0.0.1:0");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->kind(), PeerKind::tcp);
  EXPECT_TRUE(socket->text().starts_with("127.0.0.1:")) << socket->text();
  EXPECT_NE(socket->text(), "127.0.0.1:0");
}

TEST(ListenSocket, NamesTheAddressThatIsTaken) {
  const auto first = open("127.0.0.1:0");
  ASSERT_TRUE(first);
  const auto second = open(first->text());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().errno_value, EADDRINUSE);
  EXPECT_EQ(second.error().file, first->text());
  EXPECT_TRUE(mentions(second.error(), "choose another port")) << second.error().message();
}

TEST(ListenSocket, RefusesAnAddressThatIsNotOurs) {
  const auto socket = open("192.0.2.1:0");
  ASSERT_FALSE(socket);
  EXPECT_TRUE(
      mentions(socket.error(), "192.0.2.1:0: cannot listen: this machine has no such address"))
      << socket.error().message();
}

TEST(ListenSocket, RefusesNames) {
  const auto socket = open("example.invalid:0");
  ASSERT_FALSE(socket);
  EXPECT_TRUE(mentions(socket.error(), "instead of a name")) << socket.error().message();
}

TEST(ListenSocket, ListensOnAllAddresses) {
  const auto socket = open(":0");
  ASSERT_TRUE(socket) << socket.error().message();
  EXPECT_TRUE(socket->text().starts_with("[::]:") || socket->text().starts_with("0.0.0.0:"));
}

TEST(ListenSocket, LetsTheGroupReadAUnixSocketAndNobodyElse) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("http.sock");
  {
    const auto socket = open("unix:" + path, ::geteuid() == 0 ? "root" : "");
    ASSERT_TRUE(socket) << socket.error().message();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0660U);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    if (::geteuid() == 0) {
      EXPECT_EQ(status.st_gid, 0U);
    }
  }
  EXPECT_TRUE(directory.names().empty()) << "its file goes with it";
}

TEST(ListenSocket, ReplacesWhatADeadProcessLeft) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("http.sock");
  {
    auto dead = open("unix:" + path);
    ASSERT_TRUE(dead);
    ASSERT_EQ(::link(path.c_str(), directory.file("kept").c_str()), 0);
  }
  ASSERT_EQ(::rename(directory.file("kept").c_str(), path.c_str()), 0);
  const auto socket = open("unix:" + path);
  EXPECT_TRUE(socket) << socket.error().message();
}

TEST(ListenSocket, DoesNotTakeALiveSocketAway) {
  const TemporaryDirectory directory;
  const std::string text = "unix:" + directory.file("http.sock");
  const auto first = open(text);
  ASSERT_TRUE(first);
  const auto second = open(text);
  ASSERT_FALSE(second);
  EXPECT_TRUE(mentions(second.error(), "another process listens there"))
      << second.error().message();
  EXPECT_EQ(directory.names().size(), 1U);
}

TEST(ListenSocket, DoesNotRemoveWhatIsNoSocket) {
  const TemporaryDirectory directory;
  write_whole_file(directory.file("file"), "precious");
  const auto socket = open("unix:" + directory.file("file"));
  ASSERT_FALSE(socket);
  EXPECT_TRUE(mentions(socket.error(), "not a socket")) << socket.error().message();
  EXPECT_EQ(read_whole_file(directory.file("file")), "precious");
}

TEST(ListenSocket, LeavesTheSocketOfASuccessorAlone) {
  const TemporaryDirectory directory;
  const std::string path = directory.file("http.sock");
  {
    const auto socket = open("unix:" + path);
    ASSERT_TRUE(socket);
    ASSERT_EQ(::unlink(path.c_str()), 0);
    write_whole_file(path, "another's");
  }
  EXPECT_EQ(read_whole_file(path), "another's");
}

TEST(ListenSocket, SaysWhyAUnixPathIsNoUse) {
  const TemporaryDirectory directory;
  const auto missing = open("unix:" + directory.file("none") + "/http.sock");
  ASSERT_FALSE(missing);
  EXPECT_TRUE(mentions(missing.error(), "its directory must exist")) << missing.error().message();
  const auto too_long = open("unix:" + directory.file(std::string(120, 'x')));
  ASSERT_FALSE(too_long);
  EXPECT_TRUE(mentions(too_long.error(), "at most 107 bytes")) << too_long.error().message();
  const auto no_group = open("unix:" + directory.file("http.sock"), "no-such-group-here");
  ASSERT_FALSE(no_group);
  EXPECT_TRUE(mentions(no_group.error(), "no group \"no-such-group-here\""))
      << no_group.error().message();
  EXPECT_TRUE(directory.names().empty());
}

TEST(ListenSocket, SaysThatSystemdHandedOverNothing) {
  ASSERT_EQ(::unsetenv("LISTEN_FDS"), 0);
  const auto sockets = sockets_from_systemd();
  ASSERT_FALSE(sockets);
  EXPECT_TRUE(mentions(sockets.error(), "smaps-auditd.socket")) << sockets.error().message();
}

}  // namespace
}  // namespace smaps_audit
