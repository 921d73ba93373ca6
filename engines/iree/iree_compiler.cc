// SPDX-License-Identifier: Apache-2.0
#include "iree_compiler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cpu_check.h"
#include "io_spec/io_spec_json.h"
#include "iree_session.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "kenning/base/uri.h"
#include "kenning/toolchain/worker.h"

namespace kenning::iree {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMaxModelBytes = std::uint64_t{1} << 31;

Result<std::vector<std::string>> CheckedArgs(const std::vector<std::string>& args) {
  std::vector<std::string> checked;
  for (const std::string& arg : args) {
    std::string option = arg.starts_with("-") ? arg : "--" + arg;
    const std::string_view name = std::string_view(option).substr(0, option.find('='));
    if (name == "-o" || name == "--o" || name.starts_with("--compile-to") ||
        name.starts_with("--output-format") || arg.starts_with("@")) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("IREECompiler: compiler_args: {} would change what is written; leave "
                              "it out",
                              arg));
    }
    checked.push_back(std::move(option));
  }
  return checked;
}

/// The specification that goes into the module: what the engine sees, and nothing else.
ModelSpec EngineSpec(const ModelSpec& spec) {
  ModelSpec engine;
  engine.inputs = spec.engine_inputs();
  engine.outputs = spec.engine_outputs();
  return engine;
}

std::string StringOf(const nlohmann::json& json, const char* key) {
  const auto it = json.find(key);
  return it != json.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// A tensor that the worker wrote.
Result<Tensor> ReadTensor(const fs::path& file, DType dtype, Shape shape) {
  for (std::int64_t& dim : shape) dim = dim == kAnyDim ? 1 : dim;
  KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(dtype, shape));
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file));
  if (bytes.size() != tensor.size_bytes()) {
    return Fail(ErrorCode::kInternal, fmt::format("{}: {} bytes, not {}", file.string(),
                                                  bytes.size(), tensor.size_bytes()));
  }
  std::copy_n(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size(), tensor.data());
  return tensor;
}

template <typename T>
void Append(const Tensor& tensor, std::vector<double>& values) {
  for (const T value : tensor.as<T>()) values.push_back(static_cast<double>(value));
}

std::optional<std::vector<double>> AsDoubles(const Tensor& tensor) {
  std::vector<double> values;
  switch (tensor.dtype()) {
    case DType::kFloat32:
      Append<float>(tensor, values);
      break;
    case DType::kFloat64:
      Append<double>(tensor, values);
      break;
    case DType::kInt8:
      Append<std::int8_t>(tensor, values);
      break;
    case DType::kUint8:
      Append<std::uint8_t>(tensor, values);
      break;
    case DType::kInt32:
      Append<std::int32_t>(tensor, values);
      break;
    case DType::kInt64:
      Append<std::int64_t>(tensor, values);
      break;
    default:
      return std::nullopt;
  }
  return values;
}

struct Agreement {
  double cosine = 1;
  double max_error = 0;
  double max_value = 0;
};

Agreement Compare(const std::vector<double>& got, const std::vector<double>& want) {
  Agreement result;
  double dot = 0;
  double got_square = 0;
  double want_square = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    dot += got[i] * want[i];
    got_square += got[i] * got[i];
    want_square += want[i] * want[i];
    result.max_error = std::max(result.max_error, std::abs(got[i] - want[i]));
    result.max_value = std::max(result.max_value, std::abs(want[i]));
  }
  if (got_square > 0 && want_square > 0) result.cosine = dot / std::sqrt(got_square * want_square);
  if (!std::isfinite(dot + got_square)) result.cosine = 0;
  return result;
}

/// What a module is compared with: inputs and outputs of batch 1 that a worker left in a folder.
struct Reference {
  std::string of;  ///< Whose outputs these are; empty where there are none.
  bool quantised = false;
};

/// Loads the module and, where there is a reference, runs it once and compares.
Result<std::vector<std::string>> Verify(const fs::path& module, const fs::path& folder,
                                        const Reference& reference) {
  KENNING_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                           IreeSession::Load(module, {.driver = "local-sync"}),
                           "loading what was compiled");
  if (reference.of.empty()) return std::vector<std::string>{};
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<Tensor> wanted;
  std::vector<TensorView> in;
  std::vector<MutableTensorView> out;
  for (const TensorSpec& spec : session->spec().inputs) {
    const std::string name = fmt::format("input{}.bin", inputs.size());
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(folder / name, spec.dtype, spec.shape));
    inputs.push_back(std::move(tensor));
  }
  std::vector<Shape> shapes;
  for (const Tensor& tensor : inputs) {
    shapes.push_back(tensor.shape());
    in.push_back(tensor.view());
  }
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> resolved, session->ResolveOutputs(shapes));
  for (const TensorSpec& spec : resolved) {
    const std::string name = fmt::format("output{}.bin", wanted.size());
    KENNING_ASSIGN_OR_RETURN(Tensor want, ReadTensor(folder / name, spec.dtype, spec.shape));
    wanted.push_back(std::move(want));
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(spec.dtype, spec.shape));
    outputs.push_back(std::move(tensor));
  }
  for (Tensor& tensor : outputs) out.push_back(tensor.mutable_view());
  KENNING_RETURN_IF_ERROR(session->Invoke(in, out), "running what was compiled");
  std::vector<std::string> notes;
  // Arithmetic on quantised values may round to the other of two neighbours.
  const double least_cosine = reference.quantised ? 0.98 : 0.9999;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const auto got = AsDoubles(outputs[i]);
    const auto want = AsDoubles(wanted[i]);
    if (!got || !want) continue;
    const Agreement agreement = Compare(*got, *want);
    const std::string text = fmt::format(
        "output \"{}\" against {}: cosine {:.6f}, largest "
        "error {:.3g} at values up to {:.3g}",
        resolved[i].name, reference.of, agreement.cosine, agreement.max_error, agreement.max_value);
    if (agreement.cosine < least_cosine) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("the compiled module computes something else: {}", text));
    }
    notes.push_back(text);
  }
  return notes;
}

/// The model as an ONNX file: itself, or converted below `folder`, where a sample and what the
/// original makes of it then lie.
Result<fs::path> AsOnnx(const ModelArtifact& input, const fs::path& folder,
                        OptimizeContext& context, ProvenanceStep& step, Reference& reference) {
  if (input.format == "onnx") return input.path;
  const auto names = [](const std::vector<TensorSpec>& specs) {
    nlohmann::json list = nlohmann::json::array();
    for (const TensorSpec& spec : specs) list.push_back(spec.name);
    return list;
  };
  fs::path onnx = folder / "converted.onnx";
  WorkerJob job{.toolchain = "tensorflow", .engine = "onnxruntime", .script = "to_onnx.py"};
  job.stage = "converting to ONNX";
  job.request = {{"model", fs::absolute(input.path).string()},
                 {"format", input.format},
                 {"output", onnx.string()},
                 {"folder", folder.string()},
                 {"input_names", names(input.spec.engine_inputs())},
                 {"output_names", names(input.spec.engine_outputs())}};
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json answer,
                           RunWorker(job, context.progress, context.cancel), input.path.string());
  step.parameters["converter"] = "tf2onnx " + StringOf(answer, "version");
  if (const auto notes = answer.find("notes"); notes != answer.end() && notes->is_array()) {
    for (const nlohmann::json& note : *notes) {
      if (note.is_string()) step.notes.push_back(note.get<std::string>());
    }
  }
  if (answer.contains("check")) reference.of = "the original model";
  return onnx;
}

std::string FeatureNote(const CodeTarget& target) {
  std::vector<std::string> features;
  for (const std::string& feature : target.features) {
    if (MattersToKernels(feature)) features.push_back(feature);
  }
  return fmt::format("machine code for {} with {}", target.cpu, Join(features));
}

}  // namespace

Result<std::unique_ptr<Optimizer>> IreeCompiler::Make(const Params& params) {
  CompilerSettings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  if (params.Has("backend")) settings.backend = params.String("backend");
  if (settings.backend == "dylib") settings.backend = "llvm-cpu";
  if (settings.backend != "llvm-cpu" && settings.backend != "vmvx") {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("IREECompiler: backend \"{}\" makes code for a GPU, which IREERuntime of "
                    "this build does not run; there are llvm-cpu and vmvx",
                    settings.backend));
  }
  settings.target_cpu = params.String("target_cpu");
  if (params.Has("target_cpu_features")) {
    settings.target_cpu_features = params.String("target_cpu_features");
  }
  settings.opt_level = params.String("opt_level");
  settings.data_tiling = params.Bool("data_tiling");
  settings.conv_layout = params.String("conv_layout");
  settings.batch_size = static_cast<int>(params.Int("batch_size"));
  settings.verify = params.Bool("verify");
  if (params.Has("compiler_args")) {
    KENNING_ASSIGN_OR_RETURN(settings.compiler_args,
                             CheckedArgs(params.StringList("compiler_args")));
  }
  return std::make_unique<IreeCompiler>(std::move(settings));
}

nlohmann::json IreeCompiler::Request(const ModelSpec& spec, const fs::path& output,
                                     const fs::path& folder) const {
  return {{"output", fs::absolute(output).string()},
          {"folder", folder.string()},
          {"io_spec", ModelSpecToJson(EngineSpec(spec))},
          {"backend", settings_.backend},
          {"target_cpu", settings_.target_cpu},
          {"target_cpu_features", settings_.target_cpu_features},
          {"opt_level", settings_.opt_level},
          {"data_tiling", settings_.data_tiling},
          {"conv_layout", settings_.conv_layout},
          {"batch_size", settings_.batch_size},
          {"compiler_args", settings_.compiler_args}};
}

ProvenanceStep IreeCompiler::Step() const {
  ProvenanceStep step;
  step.block = "IREECompiler";
  step.framework = "iree";
  step.parameters = {{"backend", settings_.backend},
                     {"opt_level", settings_.opt_level},
                     {"conv_layout", settings_.conv_layout},
                     {"batch_size", fmt::format("{}", settings_.batch_size)},
                     {"data_tiling", settings_.data_tiling ? "true" : "false"},
                     {"compiler_args", Join(settings_.compiler_args, " ")}};
  if (settings_.backend == "llvm-cpu") {
    step.parameters["target_cpu"] = settings_.target_cpu;
    step.parameters["target_cpu_features"] = settings_.target_cpu_features;
  }
  return step;
}

Result<ModelArtifact> IreeCompiler::Optimize(const ModelArtifact& input, OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t model_bytes, TreeSizeBytes(input.path));
  if (model_bytes > kMaxModelBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: {} bytes; IREECompiler takes models of at most {}",
                            input.path.string(), model_bytes, kMaxModelBytes));
  }
  KENNING_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Create());
  KENNING_ASSIGN_OR_RETURN(AtomicFile output, AtomicFile::Create(settings_.output_path));
  ProvenanceStep step = Step();
  Reference reference;
  KENNING_ASSIGN_OR_RETURN(const fs::path onnx,
                           AsOnnx(input, scratch.path(), context, step, reference));
  // The sample that came with a conversion is of batch 1.
  if (settings_.batch_size > 1 || !settings_.verify) reference.of.clear();
  WorkerJob job{.toolchain = "iree", .engine = "iree", .script = "compile.py"};
  job.stage = "compile";
  job.request = Request(input.spec, output.temporary_path(), scratch.path());
  job.request["model"] = fs::absolute(onnx).string();
  job.request["reference"] = settings_.verify && reference.of.empty();
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json answer,
                           RunWorker(job, context.progress, context.cancel), input.path.string());
  step.version = StringOf(answer, "version");
  reference.quantised = answer.value("quantised", false);
  if (answer.value("reference", false)) reference.of = "ONNX's reference implementation";
  if (settings_.verify) {
    KENNING_ASSIGN_OR_RETURN(std::vector<std::string> notes,
                             Verify(output.temporary_path(), scratch.path(), reference),
                             input.path.string());
    std::ranges::move(notes, std::back_inserter(step.notes));
  }
  if (const std::string why = StringOf(answer, "no_reference"); !why.empty()) {
    step.notes.push_back(fmt::format("loaded, but not compared with a reference: {}", why));
  }
  if (answer.value("channels_last", false)) {
    step.notes.emplace_back("convolutions are channels-last");
  }
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "iree";
  // Of what was written, not of what was read.
  KENNING_ASSIGN_OR_RETURN(artifact.spec, IreeSession::Inspect(output.temporary_path()));
  KENNING_ASSIGN_OR_RETURN(const AlignedBytes bytes, ReadVmfb(output.temporary_path()));
  const CodeTarget target = FindCodeTarget(FlatBufferOf(bytes.span()));
  if (!target.cpu.empty() && settings_.backend == "llvm-cpu") {
    step.notes.push_back(FeatureNote(target));
  }
  if (context.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "IREECompiler: cancelled");
  KENNING_RETURN_IF_ERROR(output.Commit());
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfFile(artifact.path));
  artifact.size_bytes = bytes.span().size();
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

}  // namespace kenning::iree
