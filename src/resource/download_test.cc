// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "resource/resource.h"
#include "resource/test_http_server.h"

namespace kenning {
namespace {

using ::testing::HasSubstr;
using testing::HttpServer;
using testing::WholeAnswer;

std::string SomeBytes(std::size_t size) {
  std::string bytes(size, '\0');
  std::uint32_t state = 1;
  for (char& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

/// Answers a Range request; the whole body where there is none or If-Range does not match.
HttpServer::Answer RangeAnswer(const std::string& request, const std::string& body,
                               const std::string& etag) {
  const std::size_t at = request.find("Range: bytes=");
  const std::size_t condition = request.find("If-Range: ");
  const bool stale =
      condition != std::string::npos && request.compare(condition + 10, etag.size(), etag) != 0;
  if (at == std::string::npos || stale) return WholeAnswer(body, "ETag: " + etag + "\r\n");
  const std::size_t start = std::stoul(request.substr(at + 13));
  if (start >= body.size()) {
    return {"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n"};
  }
  return {fmt::format(
      "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {}-{}/{}\r\n"
      "ETag: {}\r\n\r\n{}",
      body.size() - start, start, body.size() - 1, body.size(), etag, body.substr(start))};
}

class DownloadTest : public ::testing::Test {
 protected:
  DownloadTest() {
    folder_ = std::filesystem::path(::testing::TempDir()) /
              fmt::format("kenning-download-{}-{}", ::getpid(),
                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  ~DownloadTest() override { std::filesystem::remove_all(folder_); }

  DownloadRequest Request(const std::string& url) const {
    return {
        .url = url, .destination = folder_ / "file.bin", .stall_timeout_s = 0.3, .backoff_s = 0.01};
  }
  Result<> Run(const DownloadRequest& request) { return Download(request, progress_, cancel_); }
  std::string Downloaded() const { return ReadFile(folder_ / "file.bin").value_or("(not there)"); }
  std::size_t FilesLeft() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_)) ++count;
    return count;
  }

  std::filesystem::path folder_;
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(DownloadTest, WholeFile) {
  const std::string body = SomeBytes(300'000);
  HttpServer server([&](const std::string&, int) { return WholeAnswer(body); });
  DownloadRequest request = Request(server.Url("x"));
  request.sha256 = Sha256Hex(body);
  const auto result = Run(request);
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Downloaded(), body);
  EXPECT_EQ(FilesLeft(), 1u);
}

TEST_F(DownloadTest, ResumesAfterABreak) {
  const std::string body = SomeBytes(200'000);
  HttpServer server([&](const std::string& request, int index) {
    HttpServer::Answer answer = RangeAnswer(request, body, "\"v1\"");
    if (index == 0) answer.bytes.resize(answer.bytes.size() / 2);
    return answer;
  });
  const auto result = Run(Request(server.Url("x")));
  ASSERT_TRUE(result) << result.error().ToString();
  EXPECT_EQ(Downloaded(), body);
  ASSERT_EQ(server.requests().size(), 2u);
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes="));
  EXPECT_THAT(server.requests()[1], HasSubstr("If-Range: \"v1\""));
}

TEST_F(DownloadTest, ResumesALaterRun) {
  const std::string body = SomeBytes(100'000);
  {
    HttpServer server([&](const std::string&, int) {
      HttpServer::Answer answer = WholeAnswer(body, "ETag: \"v1\"\r\n");
      answer.bytes.resize(60'000);
      return answer;
    });
    DownloadRequest request = Request(server.Url("x"));
    request.attempts = 1;
    EXPECT_FALSE(Run(request));
    EXPECT_EQ(Downloaded(), "(not there)");
  }
  EXPECT_TRUE(std::filesystem::exists(folder_ / "file.bin.part"));
  HttpServer server(
      [&](const std::string& request, int) { return RangeAnswer(request, body, "\"v1\""); });
  // Same path, other port: the part belongs to another URL and must not be continued.
  ASSERT_TRUE(Run(Request(server.Url("x"))));
  EXPECT_EQ(Downloaded(), body);
  EXPECT_THAT(server.requests()[0], Not(HasSubstr("Range:")));
}

TEST_F(DownloadTest, ContinuesThePartOfAnEarlierRun) {
  const std::string body = SomeBytes(100'000);
  HttpServer server([&](const std::string& request, int index) {
    HttpServer::Answer answer = RangeAnswer(request, body, "\"v1\"");
    if (index == 0) answer.bytes.resize(50'000);
    return answer;
  });
  DownloadRequest request = Request(server.Url("x"));
  request.attempts = 1;
  EXPECT_FALSE(Run(request));
  ASSERT_TRUE(Run(request));
  EXPECT_EQ(Downloaded(), body);
  EXPECT_THAT(server.requests()[1], HasSubstr("Range: bytes="));
}

TEST_F(DownloadTest, FileThatChangedIsFetchedAnew) {
  const std::string old_body = SomeBytes(100'000);
  const std::string new_body = SomeBytes(90'000) + "new";
  HttpServer server([&](const std::string& request, int index) {
    if (index > 0) return RangeAnswer(request, new_body, "\"v2\"");
    HttpServer::Answer answer = WholeAnswer(old_body, "ETag: \"v1\"\r\n");
    answer.bytes.resize(50'000);
    return answer;
  });
  ASSERT_TRUE(Run(Request(server.Url("x"))));
  EXPECT_EQ(Downloaded(), new_body);
}

TEST_F(DownloadTest, WithoutAValidatorNothingIsContinued) {
  const std::string body = SomeBytes(100'000);
  HttpServer server([&](const std::string&, int index) {
    HttpServer::Answer answer = WholeAnswer(body);
    if (index == 0) answer.bytes.resize(50'000);
    return answer;
  });
  ASSERT_TRUE(Run(Request(server.Url("x"))));
  EXPECT_EQ(Downloaded(), body);
  EXPECT_THAT(server.requests()[1], Not(HasSubstr("Range:")));
}

TEST_F(DownloadTest, StallEndsAnAttempt) {
  const std::string body = SomeBytes(1000);
  HttpServer server([&](const std::string&, int index) {
    HttpServer::Answer answer = WholeAnswer(body);
    if (index == 0) {
      answer.bytes.resize(answer.bytes.size() - 500);
      answer.hold_open_s = 0.8;
    }
    return answer;
  });
  ASSERT_TRUE(Run(Request(server.Url("x"))));
  EXPECT_EQ(Downloaded(), body);
}

TEST_F(DownloadTest, ContentLengthTooLong) {
  HttpServer server([&](const std::string&, int) {
    return HttpServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this"};
  });
  const auto result = Run(Request(server.Url("x")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kIo);
  EXPECT_THAT(result.error().message(), HasSubstr(server.Url("x")));
  EXPECT_EQ(server.requests().size(), 4u);
  EXPECT_EQ(Downloaded(), "(not there)");
}

TEST_F(DownloadTest, ContentLengthTooShortIsCaughtByTheChecksum) {
  const std::string body = SomeBytes(1000);
  HttpServer server([&](const std::string&, int) {
    return HttpServer::Answer{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + body};
  });
  DownloadRequest request = Request(server.Url("x"));
  request.sha256 = Sha256Hex(body);
  const auto result = Run(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
  EXPECT_EQ(FilesLeft(), 0u);
}

TEST_F(DownloadTest, WrongBytes) {
  HttpServer server([&](const std::string&, int) { return WholeAnswer("<html>captive</html>"); });
  DownloadRequest request = Request(server.Url("x"));
  request.sha256 = Sha256Hex("right");
  const auto result = Run(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(result.error().message(), HasSubstr(Sha256Hex("right")));
  EXPECT_EQ(FilesLeft(), 0u);
}

TEST_F(DownloadTest, NotFoundIsNotRetried) {
  HttpServer server([&](const std::string&, int) {
    return HttpServer::Answer{"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone"};
  });
  const auto result = Run(Request(server.Url("gone")));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(result.error().message(), HasSubstr("404"));
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(DownloadTest, ServerErrorsAreRetried) {
  HttpServer server([&](const std::string&, int index) {
    if (index < 2) return HttpServer::Answer{"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"};
    return WholeAnswer("fine");
  });
  ASSERT_TRUE(Run(Request(server.Url("x"))));
  EXPECT_EQ(Downloaded(), "fine");
}

TEST_F(DownloadTest, RedirectIsFollowed) {
  HttpServer server([&](const std::string& request, int) {
    if (request.starts_with("GET /b")) return WholeAnswer("moved here");
    return HttpServer::Answer{"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 3\r\n\r\nold"};
  });
  ASSERT_TRUE(Run(Request(server.Url("a"))));
  EXPECT_EQ(Downloaded(), "moved here");
}

TEST_F(DownloadTest, TooLargeIsRefused) {
  const std::string body = SomeBytes(5000);
  HttpServer server([&](const std::string&, int index) {
    if (index == 0) return WholeAnswer(body);
    return HttpServer::Answer{"HTTP/1.1 200 OK\r\n\r\n" + body};  // Without a length.
  });
  DownloadRequest request = Request(server.Url("x"));
  request.max_bytes = 4000;
  for (int i = 0; i < 2; ++i) {
    const auto result = Run(request);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kResourceExhausted);
  }
  EXPECT_EQ(Downloaded(), "(not there)");
}

TEST_F(DownloadTest, CancelledAtOnce) {
  HttpServer server([&](const std::string&, int) {
    HttpServer::Answer answer = WholeAnswer(SomeBytes(1000));
    answer.bytes.resize(300);
    answer.hold_open_s = 2;
    return answer;
  });
  DownloadRequest request = Request(server.Url("x"));
  request.stall_timeout_s = 30;
  std::thread canceller([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    cancel_.Cancel();
  });
  const std::int64_t begin = MonotonicNowNs();
  const auto result = Run(request);
  canceller.join();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCancelled);
  EXPECT_LT(MonotonicNowNs() - begin, 1'500'000'000);
}

TEST_F(DownloadTest, FullDisk) {
  const std::string body = SomeBytes(1'000'000);
  HttpServer server([&](const std::string&, int) { return WholeAnswer(body); });
  // A file-size limit is refused with EFBIG, as a full disk with ENOSPC: nothing gets its name.
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{100'000, before.rlim_max};
  ::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto result = Run(Request(server.Url("x")));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kResourceExhausted);
  EXPECT_EQ(server.requests().size(), 1u);
  EXPECT_EQ(FilesLeft(), 0u);
}

TEST_F(DownloadTest, UnwritablePlace) {
  HttpServer server([&](const std::string&, int) { return WholeAnswer("x"); });
  DownloadRequest request = Request(server.Url("x"));
  request.destination = "/proc/kenning-none/file.bin";
  const auto result = Run(request);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message(), HasSubstr("/proc/kenning-none"));
}

TEST_F(DownloadTest, NoServer) {
  std::string url;
  {
    HttpServer server([&](const std::string&, int) { return WholeAnswer(""); });
    url = server.Url("x");
  }
  url.replace(url.find("127"), 0, "user:secret@");
  const auto result = Run(Request(url));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kIo);
  EXPECT_THAT(result.error().message(), Not(HasSubstr("secret")));
}

TEST_F(DownloadTest, OtherSchemesAreRefused) {
  const auto result = Run(Request("ftp://127.0.0.1/x"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kIo);
}

TEST_F(DownloadTest, UriGoesThroughTheCacheOnce) {
  ::setenv("KENNING_CACHE_DIR", folder_.c_str(), 1);
  HttpServer server([&](const std::string&, int) { return WholeAnswer("model"); });
  for (int i = 0; i < 2; ++i) {
    const auto path = ResolveUri(server.Url("a/m.onnx?version=2"), progress_, cancel_);
    ASSERT_TRUE(path) << path.error().ToString();
    EXPECT_EQ(path->filename(), "m.onnx");
    EXPECT_EQ(ReadFile(*path).value(), "model");
  }
  EXPECT_EQ(server.requests().size(), 1u);
  ASSERT_EQ(ListCache().size(), 1u);
  EXPECT_EQ(ListCache()[0].size_bytes, 5u);
  std::filesystem::create_directories(folder_ / "deps" / "sdk");
  EXPECT_EQ(ClearCache().value(), 5u);
  EXPECT_TRUE(ListCache().empty());
  EXPECT_TRUE(std::filesystem::exists(folder_ / "deps" / "sdk"));
  ::unsetenv("KENNING_CACHE_DIR");
}

}  // namespace
}  // namespace kenning
