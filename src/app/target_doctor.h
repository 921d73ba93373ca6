// SPDX-License-Identifier: Apache-2.0
/// \file
/// `kenning doctor`: what works between this machine and a target, how fast, and what to do about
/// what does not.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/app.h"
#include "app/target_description.h"
#include "kenning/core/transport.h"
#include "wire/target_client.h"

namespace kenning {

enum class Finding : std::uint8_t { kOk, kWarning, kProblem };
std::string_view FindingName(Finding finding);

struct DoctorLine {
  Finding finding = Finding::kOk;
  std::string topic;   ///< "round trip"
  std::string text;    ///< What was found.
  std::string advice;  ///< What to do; empty where nothing is to be done.
};

struct EchoRate {
  std::uint64_t bytes = 0;
  double seconds = 0;           ///< Median of one exchange, there and back.
  double bytes_per_second = 0;  ///< Of both ways together.
};

struct DoctorReport {
  std::string target;      ///< "tcp://10.0.0.7:12345"
  bool reachable = false;  ///< It answered, if only with a refusal.
  bool native = false;
  std::vector<DoctorLine> lines;
  double connect_s = 0;
  std::vector<std::int64_t> round_trips_ns;  ///< In order of time.
  std::vector<EchoRate> echoes;
  std::optional<wire::ClockOffset> clock;
  TargetDescription description;

  bool has(Finding finding) const;
};

struct DoctorOptions {
  int rounds = 1000;      ///< Of the round trip.
  double timeout_s = 10;  ///< Of connecting and of each answer.
  double echo_s = 0.5;    ///< About as long each size of the throughput takes.
};

/// Never fails for what a target does: that is a line of the report. \return kCancelled.
Result<DoctorReport> ExamineTarget(Transport& transport, const DoctorOptions& options,
                                   AppContext& context);
/// 0; 1 with problems; 4 where the target is not reachable.
int ExitCodeFor(const DoctorReport& report);

std::string DescribeReport(const DoctorReport& report);
std::string ReportToJson(const DoctorReport& report);

}  // namespace kenning
