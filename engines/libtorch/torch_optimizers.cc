// SPDX-License-Identifier: Apache-2.0
#include "torch_optimizers.h"

#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/passes/freeze_module.h>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/uri.h"
#include "onnx_export/onnx_export.h"
#include "onnx_import/onnx_import.h"
#include "spec_guess.h"
#include "torch_api.h"
#include "torch_model.h"

namespace kenning::libtorch {
namespace {

/// The facts of a model that was just written.
Result<ModelArtifact> Describe(const ModelArtifact& input, const std::filesystem::path& path,
                               std::string format, ModelSpec spec, ProvenanceStep step,
                               std::int64_t start_ns) {
  ModelArtifact artifact;
  artifact.path = path;
  artifact.format = std::move(format);
  artifact.spec = std::move(spec);
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfFile(path));
  artifact.size_bytes = std::filesystem::file_size(path);
  step.framework = "libtorch";
  step.version = Version();
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

/// The model of any accepted format. The artifact's own specification, which may know layouts and
/// class names, goes before what the file tells; it is checked by a run.
Result<TorchModel> ReadInput(const ModelArtifact& input) {
  TorchModel model;
  if (input.format == "onnx") {
    KENNING_ASSIGN_OR_RETURN(model, ImportOnnx(input.path));
  } else {
    KENNING_ASSIGN_OR_RETURN(model, ReadTorchModel(input.path, input.format));
  }
  const bool checked = input.format != "onnx" && input.spec.inputs.empty();
  if (!input.spec.inputs.empty()) model.spec = input.spec;
  if (checked) return model;
  return Guard(input.path, ErrorCode::kInvalidModel, [&]() -> Result<TorchModel> {
    KENNING_RETURN_IF_ERROR(CheckSpec(model.module, model.spec, input.path));
    return std::move(model);
  });
}

Result<std::filesystem::path> OutputPath(const Params& params) {
  KENNING_ASSIGN_OR_RETURN(std::filesystem::path path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  return path;
}

}  // namespace

Result<std::unique_ptr<Optimizer>> TorchCompiler::Make(const Params& params) {
  KENNING_ASSIGN_OR_RETURN(std::filesystem::path path, OutputPath(params));
  return std::make_unique<TorchCompiler>(std::move(path));
}

Result<ModelArtifact> TorchCompiler::Optimize(const ModelArtifact& input,
                                              OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  context.progress.Begin("compile", 0, "");
  KENNING_ASSIGN_OR_RETURN(TorchModel model, ReadInput(input));
  if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
  KENNING_RETURN_IF_ERROR(Guard(input.path, ErrorCode::kInvalidModel, [&]() -> Result<> {
    // Weights become constants; what depends on them alone is computed once.
    model.module = torch::jit::freeze(model.module);
    return {};
  }));
  KENNING_RETURN_IF_ERROR(WriteTorchScript(model.module, model.spec, output_path_));
  context.progress.End();
  ProvenanceStep step;
  step.block = "PyTorchCompiler";
  step.parameters = {{"from", input.format}};
  return Describe(input, output_path_, "torchscript", std::move(model.spec), std::move(step),
                  start_ns);
}

Result<std::unique_ptr<Optimizer>> OnnxExporter::Make(const Params& params) {
  KENNING_ASSIGN_OR_RETURN(std::filesystem::path path, OutputPath(params));
  return std::make_unique<OnnxExporter>(std::move(path));
}

Result<ModelArtifact> OnnxExporter::Optimize(const ModelArtifact& input, OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  context.progress.Begin("export", 0, "");
  KENNING_ASSIGN_OR_RETURN(TorchModel model, ReadInput(input));
  if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "cancelled");
  KENNING_ASSIGN_OR_RETURN(const double difference,
                           ExportOnnx(model.module, model.spec, output_path_));
  context.progress.End();
  ProvenanceStep step;
  step.block = "PyTorchONNXExporter";
  step.parameters = {{"from", input.format}};
  step.notes = {fmt::format(
      "read back and run on one random input: largest difference {:.2g} of the largest output",
      difference)};
  return Describe(input, output_path_, "onnx", std::move(model.spec), std::move(step), start_ns);
}

}  // namespace kenning::libtorch
