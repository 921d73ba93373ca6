// SPDX-License-Identifier: Apache-2.0
#include "report/inference_times.h"

#include <algorithm>

#include "measure/statistics.h"

namespace kenning {
namespace {

constexpr double kNsToSeconds = 1e-9;

/// Calls `take` with each inference of the phase and its place among all of them.
template <typename Take>
void ForEachInference(const RunRecord& run, Phase phase, Take take) {
  std::size_t index = 0;
  for (const Observation& observation : run.log.observations) {
    if (observation.step != Step::kInference) continue;
    if (observation.phase == phase) take(observation, index);
    ++index;
  }
}

int SamplesOf(const Observation& observation) { return std::max<int>(observation.sample_count, 1); }

}  // namespace

std::vector<InferenceTime> HostInferences(const RunRecord& run, Phase phase) {
  std::vector<InferenceTime> times;
  ForEachInference(run, phase, [&times](const Observation& o, std::size_t) {
    times.push_back({static_cast<double>(o.end_ns - o.start_ns) * kNsToSeconds, SamplesOf(o)});
  });
  return times;
}

std::vector<InferenceTime> TargetInferences(const RunRecord& run, Phase phase) {
  std::vector<InferenceTime> times;
  if (!run.target) return times;
  bool all = true;
  ForEachInference(run, phase, [&](const Observation& o, std::size_t index) {
    if (index >= run.target->times.size() || !run.target->times[index].on_target()) {
      all = false;
      return;
    }
    const TargetTimes& t = run.target->times[index];
    times.push_back(
        {static_cast<double>(t.invoke_end_ns - t.invoke_start_ns) * kNsToSeconds, SamplesOf(o)});
  });
  return all ? times : std::vector<InferenceTime>{};
}

std::vector<InferenceTime> Inferences(const RunRecord& run, Phase phase) {
  std::vector<InferenceTime> times = TargetInferences(run, phase);
  return times.empty() ? HostInferences(run, phase) : times;
}

std::vector<double> Seconds(const std::vector<InferenceTime>& inferences) {
  std::vector<double> seconds;
  seconds.reserve(inferences.size());
  for (const InferenceTime& one : inferences) seconds.push_back(one.seconds);
  return seconds;
}

bool ContainsTransfer(const RunRecord& run) {
  return run.target.has_value() && TargetInferences(run).empty();
}

double TransferShare(const RunRecord& run) {
  const std::vector<InferenceTime> target = TargetInferences(run);
  const std::vector<InferenceTime> host = HostInferences(run);
  std::vector<double> shares;
  for (std::size_t i = 0; i < std::min(target.size(), host.size()); ++i) {
    if (host[i].seconds > 0) shares.push_back(1 - target[i].seconds / host[i].seconds);
  }
  return shares.empty() ? 0 : SummariseLatency(shares).median;
}

std::string MachineName(const RunRecord& run) {
  if (!run.target) return run.environment.platform.cpu_model;
  const std::string& cpu = run.target->platform.cpu_model;
  return cpu.empty() ? run.target->address : cpu;
}

}  // namespace kenning
