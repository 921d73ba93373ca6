// SPDX-License-Identifier: Apache-2.0
#include "quantizer/onnx_quantizer.h"

#include <fmt/format.h>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/core/platform.h"
#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/passes.h"
#include "onnx_graph/tensors.h"
#include "ort_api.h"
#include "quantizer/calibration_run.h"
#include "quantizer/equalize.h"
#include "quantizer/qdq_writer.h"
#include "quantizer/selection.h"

namespace kenning::quantizer {
namespace {

constexpr std::size_t kComparedSamples = 32;

/// Ranks of the graph's inputs, initializers and of what the model itself says.
onnx_graph::RankOf RanksOf(const onnx::GraphProto& graph) {
  auto ranks = std::make_shared<std::map<std::string, int>>();
  const auto add = [&ranks](const onnx::ValueInfoProto& info) {
    if (info.type().tensor_type().has_shape()) {
      (*ranks)[info.name()] = info.type().tensor_type().shape().dim_size();
    }
  };
  for (const auto& info : graph.input()) add(info);
  for (const auto& info : graph.value_info()) add(info);
  for (const auto& info : graph.output()) add(info);
  for (const auto& tensor : graph.initializer()) (*ranks)[tensor.name()] = tensor.dims_size();
  return [ranks](const std::string& tensor) -> std::optional<int> {
    const auto it = ranks->find(tensor);
    return it == ranks->end() ? std::nullopt : std::optional<int>(it->second);
  };
}

/// Brings a float model to the form that is quantised; its function stays the same.
Result<> Simplify(onnx::ModelProto& model, const Settings& settings,
                  std::vector<std::string>& notes) {
  const onnx_graph::RankOf rank_of = RanksOf(model.graph());
  KENNING_RETURN_IF_ERROR(onnx_graph::RaiseOpset(model, rank_of));
  onnx_graph::Graph graph(*model.mutable_graph());
  onnx_graph::NameNodes(graph);
  onnx_graph::ConstantsToInitializers(graph);
  onnx_graph::RemoveIdentities(graph);
  KENNING_ASSIGN_OR_RETURN(const int folded, onnx_graph::FoldBatchNormalization(graph));
  if (folded > 0) notes.push_back(fmt::format("{} batch normalisations folded", folded));
  onnx_graph::MergeMatMulAdd(graph, rank_of);
  KENNING_RETURN_IF_ERROR(onnx_graph::FoldGemmFactors(graph));
  if (settings.equalize) {
    KENNING_ASSIGN_OR_RETURN(const int pairs, EqualizeLayers(graph));
    notes.push_back(fmt::format("{} pairs of layers equalised", pairs));
  }
  return {};
}

/// Tensors to look at: owners of ranges, and inputs of layers whose bias is corrected.
CalibrationRequest RequestFor(const onnx_graph::Graph& graph, const Selection& selection,
                              const Settings& settings) {
  CalibrationRequest request;
  request.max_samples = settings.max_samples;
  for (const std::string& tensor : selection.tensors) {
    request.tensors.insert(selection.RangeOwner(tensor));
  }
  if (!settings.bias_correction) return request;
  for (const int index : selection.nodes) {
    if (HasWeights(graph.node(index))) request.tensors.insert(graph.node(index).input(0));
  }
  return request;
}

void AddNotes(const QdqSummary& summary, const Settings& settings,
              std::vector<std::string>& notes) {
  notes.push_back(
      fmt::format("{} nodes quantised, {} of them with weights", summary.nodes, summary.layers));
  if (settings.weight_range == WeightRange::kPairSafe) {
    notes.push_back(fmt::format(
        "the target CPU adds products in 16 bits (no VNNI): weights of {} of {} layers are limited "
        "so that no sum saturates; the smallest range is -{}..{}",
        summary.limited_layers, summary.layers, summary.smallest_range, summary.smallest_range));
  } else if (settings.weight_range_chosen) {
    notes.push_back(
        "the target CPU adds products in 32 bits: all weights have the full range; on an x86 CPU "
        "without VNNI this model may lose accuracy");
  }
}

/// One way to quantise, and how near it comes to the float model.
struct Candidate {
  onnx::ModelProto model;
  std::string bytes;
  QdqSummary summary;
  double signal_to_noise_db = 0;
};

/// What all candidates are made from.
struct Ingredients {
  const onnx::ModelProto& model;
  const Selection& selection;
  const std::map<std::string, TensorStatistics>& statistics;
  const Settings& settings;
  const std::string& name;
  OptimizeContext& context;
};

/// Nothing that the checks or the engine refuse becomes a candidate.
Result<Candidate> MakeCandidate(const Ingredients& from, RangeMethod method,
                                const OutputReference& reference) {
  Settings settings = from.settings;
  settings.method = method;
  Candidate candidate;
  candidate.model = from.model;
  onnx_graph::Graph graph(*candidate.model.mutable_graph());
  KENNING_ASSIGN_OR_RETURN(candidate.summary,
                           WriteQdq(graph, from.selection, from.statistics, settings));
  candidate.model.set_producer_name("kenning");
  if (!candidate.model.SerializeToString(&candidate.bytes)) {
    return Fail(ErrorCode::kResourceExhausted, "the quantised model is too large to be written");
  }
  KENNING_RETURN_IF_ERROR(
      onnx_graph::ReadOnnxModelFromBytes(candidate.bytes, "the quantised model"));
  KENNING_ASSIGN_OR_RETURN(
      candidate.signal_to_noise_db,
      reference.SignalToNoise(candidate.bytes, "the quantised model", from.context));
  return candidate;
}

/// The method asked for, or the best of all: their ranges come from the same histograms, so that
/// the samples are run only once.
Result<Candidate> FindBest(const Ingredients& from, std::vector<std::string>& notes) {
  struct Named {
    RangeMethod method;
    std::string_view name;
  };
  static constexpr Named kMethods[] = {{RangeMethod::kMinMax, "minmax"},
                                       {RangeMethod::kPercentile, "percentile"},
                                       {RangeMethod::kMse, "mse"},
                                       {RangeMethod::kEntropy, "entropy"}};
  KENNING_ASSIGN_OR_RETURN(
      const OutputReference reference,
      OutputReference::Make(from.model, from.name, kComparedSamples, from.context));
  std::optional<Candidate> best;
  std::string_view best_name;
  std::string tried;
  from.context.progress.Begin("compare", std::size(kMethods), "calibration methods");
  std::uint64_t done = 0;
  for (const Named& one : kMethods) {
    from.context.progress.Update(done++);
    if (from.settings.method != RangeMethod::kAuto && from.settings.method != one.method) continue;
    KENNING_ASSIGN_OR_RETURN(Candidate candidate, MakeCandidate(from, one.method, reference));
    tried += fmt::format("{}{} {:.1f} dB", tried.empty() ? "" : ", ", one.name,
                         candidate.signal_to_noise_db);
    if (best && candidate.signal_to_noise_db <= best->signal_to_noise_db) continue;
    best = std::move(candidate);
    best_name = one.name;
  }
  from.context.progress.End();
  notes.push_back(fmt::format(
      "activation ranges by {}; signal to noise of the first output, quantised against float, over "
      "{} calibration samples: {}",
      best_name, reference.samples(), tried));
  return *std::move(best);
}

}  // namespace

Result<ModelArtifact> OnnxQuantizer::Optimize(const ModelArtifact& input,
                                              OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  const std::string name = input.path.string();
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, onnx_graph::ReadOnnxModel(input.path));
  ProvenanceStep step;
  KENNING_RETURN_IF_ERROR(Simplify(model, settings_, step.notes), name);
  onnx_graph::Graph graph(*model.mutable_graph());
  KENNING_ASSIGN_OR_RETURN(const Selection selection, SelectNodes(graph, settings_), name);
  KENNING_ASSIGN_OR_RETURN(
      const auto statistics,
      RunCalibration(model, name, RequestFor(graph, selection, settings_), context));
  KENNING_ASSIGN_OR_RETURN(
      const Candidate best,
      FindBest({model, selection, statistics, settings_, name, context}, step.notes), name);
  AddNotes(best.summary, settings_, step.notes);
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "onnx";
  KENNING_ASSIGN_OR_RETURN(artifact.spec, onnx_graph::SpecOfModel(best.model, name));
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(artifact.path, best.bytes));
  artifact.sha256 = Sha256Hex(best.bytes);
  artifact.size_bytes = best.bytes.size();
  step.block = "ONNXQuantizer";
  step.framework = "kenning";
  step.version = "onnxruntime " + ort::Version();
  step.parameters = parameters_;
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

Result<std::unique_ptr<Optimizer>> MakeOnnxQuantizer(const Params& params, BlockContext& context) {
  if (params.Has("location") && params.String("location") == "target") {
    return Fail(ErrorCode::kUnavailable,
                "ONNXQuantizer: location \"target\" needs the target agent, which is not part of "
                "this version; use \"host\"");
  }
  const bool saturating = context.platform != nullptr && context.platform->saturating_int8();
  std::map<std::string, std::string> parameters;
  for (const auto& [name, value] : params.values()) parameters[name] = ToString(value);
  KENNING_ASSIGN_OR_RETURN(Settings settings, ReadSettings(params, saturating));
  return std::make_unique<OnnxQuantizer>(std::move(settings), std::move(parameters));
}

}  // namespace kenning::quantizer
