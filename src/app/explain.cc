// SPDX-License-Identifier: Apache-2.0
// The measuring half of explain.
#include "app/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "app/make_blocks.h"
#include "app/sample_source.h"
#include "kenning/base/clock.h"
#include "measure/environment.h"

namespace kenning {
namespace {

constexpr double kNsPerS = 1e9;
/// Of the profiler; each loads the model anew. Fewer where loading takes long.
constexpr int kFewestRounds = 3;
constexpr int kRounds = 20;
/// Of the latency; short, so that one of them is quiet on a machine with other work.
constexpr int kLatencyRounds = 20;
constexpr std::size_t kFewestRuns = 3;
constexpr std::size_t kMostRuns = 20'000;

/// One loaded model on one sample of noise.
struct Subject {
  LoadedModel model;
  std::unique_ptr<FloatRunner> runner;
  std::vector<std::vector<double>> rounds;  ///< Latencies.
};

Result<std::unique_ptr<Subject>> MakeSubject(LoadRequest request, bool profiling,
                                             const ExplainOptions& options, AppContext& context) {
  request.profiling = profiling;
  request.num_threads = options.num_threads;
  // The runner borrows the model: neither moves any more.
  auto subject = std::make_unique<Subject>();
  KENNING_ASSIGN_OR_RETURN(subject->model, LoadModelInRuntime(request, context));
  subject->runner = std::make_unique<FloatRunner>(subject->model);
  KENNING_ASSIGN_OR_RETURN(const auto samples,
                           RandomSamples(subject->runner->inputs(), {}, 1, options.seed));
  KENNING_ASSIGN_OR_RETURN(const std::vector<FloatTensor> sample, samples->Get(0));
  KENNING_RETURN_IF_ERROR(subject->runner->Prepare(sample, samples->layouts()));
  return subject;
}

/// Invokes for so long, at least a few times; gives the latency of each.
Result<std::vector<double>> InvokeFor(FloatRunner& runner, double seconds,
                                      const CancelToken& cancel) {
  std::vector<double> latencies;
  const std::int64_t end = MonotonicNowNs() + static_cast<std::int64_t>(seconds * kNsPerS);
  while (latencies.size() < kMostRuns) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    const std::int64_t begin = MonotonicNowNs();
    if (begin > end && latencies.size() >= kFewestRuns) break;
    const Result<> invoked = runner.Invoke();
    const std::int64_t done = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(invoked);
    latencies.push_back(static_cast<double>(done - begin) / kNsPerS);
  }
  return latencies;
}

double At(std::vector<double>& sorted, double share) {
  std::ranges::sort(sorted);
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

LatencyFacts Summarise(std::vector<std::vector<double>> rounds) {
  LatencyFacts facts;
  std::vector<double> all;
  for (std::vector<double>& round : rounds) {
    if (round.empty()) continue;
    const double median = At(round, 0.5);
    facts.quiet_s = all.empty() ? median : std::min(facts.quiet_s, median);
    all.insert(all.end(), round.begin(), round.end());
  }
  facts.runs = all.size();
  if (all.empty()) return facts;
  facts.median_s = At(all, 0.5);
  facts.low_s = At(all, 0.05);
  facts.high_s = At(all, 0.95);
  return facts;
}

/// One inference's operators from a profile of `runs` of them.
std::vector<OperatorProfile> PerInference(std::vector<OperatorProfile> profile, std::size_t runs) {
  std::erase_if(profile, [](const OperatorProfile& op) { return op.calls == 0; });
  for (OperatorProfile& op : profile) {
    // Loading may have run the model, too (shapes of outputs), so that calls exceed runs.
    const auto calls = static_cast<double>(op.calls);
    const double times = std::max(1.0, std::round(calls / static_cast<double>(runs)));
    op.total_ns = std::llround(static_cast<double>(op.total_ns) / calls * times);
  }
  return profile;
}

std::int64_t TotalNs(const std::vector<OperatorProfile>& profile) {
  std::int64_t total = 0;
  for (const OperatorProfile& op : profile) total += op.total_ns;
  return total;
}

/// Of each operator the quietest round, as other work can only add; where an engine names its
/// operators anew with each load, the quietest round as a whole.
std::vector<OperatorProfile> Quietest(std::vector<std::vector<OperatorProfile>> rounds) {
  std::ranges::stable_sort(rounds, {}, TotalNs);
  std::vector<OperatorProfile> result = rounds.front();
  std::unordered_map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < result.size(); ++i) {
    place[result[i].name + '\n' + result[i].op_type] = i;
  }
  for (const auto& round : rounds) {
    for (const OperatorProfile& op : round) {
      const auto found = place.find(op.name + '\n' + op.op_type);
      if (found == place.end()) return rounds.front();
      std::int64_t& known = result[found->second].total_ns;
      known = std::min(known, op.total_ns);
    }
  }
  return result;
}

/// Times of one inference's operators. Each round loads anew: an engine may end its profile when it
/// is read.
Result<std::vector<OperatorProfile>> ProfileOf(const LoadRequest& request,
                                               const ExplainOptions& options, AppContext& context,
                                               std::vector<std::string>& notes) {
  std::vector<std::vector<OperatorProfile>> rounds;
  const std::int64_t end = MonotonicNowNs() + static_cast<std::int64_t>(options.seconds * kNsPerS);
  for (int round = 0; round < kRounds; ++round) {
    if (round >= kFewestRounds && MonotonicNowNs() > end) break;
    KENNING_ASSIGN_OR_RETURN(const auto subject, MakeSubject(request, true, options, context));
    if (!subject->model.profiling) {
      notes.push_back(fmt::format("{} has no profiler: times of operators are not known",
                                  subject->model.runtime_info->name));
      return std::vector<OperatorProfile>{};
    }
    KENNING_ASSIGN_OR_RETURN(
        const std::vector<double> latencies,
        InvokeFor(*subject->runner, options.seconds / 2 / kRounds, context.cancel));
    KENNING_ASSIGN_OR_RETURN(std::vector<OperatorProfile> profile,
                             subject->model.session->Profile());
    rounds.push_back(PerInference(std::move(profile), latencies.size()));
    context.progress.Update(static_cast<std::uint64_t>(round) + 1);
  }
  std::vector<OperatorProfile> quietest = Quietest(std::move(rounds));
  if (quietest.empty()) {
    notes.push_back("the engine's profile is empty: times of operators are not known");
  }
  return quietest;
}

std::optional<GraphInfo> ReadGraph(const LoadedModel& model, const Registry& registry,
                                   std::vector<std::string>& notes) {
  const InspectorInfo* inspector = registry.InspectorFor(model.artifact.format);
  if (inspector == nullptr || !inspector->read_graph) {
    notes.push_back(
        fmt::format("the operators of format \"{}\" are not read: multiply-adds and the "
                    "roofline of this model are not known",
                    model.artifact.format));
    return std::nullopt;
  }
  auto graph = inspector->read_graph(model.artifact.path);
  if (graph) return *std::move(graph);
  notes.push_back(graph.error().ToString());
  return std::nullopt;
}

ModelFacts FactsOf(const LoadedModel& model) {
  ModelFacts facts;
  facts.path = model.artifact.path.string();
  facts.format = model.artifact.format;
  facts.runtime = model.runtime_info->name;
  facts.engine = model.runtime->engine();
  facts.size_bytes = model.artifact.size_bytes;
  return facts;
}

Result<ModelFacts> Describe(const LoadRequest& request, const Subject& subject,
                            const ExplainOptions& options, const CpuPeaks& peaks,
                            AppContext& context) {
  ModelFacts facts = FactsOf(subject.model);
  facts.latency = Summarise(subject.rounds);
  if (!subject.model.threads_set) {
    facts.notes.push_back(
        fmt::format("{} has no parameter for threads: it runs with as many as it "
                    "likes, the roofline is that of {}",
                    facts.runtime, options.num_threads));
  }
  if (subject.runner->batch() > 1) {
    facts.notes.push_back(
        fmt::format("the model takes {} samples at once: times are of all of them, counts of "
                    "the model's file as the file gives them",
                    subject.runner->batch()));
  }
  const std::optional<GraphInfo> graph = ReadGraph(subject.model, context.registry, facts.notes);
  if (graph) facts.bound = BoundOf(*graph, peaks);
  KENNING_ASSIGN_OR_RETURN(const std::vector<OperatorProfile> profile,
                           ProfileOf(request, options, context, facts.notes));
  facts.profiled = !profile.empty();
  facts.operators = CostsOf(profile, 1, graph ? &*graph : nullptr, peaks);
  return facts;
}

/// Model and baseline take turns, so that a change of the machine's load hits both.
Result<> MeasureLatencies(std::vector<Subject*> subjects, const ExplainOptions& options,
                          AppContext& context) {
  context.progress.Begin("latency", kLatencyRounds, "rounds");
  Result<> done = [&]() -> Result<> {
    for (Subject* subject : subjects) {
      KENNING_RETURN_IF_ERROR(InvokeFor(*subject->runner, options.seconds / 10, context.cancel));
    }
    for (int round = 0; round < kLatencyRounds; ++round) {
      for (Subject* subject : subjects) {
        KENNING_ASSIGN_OR_RETURN(
            std::vector<double> latencies,
            InvokeFor(*subject->runner, options.seconds / kLatencyRounds, context.cancel));
        subject->rounds.push_back(std::move(latencies));
      }
      context.progress.Update(static_cast<std::uint64_t>(round) + 1);
    }
    return {};
  }();
  context.progress.End();
  return done;
}

void DescribeMachine(int num_threads, Explanation& explanation) {
  explanation.platform = DescribeHost();
  explanation.int8 =
      DescribeInt8Support(explanation.platform.architecture, explanation.platform.features);
  explanation.peaks = MeasureCpuPeaks(num_threads, explanation.platform.features);
}

}  // namespace

Result<Explanation> ExplainModel(const ExplainOptions& options, AppContext& context) {
  KENNING_ASSIGN_OR_RETURN(const auto model, MakeSubject(options.model, false, options, context));
  std::unique_ptr<Subject> baseline;
  std::vector<Subject*> subjects = {model.get()};
  if (options.baseline) {
    KENNING_ASSIGN_OR_RETURN(baseline, MakeSubject(*options.baseline, false, options, context),
                             "--baseline");
    subjects.push_back(baseline.get());
  }
  Explanation explanation;
  DescribeMachine(options.num_threads, explanation);
  KENNING_RETURN_IF_ERROR(MeasureLatencies(subjects, options, context));
  context.progress.Begin("profile", kRounds, "rounds");
  auto described = [&]() -> Result<> {
    KENNING_ASSIGN_OR_RETURN(explanation.model,
                             Describe(options.model, *model, options, explanation.peaks, context));
    if (!options.baseline) return {};
    KENNING_ASSIGN_OR_RETURN(explanation.baseline, Describe(*options.baseline, *baseline, options,
                                                            explanation.peaks, context));
    return {};
  }();
  context.progress.End();
  KENNING_RETURN_IF_ERROR(described);
  FindCauses(explanation);
  return explanation;
}

Result<Explanation> ExplainRoofline(const LoadRequest& model, int num_threads,
                                    AppContext& context) {
  Explanation explanation;
  DescribeMachine(num_threads, explanation);
  if (model.uri.empty()) return explanation;
  const BlockContext blocks = MakeBlockContext(context, nullptr);
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, blocks.resolve_uri(model.uri));
  const std::string format =
      model.format.empty() ? context.registry.FormatOfPath(path) : model.format;
  const InspectorInfo* inspector = context.registry.InspectorFor(format);
  if (inspector == nullptr || !inspector->read_graph) {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: the operators of format \"{}\" are not read", path.string(), format));
  }
  KENNING_ASSIGN_OR_RETURN(const GraphInfo graph, inspector->read_graph(path));
  explanation.model.path = path.string();
  explanation.model.format = format;
  explanation.model.bound = BoundOf(graph, explanation.peaks);
  return explanation;
}

}  // namespace kenning
