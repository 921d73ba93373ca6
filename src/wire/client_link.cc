// SPDX-License-Identifier: Apache-2.0
#include "wire/client_link.h"

#include <fmt/format.h>

#include <algorithm>

#include "wire/logs.h"

namespace kenning::wire {
namespace {

constexpr double kMessageTimeoutS = 30;
constexpr double kNetworkBytesPerS = 64 << 10;
constexpr double kUartBytesPerS = 800;
/// How often the owner's wish to stop is looked at in a long wait. More than a second: nearer
/// deadlines cost a socket's channel a system call more, which each sample would pay.
constexpr double kSliceS = 1.05;
constexpr std::uint32_t kMaxLogBytes = 1U << 20;
constexpr std::uint32_t kMaxTraceBytes = 16U << 20;
constexpr std::size_t kMaxComplaints = 4;

}  // namespace

ClientLink::ClientLink(std::unique_ptr<Channel> channel, const WireSettings& settings,
                       ClientOptions options)
    : channel_(std::move(channel)),
      settings_(settings),
      options_(std::move(options)),
      reader_(*channel_) {
  if (settings.timeout_s) {
    const double limit = *settings.timeout_s;
    times_ = {limit, limit, limit, limit, limit, std::min(limit, times_.handshake_s)};
  }
}

Result<> ClientLink::Usable() const {
  if (over_) {
    return Fail(over_->code(), fmt::format("the connection to {} is over: {}", channel_->peer(),
                                           over_->message()));
  }
  if (options_.cancel != nullptr && options_.cancel->cancelled()) {
    return Fail(ErrorCode::kCancelled, "stopped before the next request to the target");
  }
  return {};
}

tl::unexpected<Error> ClientLink::End(Error error) {
  if (!over_) over_ = error;
  return Fail(std::move(error));
}

Deadline ClientLink::ForBytes(std::uint64_t bytes) const {
  const double rate = settings_.dialect == WireDialect::kUart ? kUartBytesPerS : kNetworkBytesPerS;
  const double patience =
      std::min(kMessageTimeoutS, settings_.timeout_s.value_or(kMessageTimeoutS));
  return Deadline::After(patience + static_cast<double>(bytes) / rate);
}

Result<> ClientLink::Write(std::span<const ConstBytes> pieces) {
  std::uint64_t bytes = 0;
  for (const ConstBytes piece : pieces) bytes += piece.size();
  if (Result<> written = channel_->WriteAll(pieces, ForBytes(bytes)); !written) {
    return End(written.error());
  }
  return {};
}

Result<> ClientLink::Await(Deadline deadline, std::string_view what) {
  if (reader_.buffered() > 0) return {};
  const CancelToken* cancel = options_.cancel;
  for (;;) {
    Deadline until = deadline;
    bool slice = false;
    if (cancel != nullptr) {
      const auto left = deadline.remaining_ns();
      slice = !left || static_cast<double>(*left) > kSliceS * 1e9;
      if (slice) until = Deadline::After(kSliceS);
    }
    const Result<bool> there = reader_.Await(until);
    if (there && *there) return {};
    if (there) {
      return End({ErrorCode::kTargetLost,
                  fmt::format("{} closed the connection; there is no {}", channel_->peer(), what)});
    }
    if (there.error().code() != ErrorCode::kDeadlineExceeded) return End(there.error());
    if (cancel != nullptr && cancel->cancelled()) {
      return End({ErrorCode::kCancelled, fmt::format("stopped while there was no {} yet", what)});
    }
    if (!slice) {
      return End({ErrorCode::kDeadlineExceeded,
                  fmt::format("no {} from {} in time", what, channel_->peer())});
    }
  }
}

Result<Header> ClientLink::NextHeader(Deadline deadline, std::string_view what) {
  for (bool first = true;; first = false) {
    // A target that talks without an end does not answer either.
    if (!first && deadline.expired()) {
      return End({ErrorCode::kDeadlineExceeded,
                  fmt::format("no {} from {} in time, only logs", what, channel_->peer())});
    }
    KENNING_RETURN_IF_ERROR(Await(deadline, what));
    bool ended = false;
    Result<Header> header = reader_.ReadHeader(ended, ForBytes(0));
    if (!header) return End(header.error());
    // With a byte there, a stream that ends has ended within a header.
    const bool log = header->type == MessageType::kLogs && header->flow != FlowControl::kRequest;
    const bool trace = header->type == MessageType::kTraceData;
    if (!log && !trace) return *header;
    const std::uint32_t size = header->body_size();
    if (size > (log ? kMaxLogBytes : kMaxTraceBytes)) {
      return End({ErrorCode::kInvalidData, fmt::format("{} sent {}: more than is taken",
                                                       channel_->peer(), ToString(*header))});
    }
    if (trace) {
      if (Result<> skipped = reader_.Skip(size, ForBytes(size)); !skipped) {
        return End(skipped.error());
      }
    } else {
      KENNING_RETURN_IF_ERROR(TakeLog(*header));
    }
  }
}

Result<> ClientLink::TakeLog(const Header& header) {
  if (header.has(kFirst)) log_bytes_.clear();
  const std::uint32_t size = header.body_size();
  if (log_bytes_.size() + size > kMaxLogBytes) log_bytes_.clear();  // Parts without an end.
  PayloadSink sink(log_bytes_, size);
  KENNING_RETURN_IF_ERROR(ReadInto(sink, size, ForBytes(size), [](ConstBytes) {}));
  if (header.has(kLast)) ForwardLogs();
  return {};
}

void ClientLink::ForwardLogs() {
  for (LogRecord& record : DecodeLogs(std::as_bytes(std::span(log_bytes_)))) {
    if (options_.on_log) options_.on_log(record.level, record.text);
    const bool repeated = !complaints_.empty() && complaints_.back() == record.text;
    if (record.level < LogLevel::kWarning || repeated) continue;
    complaints_.push_back(std::move(record.text));
    if (complaints_.size() > kMaxComplaints) complaints_.pop_front();
  }
  log_bytes_.clear();
}

std::string ClientLink::Complaints() const {
  std::string text;
  for (const std::string& one : complaints_) text += (text.empty() ? "" : "; ") + one;
  return text;
}

}  // namespace kenning::wire
