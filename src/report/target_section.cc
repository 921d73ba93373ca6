// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kenning/base/strings.h"
#include "measure/statistics.h"
#include "report/inference_times.h"
#include "report/sections.h"
#include "report/text.h"

namespace kenning {
namespace {

using Rows = std::vector<std::vector<std::string>>;

constexpr double kNsToSeconds = 1e-9;

std::string FactsTable(const RunRecord& run) {
  const TargetRun& target = *run.target;
  const PlatformInfo& platform = target.platform;
  Rows rows = {{"Target (the machine that the model ran on)", ""}};
  const auto add = [&rows](const std::string& key, const std::string& value) {
    if (!value.empty()) rows.push_back({key, EscapeMarkdown(value)});
  };
  add("address", target.address);
  add("protocol",
      fmt::format("{}, {}", target.protocol, target.native ? "native mode" : "Kenning's messages"));
  add("CPU", platform.cpu_model);
  add("architecture", platform.architecture);
  if (platform.logical_cores > 0) add("logical cores", std::to_string(platform.logical_cores));
  add("CPU features", fmt::format("{}", fmt::join(platform.features, " ")));
  if (platform.memory_bytes > 0) add("memory", HumanBytes(platform.memory_bytes));
  add("kernel", platform.kernel);
  for (const auto& [key, value] : platform.extra) add(EscapeMarkdown(key), value);
  add("agent", target.agent_version);
  add("runtime", target.runtime);
  if (!run.engine.name.empty()) add("engine", run.engine.name + " " + run.engine.version);
  for (const HostSpan& span : target.optimisations) {
    add("optimisation on the target",
        FormatSeconds(static_cast<double>(span.end_ns - span.start_ns) * kNsToSeconds));
  }
  return MarkdownTable(rows);
}

std::string ClockText(const std::vector<ClockReading>& clock) {
  if (clock.empty()) return "";
  std::string text = fmt::format(
      "The target's times are put on the host's clock within ±{} (best of the exchanges before "
      "and after the run)",
      FormatSeconds(
          static_cast<double>(std::max(clock.front().uncertainty_ns, clock.back().uncertainty_ns)) *
          kNsToSeconds));
  const double span =
      static_cast<double>(clock.back().host_ns) - static_cast<double>(clock.front().host_ns);
  if (span > 0) {
    const double drift = (static_cast<double>(clock.back().offset_ns) -
                          static_cast<double>(clock.front().offset_ns)) /
                         span;
    text += fmt::format("; the clocks drift by {:+.1f} parts in a million", drift * 1e6);
  }
  return text + ". Durations are of one clock and do not depend on this.\n\n";
}

/// Medians of where the time between the host's two looks at its clock goes.
std::string ViewsTable(const RunRecord& run) {
  std::vector<double> queue;
  std::vector<double> answer;
  std::vector<double> transfer;
  std::size_t index = 0;
  for (const Observation& o : run.log.observations) {
    if (o.step != Step::kInference) continue;
    if (index >= run.target->times.size()) break;
    const TargetTimes& t = run.target->times[index++];
    if (o.phase != Phase::kMeasured) continue;
    const std::int64_t inside = t.sent_ns - t.received_ns;
    queue.push_back(static_cast<double>(t.invoke_start_ns - t.received_ns) * kNsToSeconds);
    answer.push_back(static_cast<double>(t.sent_ns - t.invoke_end_ns) * kNsToSeconds);
    transfer.push_back(static_cast<double>(o.end_ns - o.start_ns - inside) * kNsToSeconds);
  }
  const auto median = [](const std::vector<double>& seconds) {
    return FormatSeconds(SummariseLatency(seconds).median);
  };
  Rows rows = {{"One inference (median)", "time"}};
  rows.push_back({"seen by the host", median(Seconds(HostInferences(run)))});
  rows.push_back({"engine's call on the target", median(Seconds(TargetInferences(run)))});
  rows.push_back({"on the target before the call", median(queue)});
  rows.push_back({"on the target after the call", median(answer)});
  rows.push_back({"transfer both ways", median(transfer)});
  rows.push_back({"share that is not the engine's call", FormatPercent(TransferShare(run))});
  return MarkdownTable(rows);
}

std::string ConditionsTable(const TargetRun& target) {
  float hottest = 0;
  float slowest = 0;
  float fastest = 0;
  for (const SystemReading& reading : target.system) {
    const float frequency = reading.frequency_mhz;
    hottest = std::max(hottest, reading.temperature_c);
    fastest = std::max(fastest, frequency);
    if (frequency > 0) slowest = slowest == 0 ? frequency : std::min(slowest, frequency);
  }
  Rows rows = {{"Target's conditions", ""}};
  if (hottest > 0) rows.push_back({"hottest", fmt::format("{:.0f} °C", hottest)});
  if (fastest > 0) {
    rows.push_back({"clock frequency", fmt::format("{:.0f} to {:.0f} MHz", slowest, fastest)});
  }
  return rows.size() > 1 ? MarkdownTable(rows) : "";
}

}  // namespace

std::string TargetSection(const RunRecord& run) {
  if (!run.target) return "";
  std::string text = "## Target\n\n" + FactsTable(run);
  const bool both_views = !TargetInferences(run).empty();
  if (both_views) text += ViewsTable(run);
  if (run.target->native) text += ClockText(run.target->clock);
  return text + ConditionsTable(*run.target);
}

}  // namespace kenning
