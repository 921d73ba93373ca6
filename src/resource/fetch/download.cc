// SPDX-License-Identifier: Apache-2.0
#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/log.h"
#include "kenning/base/strings.h"
#include "resource/fetch/fetch.h"
#include "resource/fetch/part_file.h"

namespace kenning::internal {
namespace {

constexpr int kPollMs = 100;
constexpr double kLongestBackoffS = 60;
constexpr std::int64_t kNsPerS = 1'000'000'000;

/// Passwords do not belong into messages.
std::string WithoutCredentials(const std::string& url) {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const std::size_t end = std::min(url.find('/', scheme + 3), url.size());
  const std::size_t at = url.rfind('@', end);
  if (at == std::string::npos || at < scheme + 3) return url;
  return url.substr(0, scheme + 3) + url.substr(at + 1);
}

std::string_view Trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

/// What the headers of the response say, so far.
struct ResponseHead {
  long status = 0;
  std::string etag;
  std::string last_modified;
  std::optional<std::uint64_t> content_length;
  std::optional<std::uint64_t> range_start;

  /// Only a strong ETag, or a date, vouches for identical bytes.
  std::string validator() const {
    if (!etag.empty() && !etag.starts_with("W/")) return etag;
    return last_modified;
  }

  void AddLine(std::string_view line) {
    if (line.starts_with("HTTP/")) {  // Also after a redirect: a new head.
      *this = ResponseHead();
      const std::size_t space = line.find(' ');
      if (space != std::string_view::npos) {
        status = static_cast<long>(ParseNumber(line.substr(space + 1)).value_or(0));
      }
      return;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    });
    const std::string_view value = Trimmed(line.substr(colon + 1));
    if (name == "etag") etag = value;
    if (name == "last-modified") last_modified = value;
    if (name == "content-length") content_length = ParseNumber(value);
    if (name == "content-range" && value.starts_with("bytes ")) {
      range_start = ParseNumber(value.substr(6));
    }
  }
};

enum class Next { kDone, kRetry, kGiveUp };

struct AttemptResult {
  Next next = Next::kDone;
  std::optional<Error> error;
};

/// One request, from connecting to its last byte.
class Attempt {
 public:
  Attempt(const DownloadRequest& request, PartFile& part, ProgressSink& progress)
      : request_(request),
        url_(WithoutCredentials(request.url)),
        part_(part),
        progress_(progress) {}

  AttemptResult Run(const CancelToken& cancel) {
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> easy(curl_easy_init(),
                                                                   curl_easy_cleanup);
    const std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi(curl_multi_init(),
                                                                      curl_multi_cleanup);
    if (!easy || !multi) return Stop(ErrorCode::kResourceExhausted, "libcurl cannot start");
    Configure(easy.get());
    curl_slist* headers = nullptr;
    if (part_.size() > 0) {
      curl_easy_setopt(easy.get(), CURLOPT_RANGE, fmt::format("{}-", part_.size()).c_str());
      if (!part_.validator().empty()) {
        headers = curl_slist_append(headers, ("If-Range: " + part_.validator()).c_str());
        curl_easy_setopt(easy.get(), CURLOPT_HTTPHEADER, headers);
      }
    }
    curl_multi_add_handle(multi.get(), easy.get());
    const AttemptResult result = Drive(multi.get(), cancel);
    curl_multi_remove_handle(multi.get(), easy.get());
    curl_slist_free_all(headers);
    return result;
  }

 private:
  void Configure(CURL* easy) {
    curl_easy_setopt(easy, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 8L);
    // A redirect must not leave the encryption that the URL asked for.
    const char* allowed = request_.url.starts_with("https") ? "https" : "http,https";
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, allowed);
    curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, allowed);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "kenning");
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text_);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &Attempt::OnHeader);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &Attempt::OnBody);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  }

  AttemptResult Drive(CURLM* multi, const CancelToken& cancel) {
    last_byte_ns_ = MonotonicNowNs();
    for (int running = 1; running > 0;) {
      if (curl_multi_perform(multi, &running) != CURLM_OK) {
        return Stop(ErrorCode::kIo, "libcurl failed");
      }
      if (cancel.cancelled()) {
        return Stop(ErrorCode::kCancelled,
                    fmt::format("cancelled; {} are kept in {}", HumanBytes(part_.size()),
                                part_.path().string()));
      }
      const auto idle_ns = static_cast<double>(MonotonicNowNs() - last_byte_ns_);
      if (idle_ns > request_.stall_timeout_s * static_cast<double>(kNsPerS)) {
        return Again(fmt::format("no byte came for {} s", request_.stall_timeout_s));
      }
      if (running > 0) curl_multi_poll(multi, nullptr, 0, kPollMs, nullptr);
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(multi, &left);
    return Judge(message != nullptr ? message->data.result : CURLE_GOT_NOTHING);
  }

  AttemptResult Judge(CURLcode code) {
    if (write_error_) return {Next::kGiveUp, std::move(write_error_)};
    if (head_.status == 416 && part_.size() > 0) {
      // Our part is longer than the file, or the file changed.
      if (auto restarted = part_.Restart(""); !restarted) {
        return {Next::kGiveUp, std::move(restarted).error()};
      }
      return Again("the file changed on the server");
    }
    if (head_.status >= 400) return JudgeStatus(head_.status);
    if (code == CURLE_OK) {
      // An empty file has no body to start on.
      if (!began_ && head_.status == 200) {
        if (auto began = Begin(); !began) return {Next::kGiveUp, std::move(began).error()};
      }
      return {};
    }
    const char* reason = error_text_[0] != '\0' ? error_text_ : curl_easy_strerror(code);
    switch (code) {
      case CURLE_UNSUPPORTED_PROTOCOL:
      case CURLE_URL_MALFORMAT:
      case CURLE_TOO_MANY_REDIRECTS:
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        return Stop(ErrorCode::kIo, reason);
      default:
        return Again(reason);
    }
  }

  AttemptResult JudgeStatus(long status) const {
    const std::string text = fmt::format("the server answered {}", status);
    if (status == 404 || status == 410) return Stop(ErrorCode::kNotFound, text + " (not found)");
    if (status == 401 || status == 403) return Stop(ErrorCode::kIo, text + " (access refused)");
    if (status == 408 || status == 429 || status >= 500) return Again(text);
    return Stop(ErrorCode::kIo, text);
  }

  AttemptResult Stop(ErrorCode code, const std::string& reason) const {
    return {Next::kGiveUp, Error(code, fmt::format("{}: {}; check the address and the network, or "
                                                   "put the file at {} yourself",
                                                   url_, reason, request_.destination.string()))};
  }
  AttemptResult Again(const std::string& reason) const {
    AttemptResult result = Stop(ErrorCode::kIo, reason);
    result.next = Next::kRetry;
    return result;
  }

  /// The head is complete: continue the part, or begin anew.
  Result<> Begin() {
    began_ = true;
    const bool continues = head_.status == 206 && head_.range_start == part_.size();
    if (head_.status == 206 && !continues) {
      return Fail(ErrorCode::kIo,
                  fmt::format("{}: the server sent another range than was asked for", url_));
    }
    if (!continues) KENNING_RETURN_IF_ERROR(part_.Restart(head_.validator()));
    const std::uint64_t total = part_.size() + head_.content_length.value_or(0);
    if (total > request_.max_bytes) return Fail(TooLarge(total));
    progress_.Begin("download " + request_.destination.filename().string(),
                    head_.content_length ? total : 0, "bytes");
    progress_.Update(part_.size());
    return {};
  }

  Error TooLarge(std::uint64_t size) const {
    return {ErrorCode::kResourceExhausted,
            fmt::format("{}: {} are more than the {} allowed for this file", url_, HumanBytes(size),
                        HumanBytes(request_.max_bytes))};
  }

  Result<> Accept(std::string_view bytes) {
    last_byte_ns_ = MonotonicNowNs();
    if (head_.status != 200 && head_.status != 206) return {};
    if (!began_) KENNING_RETURN_IF_ERROR(Begin());
    if (bytes.size() > request_.max_bytes - std::min(part_.size(), request_.max_bytes)) {
      part_.Discard();
      return Fail(TooLarge(part_.size() + bytes.size()));
    }
    KENNING_RETURN_IF_ERROR(part_.Append(bytes));
    progress_.Update(part_.size());
    return {};
  }

  static std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
    static_cast<Attempt*>(self)->head_.AddLine(Trimmed({data, size * count}));
    static_cast<Attempt*>(self)->last_byte_ns_ = MonotonicNowNs();
    return size * count;
  }

  static std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
    auto* attempt = static_cast<Attempt*>(self);
    auto accepted = attempt->Accept({data, size * count});
    if (accepted) return size * count;
    attempt->write_error_ = std::move(accepted).error();
    return 0;
  }

  const DownloadRequest& request_;
  std::string url_;
  PartFile& part_;
  ProgressSink& progress_;
  ResponseHead head_;
  std::optional<Error> write_error_;
  char error_text_[CURL_ERROR_SIZE] = {};
  std::int64_t last_byte_ns_ = 0;
  bool began_ = false;
};

bool SleepFor(double seconds, const CancelToken& cancel) {
  const std::int64_t end =
      MonotonicNowNs() + static_cast<std::int64_t>(seconds * static_cast<double>(kNsPerS));
  while (MonotonicNowNs() < end) {
    if (cancel.cancelled()) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

/// Attempts until the file is whole, or too many in a row brought nothing new.
Result<> FetchWhole(const DownloadRequest& request, PartFile& part, ProgressSink& progress,
                    const CancelToken& cancel) {
  int barren = 0;
  std::uint64_t furthest = part.size();
  double backoff_s = request.backoff_s;
  // Also a server that always breaks off after a few bytes must come to an end.
  for (int attempts = 0;; ++attempts) {
    if (part.size() > 0 && part.validator().empty() && !request.sha256) {
      // Nothing would tell whether the rest belongs to the same file.
      KENNING_RETURN_IF_ERROR(part.Restart(""));
    }
    Attempt attempt(request, part, progress);
    AttemptResult result = attempt.Run(cancel);
    progress.End();
    if (result.next == Next::kDone) return {};
    const bool keeps_trying = result.next == Next::kRetry && attempts < 16 * request.attempts;
    const bool got_further = part.size() > furthest;
    furthest = std::max(furthest, part.size());
    barren = got_further ? 1 : barren + 1;
    if (got_further) backoff_s = request.backoff_s;
    if (!keeps_trying || barren >= request.attempts) return Fail(std::move(*result.error));
    LogInfo("{}; trying again", result.error->message());
    if (!SleepFor(backoff_s, cancel)) {
      return Fail(ErrorCode::kCancelled,
                  fmt::format("{}: cancelled", WithoutCredentials(request.url)));
    }
    backoff_s = std::min(backoff_s * 2, kLongestBackoffS);
  }
}

Result<> CheckSum(const DownloadRequest& request, const std::filesystem::path& file) {
  if (!request.sha256) return {};
  KENNING_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(file));
  const std::string wanted = ToLower(*request.sha256);
  if (found == wanted) return {};
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{}: the downloaded file has the SHA-256 {}, expected is {}; the server "
                          "has another file than this version of kenning knows",
                          WithoutCredentials(request.url), found, wanted));
}

}  // namespace

Result<> DownloadWithCurl(const DownloadRequest& request, ProgressSink& progress,
                          const CancelToken& cancel) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
  KENNING_ASSIGN_OR_RETURN(PartFile part, PartFile::Open(request.destination, request.url, cancel));
  if (part.finished_elsewhere()) return CheckSum(request, request.destination);
  const bool resumed = part.size() > 0;
  KENNING_RETURN_IF_ERROR(FetchWhole(request, part, progress, cancel));
  Result<> checked = CheckSum(request, part.path());
  if (!checked && resumed) {
    // The first bytes are from an earlier run and may be the wrong ones.
    KENNING_RETURN_IF_ERROR(part.Restart(""));
    KENNING_RETURN_IF_ERROR(FetchWhole(request, part, progress, cancel));
    checked = CheckSum(request, part.path());
  }
  if (!checked) {
    part.Discard();
    return checked;
  }
  return part.Commit();
}

}  // namespace kenning::internal
