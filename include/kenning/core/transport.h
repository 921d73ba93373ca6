// SPDX-License-Identifier: Apache-2.0
/// \file
/// Transport -> Channel: bytes between the host and a target. Knows nothing of messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "kenning/base/clock.h"
#include "kenning/base/result.h"

namespace kenning {

/// A point on the monotonic clock (MonotonicNowNs) by which a call must return. Never affected by
/// changes of the wall clock.
class Deadline {
 public:
  static Deadline Never() { return Deadline(std::numeric_limits<std::int64_t>::max()); }
  static Deadline After(double seconds);
  /// Nanoseconds left, at least 0; empty where there is no limit.
  std::optional<std::int64_t> remaining_ns() const;
  bool expired() const { return remaining_ns() == 0; }

 private:
  explicit Deadline(std::int64_t at_ns) : at_ns_(at_ns) {}
  std::int64_t at_ns_;
};

using ConstBytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

/// One connection: an ordered stream of bytes each way. One thread may read while one other writes.
/// The destructor closes.
class Channel {
 public:
  virtual ~Channel() = default;
  /// Reads at least one and at most `out.size()` bytes. 0: the other side closed its end in order.
  /// \return kTargetLost (reset, unplugged, Shutdown was called), kDeadlineExceeded.
  virtual Result<std::size_t> ReadSome(MutableBytes out, Deadline deadline) = 0;
  /// Writes all pieces, in order, as one message as far as the transport can (no copy is made of
  /// large pieces). After an error an unknown part was written: close the channel.
  /// \return kTargetLost, kDeadlineExceeded.
  virtual Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline deadline) = 0;
  /// Ends both directions; pending and later calls fail soon. Callable from any thread and from a
  /// signal handler.
  virtual void Shutdown() noexcept = 0;
  /// For people: "127.0.0.1:40312", "/dev/ttyUSB0".
  virtual std::string peer() const = 0;
  /// The file descriptor behind it, for poll and for handing to another process; -1 where one
  /// descriptor does not carry the plain bytes (TLS).
  virtual int descriptor() const { return -1; }
};

class Listener {
 public:
  virtual ~Listener() = default;
  /// Waits for a connection. \return kDeadlineExceeded, kCancelled after Shutdown, kIo.
  virtual Result<std::unique_ptr<Channel>> Accept(Deadline deadline) = 0;
  /// Wakes Accept; callable from any thread and from a signal handler.
  virtual void Shutdown() noexcept = 0;
  /// Where it listens, with the port that was chosen for port 0: "127.0.0.1:12345".
  virtual std::string address() const = 0;
  /// For poll; -1 where there is none.
  virtual int descriptor() const { return -1; }
};

/// How messages are laid out on a transport (docs/formats/wire.md).
enum class WireDialect : std::uint8_t {
  kNetwork,  ///< A greeting byte; JSON IO specification and statistics.
  kUart,     ///< A handshake with PING; the IO specification and statistics as C structures.
};

/// Whether the native mode is used.
enum class NativeMode : std::uint8_t {
  kAuto,  ///< Offered with the first request, used where the other side takes it.
  kOff,   ///< Kenning's protocol alone, byte for byte.
  kOn,    ///< Required: another peer is an error.
};

/// Settings that the messages' layer takes from the protocol block.
struct WireSettings {
  WireDialect dialect = WireDialect::kNetwork;
  NativeMode native = NativeMode::kAuto;
  bool error_recovery = false;                ///< Kenning's checksum is computed and checked.
  std::uint32_t max_message_size = 1U << 20;  ///< Of one message with its header; longer payloads
                                              ///< are split.
  std::optional<double> timeout_s;            ///< For one answer; empty: by the kind of request.
  std::string token;                          ///< Shared secret; empty: none.
};

/// A way to reach a target, or to be reached. Made from a scenario's "protocol" block.
class Transport {
 public:
  virtual ~Transport() = default;
  virtual const WireSettings& settings() const = 0;
  /// For people: "tcp://127.0.0.1:12345", "/dev/ttyUSB0 at 115200 baud".
  virtual std::string name() const = 0;
  /// Host side. \return kTargetLost with what to check (agent started? address? permissions?),
  /// kDeadlineExceeded, kUnavailable (a part is not installed).
  virtual Result<std::unique_ptr<Channel>> Connect(Deadline deadline) = 0;
  /// Target side. \return kIo (address in use, no permission), kUnsupported.
  virtual Result<std::unique_ptr<Listener>> Listen() = 0;
};

}  // namespace kenning
