// SPDX-License-Identifier: Apache-2.0
#include "ov_compiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <openvino/op/constant.hpp>
#include <unordered_set>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "kenning/base/uri.h"
#include "ov_api.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

/// A folder beside the destination, removed with what is left in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& destination) : path_(destination) {
    path_ += fmt::format(".tmp-{}.d", ::getpid());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Result<> Make() const {
    std::error_code error;
    fs::remove_all(path_, error);
    fs::create_directories(path_, error);
    if (!error) return {};
    return Fail(ErrorCode::kIo, fmt::format("{}: {}; choose a place that you may write to",
                                            path_.string(), error.message()));
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// A folder of the user's with other things in it must not go away.
Result<> CheckReplaceable(const fs::path& destination) {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(destination, error))) return {};
  if (!fs::is_directory(destination, error)) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is a file, and the model becomes a folder; "
                                            "remove it or change compiled_model_path",
                                            destination.string()));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(destination, error)) {
    const std::string name = entry.path().filename().string();
    if (name == kIrGraph || name == kIrWeights) continue;
    return Fail(ErrorCode::kIo,
                fmt::format("{}: is a folder that holds {}, which is no part of an OpenVINO model; "
                            "name a folder of its own as compiled_model_path",
                            destination.string(), name));
  }
  return {};
}

/// Facts that only the input's specification knows are carried over, by name, else by position.
void CarryFacts(const std::vector<TensorSpec>& from, std::vector<TensorSpec>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto named = std::ranges::find(from, to[i].name, &TensorSpec::name);
    const TensorSpec* source = named != from.end() ? &*named : nullptr;
    if (source == nullptr && from.size() == to.size()) source = &from[i];
    if (source == nullptr || source->dtype != to[i].dtype) continue;
    const TensorSpec seen = to[i];
    to[i] = *source;
    to[i].name = seen.name;
    to[i].shape = seen.shape;
    if (!to[i].quant) to[i].quant = seen.quant;
  }
}

bool IsOneOf(const ov::Node& node, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, std::string_view(node.get_type_name())) != types.end();
}

/// The node's outputs as constants; empty where they cannot be told or are large.
ov::OutputVector ValuesOf(ov::Node& node) {
  constexpr std::size_t kMostElements = 1 << 16;
  const ov::OutputVector inputs = node.input_values();
  for (const ov::Output<ov::Node>& output : node.outputs()) {
    if (output.get_partial_shape().is_dynamic() ||
        ov::shape_size(output.get_shape()) > kMostElements) {
      return {};
    }
  }
  if (IsOneOf(node, {"ShapeOf"})) {
    if (inputs[0].get_partial_shape().is_dynamic()) return {};
    const ov::Shape& shape = inputs[0].get_shape();
    return {ov::op::v0::Constant::create(node.get_output_element_type(0), {shape.size()}, shape)
                ->output(0)};
  }
  // Not constant_fold: it passes over what readers mark as to be kept.
  ov::TensorVector arguments;
  for (const ov::Output<ov::Node>& input : inputs) {
    const auto* constant = dynamic_cast<const ov::op::v0::Constant*>(input.get_node());
    if (constant == nullptr) return {};
    arguments.push_back(constant->get_tensor_view());
  }
  ov::TensorVector results;
  for (const ov::Output<ov::Node>& output : node.outputs()) {
    results.emplace_back(output.get_element_type(), output.get_shape());
  }
  if (!node.evaluate(results, arguments)) return {};
  ov::OutputVector values;
  for (const ov::Tensor& result : results) {
    values.push_back(std::make_shared<ov::op::v0::Constant>(result)->output(0));
  }
  return values;
}

/// Computes shapes, and scales brought to the shapes of their weights, once and for all: readers
/// leave them in the graph as operators. What dequantises weights stays, so that they stay
/// integers.
void FoldSmallConstants(const ov::Model& model) {
  std::unordered_set<const ov::Node*> live;  // What depends on an input.
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    const ov::OutputVector inputs = node->input_values();
    bool is_live = inputs.empty() && !IsOneOf(*node, {"Constant"});
    for (const ov::Output<ov::Node>& input : inputs) {
      // The shape of a shape is a rank: known, whatever the sizes are.
      const bool is_rank = IsOneOf(*node, {"ShapeOf"}) && IsOneOf(*input.get_node(), {"ShapeOf"});
      is_live = is_live || (live.contains(input.get_node()) && !is_rank);
    }
    if (is_live) live.insert(node.get());
    // Scales, zero points and biases have one dimension at most; weights have more.
    const bool dequantises = IsOneOf(*node, {"Convert", "Subtract", "Multiply"}) &&
                             node->get_output_element_type(0).is_real() &&
                             (node->get_output_partial_shape(0).rank().is_dynamic() ||
                              node->get_output_partial_shape(0).size() > 1);
    if (is_live || inputs.empty() || dequantises || IsOneOf(*node, {"Result", "FakeQuantize"})) {
      continue;
    }
    const ov::OutputVector values = ValuesOf(*node);
    for (std::size_t i = 0; i < values.size(); ++i) node->output(i).replace(values[i]);
  }
}

/// "3 FakeQuantize": what shows that quantisation has survived.
std::vector<std::string> Notes(const ov::Model& model, bool compress) {
  std::size_t operators = 0;
  std::size_t quantising = 0;
  for (const auto& node : model.get_ops()) {
    const std::string_view type = node->get_type_name();
    if (type == "Constant" || type == "Parameter" || type == "Result") continue;
    ++operators;
    if (type == "FakeQuantize") ++quantising;
  }
  std::vector<std::string> notes = {fmt::format("{} operators", operators)};
  if (quantising > 0) {
    notes.push_back(
        fmt::format("quantised: {} activation ranges kept as FakeQuantize", quantising));
  }
  if (compress) notes.emplace_back("float32 weights stored as float16");
  return notes;
}

Result<> Save(const std::shared_ptr<ov::Model>& model, const fs::path& folder, bool compress) {
  return Guard(ErrorCode::kEngineFailure, folder, [&]() -> Result<> {
    ov::save_model(model, (folder / kIrGraph).string(), compress);
    // Without weights no second file is written; the folder always holds both.
    std::error_code error;
    if (!fs::exists(folder / kIrWeights, error)) {
      return WriteFileAtomically(folder / kIrWeights, "");
    }
    return {};
  });
}

}  // namespace

Result<ModelSpec> InspectModel(const fs::path& path, std::string_view format) {
  KENNING_ASSIGN_OR_RETURN(const std::shared_ptr<ov::Model> model, ReadModel(path, format));
  return Guard(ErrorCode::kInvalidModel, path,
               [&]() -> Result<ModelSpec> { return SpecOf(*model); });
}

Result<std::unique_ptr<Optimizer>> OpenVinoCompiler::Make(const Params& params) {
  Settings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  if (!settings.output_path.has_filename())
    settings.output_path = settings.output_path.parent_path();
  const std::string extension = ToLower(settings.output_path.extension().string());
  if (extension == ".xml" || extension == ".bin") {
    fs::path better = settings.output_path;
    better.replace_extension(".openvino");
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("OpenVINOCompiler: compiled_model_path \"{}\" names a file, but the "
                            "model is a folder that holds {} and {}: write \"{}\"",
                            settings.output_path.string(), kIrGraph, kIrWeights, better.string()));
  }
  settings.model_framework = params.String("model_framework");
  settings.compress_to_fp16 = params.Bool("compress_to_fp16");
  return std::make_unique<OpenVinoCompiler>(std::move(settings));
}

Result<ModelArtifact> OpenVinoCompiler::Optimize(const ModelArtifact& input,
                                                 OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  if (settings_.model_framework != "any" && settings_.model_framework != input.format) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("OpenVINOCompiler: model_framework is \"{}\", but {} is \"{}\"",
                            settings_.model_framework, input.path.string(), input.format));
  }
  context.progress.Begin("compile", 0, "");
  KENNING_RETURN_IF_ERROR(CheckReplaceable(settings_.output_path));
  KENNING_ASSIGN_OR_RETURN(const std::shared_ptr<ov::Model> model,
                           ReadModel(input.path, input.format));
  KENNING_RETURN_IF_ERROR(Guard(ErrorCode::kInvalidModel, input.path, [&]() -> Result<> {
    FoldSmallConstants(*model);
    return {};
  }));
  const TemporaryFolder folder(settings_.output_path);
  KENNING_RETURN_IF_ERROR(folder.Make());
  KENNING_RETURN_IF_ERROR(Save(model, folder.path(), settings_.compress_to_fp16));
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "openvino";
  // Of what was written, not of what was read: reading it back also proves it.
  KENNING_ASSIGN_OR_RETURN(artifact.spec, InspectModel(folder.path(), "openvino"));
  CarryFacts(input.spec.engine_inputs(), artifact.spec.inputs);
  CarryFacts(input.spec.engine_outputs(), artifact.spec.outputs);
  if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "OpenVINOCompiler: cancelled");
  KENNING_RETURN_IF_ERROR(ReplaceTree(folder.path(), artifact.path));
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfTree(artifact.path));
  KENNING_ASSIGN_OR_RETURN(artifact.size_bytes, TreeSizeBytes(artifact.path));
  context.progress.End();
  ProvenanceStep step;
  step.block = "OpenVINOCompiler";
  step.framework = "openvino";
  step.version = Version();
  step.parameters = {{"compress_to_fp16", settings_.compress_to_fp16 ? "true" : "false"}};
  step.notes = Notes(*model, settings_.compress_to_fp16);
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

}  // namespace kenning::openvino
