// SPDX-License-Identifier: Apache-2.0
#include "ort_compiler.h"

#include <fmt/format.h>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/uri.h"
#include "kenning/toolchain/worker.h"
#include "onnx_graph/onnx_reader.h"
#include "onnx_import.h"
#include "ort_api.h"
#include "ort_fp16.h"

namespace kenning::ort {
namespace {

/// ONNX Runtime writes its optimised graph to `destination`.
Result<> WriteOptimisedGraph(const std::filesystem::path& model, const std::string& level,
                             const std::filesystem::path& destination) {
  return Guard(model, [&]() -> Result<> {
    Ort::SessionOptions options;
    options.SetGraphOptimizationLevel(ParseGraphLevel(level));
    options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
    options.SetOptimizedModelFilePath(destination.c_str());
    const Ort::Session session(Environment(), model.c_str(), options);
    return {};
  });
}

Result<Float16Summary> RewriteAsFloat16(const std::filesystem::path& model) {
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto proto, onnx_graph::ReadOnnxModel(model));
  KENNING_ASSIGN_OR_RETURN(const Float16Summary summary, ConvertToFloat16(proto), model.string());
  std::string bytes;
  if (!proto.SerializeToString(&bytes)) {
    return Fail(ErrorCode::kResourceExhausted, "the float16 model is too large to be written");
  }
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(model, bytes));
  return summary;
}

}  // namespace

Result<std::unique_ptr<Optimizer>> OnnxCompiler::Make(const Params& params) {
  Settings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  settings.graph_level = params.String("graph_optimization_level");
  settings.float16 = params.String("precision") == "float16";
  if (settings.float16 && settings.graph_level != "basic" && settings.graph_level != "disabled") {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("ONNXCompiler: precision \"float16\" goes with graph_optimization_level "
                    "\"disabled\" or \"basic\", not \"{}\": fused operators of ONNX Runtime "
                    "have no float16 form",
                    settings.graph_level));
  }
  return std::make_unique<OnnxCompiler>(std::move(settings));
}

Result<ModelArtifact> OnnxCompiler::Optimize(const ModelArtifact& input, OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  ProvenanceStep step;
  std::filesystem::path source = input.path;
  std::optional<ScratchFolder> scratch;
  if (input.format != "onnx") {
    KENNING_ASSIGN_OR_RETURN(ScratchFolder folder, ScratchFolder::Create());
    scratch.emplace(std::move(folder));
    KENNING_ASSIGN_OR_RETURN(ImportedModel imported, ImportToOnnx(input, scratch->path(), context));
    source = std::move(imported.path);
    step.notes = std::move(imported.notes);
    step.parameters["converter"] = "tf2onnx " + imported.version;
  }
  context.progress.Begin("compile", 0, "");
  KENNING_RETURN_IF_ERROR(onnx_graph::CheckOnnxFile(source));
  KENNING_ASSIGN_OR_RETURN(AtomicFile output, AtomicFile::Create(settings_.output_path));
  KENNING_RETURN_IF_ERROR(
      WriteOptimisedGraph(source, settings_.graph_level, output.temporary_path()));
  if (settings_.float16) {
    KENNING_ASSIGN_OR_RETURN(const Float16Summary summary,
                             RewriteAsFloat16(output.temporary_path()));
    step.notes.push_back(fmt::format("{} tensors stored as float16, largest relative error {:.2g}",
                                     summary.converted_tensors, summary.largest_relative_error));
  }
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "onnx";
  KENNING_ASSIGN_OR_RETURN(artifact.spec, onnx_graph::InspectOnnx(output.temporary_path()));
  if (scratch) artifact.spec = CarrySpec(input.spec, std::move(artifact.spec));
  KENNING_RETURN_IF_ERROR(output.Commit());
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfFile(artifact.path));
  artifact.size_bytes = std::filesystem::file_size(artifact.path);
  context.progress.End();
  step.block = "ONNXCompiler";
  step.framework = "onnxruntime";
  step.version = Version();
  step.parameters["graph_optimization_level"] = settings_.graph_level;
  step.parameters["precision"] = settings_.float16 ? "float16" : "float32";
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

}  // namespace kenning::ort
