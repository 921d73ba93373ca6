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
  onnx::ModelProto quantized = model;
  onnx_graph::Graph quantized_graph(*quantized.mutable_graph());
  KENNING_ASSIGN_OR_RETURN(const QdqSummary summary,
                           WriteQdq(quantized_graph, selection, statistics, settings_), name);
  AddNotes(summary, settings_, step.notes);
  quantized.set_producer_name("kenning");
  std::string bytes;
  if (!quantized.SerializeToString(&bytes)) {
    return Fail(ErrorCode::kResourceExhausted, "the quantised model is too large to be written");
  }
  // Nothing is written that the checks or the engine refuse.
  KENNING_RETURN_IF_ERROR(onnx_graph::ReadOnnxModelFromBytes(bytes, "the quantised model"));
  KENNING_ASSIGN_OR_RETURN(
      const double ratio_db,
      CompareOutputs(model, bytes, "the quantised model", kComparedSamples, context));
  step.notes.push_back(
      fmt::format("signal to noise of the first output, quantised against float: {:.1f} dB over up "
                  "to {} calibration samples",
                  ratio_db, kComparedSamples));
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "onnx";
  KENNING_ASSIGN_OR_RETURN(artifact.spec, onnx_graph::SpecOfModel(quantized, name));
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(artifact.path, bytes));
  artifact.sha256 = Sha256Hex(bytes);
  artifact.size_bytes = bytes.size();
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
