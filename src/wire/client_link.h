// SPDX-License-Identifier: Apache-2.0
/// \file
/// One connection as a client has it: whether it is still usable, waiting that can be cancelled,
/// deadlines, and the lines that the target sends between its answers.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kenning/core/transport.h"
#include "wire/message_reader.h"
#include "wire/payload_sink.h"
#include "wire/target_client.h"

namespace kenning::wire {

/// Seconds that a client waits for the first byte of an answer.
struct AnswerTimes {
  double answer_s = 10;
  double inference_s = 60;
  double load_s = 300;
  double optimise_s = 3600;
  double greeting_s = 10;
  double handshake_s = 1;  ///< Of one PING.
};

class ClientLink {
 public:
  ClientLink(std::unique_ptr<Channel> channel, const WireSettings& settings, ClientOptions options);

  const WireSettings& settings() const { return settings_; }
  const ClientOptions& options() const { return options_; }
  void IgnoreCancel() { options_.cancel = nullptr; }
  const AnswerTimes& times() const { return times_; }
  Channel& channel() { return *channel_; }
  MessageReader& reader() { return reader_; }

  /// \return the error that ended the connection, or kCancelled where the owner wants to stop.
  Result<> Usable() const;
  /// The connection is over: later calls say why. Gives the error back.
  tl::unexpected<Error> End(Error error);
  bool over() const { return over_.has_value(); }

  /// Writes one message within the time that its size needs.
  Result<> Write(std::span<const ConstBytes> pieces);
  /// Waits at most until `deadline` for a first byte; looks at the owner's wish to stop now and
  /// then. `what` completes "no … within".
  Result<> Await(Deadline deadline, std::string_view what);
  /// The next message that is not a log or trace: those are taken on the way.
  Result<Header> NextHeader(Deadline deadline, std::string_view what);
  /// The next `count` bytes of a payload. \pre count <= sink.room()
  template <typename Look>
  Result<> ReadInto(PayloadSink& sink, std::uint64_t count, Deadline deadline, Look look) {
    while (count > 0) {
      const MutableBytes place = sink.Next(count);
      if (Result<> read = reader_.Read(place, deadline); !read) return End(read.error());
      look(ConstBytes(place));
      count -= place.size();
    }
    return {};
  }
  /// For `bytes` that are on their way. At least 800 B/s on a serial line, 64 KiB/s else.
  Deadline ForBytes(std::uint64_t bytes) const;

  /// Forgets the lines that explain a failure: a new request begins.
  void ForgetLogs() { complaints_.clear(); }
  /// Warnings and errors that the target logged since ForgetLogs, "; " between; may be empty.
  std::string Complaints() const;

 private:
  Result<> TakeLog(const Header& header);
  void ForwardLogs();

  std::unique_ptr<Channel> channel_;
  WireSettings settings_;
  ClientOptions options_;
  AnswerTimes times_;
  MessageReader reader_;
  std::optional<Error> over_;
  std::string log_bytes_;  ///< Of a LOGS transmission that comes in parts.
  std::deque<std::string> complaints_;
};

}  // namespace kenning::wire
