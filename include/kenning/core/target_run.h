// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a run through a protocol knows of the target: raw facts, times as the target's own clock
/// gave them, and what is needed to put them on the host's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kenning/core/measurement_log.h"
#include "kenning/core/platform.h"

namespace kenning {

/// One comparison of the two clocks: host = target - offset_ns, within +-uncertainty_ns.
struct ClockReading {
  std::int64_t host_ns = 0;  ///< When, on the host's monotonic clock.
  std::int64_t offset_ns = 0;
  std::int64_t uncertainty_ns = 0;
  std::int64_t round_trip_ns = 0;
};

/// One inference, seen from its two ends. The four times of the target are on its clock and 0 where
/// it does not tell them (Kenning's protocol).
struct TargetTimes {
  std::int64_t received_ns = 0;      ///< The last byte of the inputs was there.
  std::int64_t invoke_start_ns = 0;  ///< Right before the engine's call.
  std::int64_t invoke_end_ns = 0;    ///< Right after it.
  std::int64_t sent_ns = 0;          ///< Right before the outputs are written.
  /// Host: between sending PROCESS and its answer; 0 in the native mode, which has no such message.
  std::int64_t process_ns = 0;

  bool on_target() const { return invoke_end_ns != 0; }
  bool operator==(const TargetTimes&) const = default;
};

/// A span on the host's clock.
struct HostSpan {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
};

struct TargetRun {
  std::string protocol;  ///< Class of the protocol block: "NetworkProtocol".
  std::string address;   ///< "tcp://127.0.0.1:12345"
  bool native = false;   ///< false: Kenning's own protocol.
  std::string agent_version;
  std::string runtime;    ///< The block that runs the model there; empty where not told.
  PlatformInfo platform;  ///< Of the target, as it says; empty where it does not.
  std::vector<ClockReading> clock;
  /// One for each inference, warm-up included, in the order of the log's inference observations.
  std::vector<TargetTimes> times;
  /// Readings of the target, on its clock; the process is that of the session.
  std::vector<SystemReading> system;
  std::vector<Sensor> sensors;          ///< What SystemReading::values are.
  std::vector<HostSpan> optimisations;  ///< On the target, in this run.
  std::string statistics_json;          ///< The target's own statistics, as received last.
};

/// Puts a time of the target on the host's clock; between the first and the last reading the offset
/// is taken to drift evenly. Without readings the time is returned as it is.
std::int64_t ToHostClock(const std::vector<ClockReading>& clock, std::int64_t target_ns);

}  // namespace kenning
