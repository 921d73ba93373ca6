// SPDX-License-Identifier: Apache-2.0
#include "tvm_compiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "io_spec/io_spec_json.h"
#include "kenning/base/cache_dir.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/uri.h"
#include "kenning/toolchain/worker.h"
#include "tvm_artifact.h"
#include "tvm_threads.h"

namespace kenning::tvm_engine {
namespace {

/// Reading, lowering, linking and checking, of a large model on a slow machine.
constexpr double kCompileTimeS = 3600;

tl::unexpected<Error> Refuse(std::string_view parameter, std::string_view why) {
  return Fail(ErrorCode::kUnsupported, fmt::format("TVMCompiler: {}: {}", parameter, why));
}

/// Parameters of Kenning's that ask for what TVM or this project no longer has.
Result<> CheckUnsupported(const Params& params) {
  for (const char* name : {"target_microtvm_board", "zephyr_header_template",
                           "zephyr_llext_source_template", "module_name"}) {
    if (params.Has(name)) return Refuse(name, "microcontrollers are not supported");
  }
  if (params.Bool("use_fp16_precision")) {
    return Refuse("use_fp16_precision",
                  "float16 arithmetic is slower than float32 on a CPU; "
                  "leave it out");
  }
  if (params.Bool("use_int8_precision")) {
    return Refuse("use_int8_precision",
                  "TVM no longer quantises; put TFLiteCompiler with target int8 before it");
  }
  if (params.Bool("use_tensorrt")) {
    return Refuse("use_tensorrt", "this build of TVM has no TensorRT");
  }
  const std::string& framework = params.String("model_framework");
  if (framework == "darknet" || framework == "keras" || framework == "torch") {
    return Refuse("model_framework",
                  fmt::format("\"{}\" is not read here; convert the model to ONNX or TensorFlow "
                              "Lite by an optimizer before this one",
                              framework));
  }
  return {};
}

std::vector<std::string> NotesOnParameters(const Params& params) {
  std::vector<std::string> notes;
  for (const char* name : {"conv2d_data_layout", "conv2d_kernel_layout"}) {
    if (params.String(name).empty()) continue;
    notes.push_back(
        fmt::format("{} \"{}\" was not followed: convolutions are computed as NHWC "
                    "with kernels as HWIO, which vectorise over channels",
                    name, params.String(name)));
  }
  if (params.Has("target_host")) {
    notes.emplace_back("target_host was not followed: the host is the target");
  }
  return notes;
}

/// What the engine cannot know of a tensor, from the model that was compiled.
void CarryFacts(const std::vector<TensorSpec>& from, std::vector<TensorSpec>& to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    const auto named = std::ranges::find(from, to[i].name, &TensorSpec::name);
    const TensorSpec* source = named != from.end() ? &*named : nullptr;
    if (source == nullptr && from.size() == to.size()) source = &from[i];
    if (source == nullptr) continue;
    to[i].layout = source->layout;
    to[i].class_names = source->class_names;
    to[i].mean = source->mean;
    to[i].stddev = source->stddev;
    to[i].prequantized_dtype = source->prequantized_dtype;
    if (!to[i].quant && source->dtype == to[i].dtype) to[i].quant = source->quant;
  }
}

Result<std::vector<std::string>> NotesOf(const nlohmann::json& answer) {
  try {
    return answer.at("notes").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("compile.py's answer: {}", exception.what()));
  }
}

}  // namespace

Result<std::unique_ptr<Optimizer>> TvmCompiler::Make(const Params& params) {
  KENNING_RETURN_IF_ERROR(CheckUnsupported(params));
  Settings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  const std::string extension = settings.output_path.extension().string();
  if (extension != ".tar" && extension != ".so") {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("TVMCompiler: compiled_model_path {} must end in .tar or .so",
                            settings.output_path.string()));
  }
  settings.model_framework = params.String("model_framework");
  settings.target = params.String("target");
  if (!params.String("target_attrs").empty()) {
    settings.target += " " + params.String("target_attrs");
  }
  settings.opt_level = params.Int("opt_level");
  settings.tune = params.String("tuning") == "auto";
  settings.trials = params.Int("tuning_trials");
  settings.time_s = params.Int("tuning_time_s");
  settings.threads = params.Int("tuning_threads");
  settings.database = params.Has("tuning_database")
                          ? std::filesystem::path(params.String("tuning_database"))
                          : CacheDir() / "tvm-tuning";
  settings.notes = NotesOnParameters(params);
  return std::make_unique<TvmCompiler>(std::move(settings));
}

nlohmann::json TvmCompiler::Request(const ModelArtifact& input,
                                    const std::filesystem::path& output) const {
  return {{"model", std::filesystem::absolute(input.path).string()},
          {"format", input.format},
          {"spec", nlohmann::json::parse(ModelSpecToJson(input.spec))},
          {"output", std::filesystem::absolute(output).string()},
          {"container", settings_.output_path.extension() == ".tar" ? "tar" : "so"},
          {"target", settings_.target},
          {"opt_level", settings_.opt_level},
          {"tune", settings_.tune},
          {"trials", settings_.trials},
          {"time_s", settings_.time_s},
          {"threads", settings_.threads > 0 ? settings_.threads : AvailableProcessors()},
          {"database", std::filesystem::absolute(settings_.database).string()}};
}

Result<ModelArtifact> TvmCompiler::Optimize(const ModelArtifact& input, OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  const std::string& framework = settings_.model_framework;
  if (input.format != "onnx" && input.format != "tflite") {
    return Refuse("model", fmt::format("format \"{}\" is not read here; give ONNX or TensorFlow "
                                       "Lite",
                                       input.format));
  }
  if (framework != "any" && framework != input.format) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("TVMCompiler: model_framework is \"{}\", and the model is \"{}\"",
                            framework, input.format));
  }
  KENNING_ASSIGN_OR_RETURN(AtomicFile output, AtomicFile::Create(settings_.output_path));
  WorkerJob job;
  job.toolchain = "tvm";
  job.engine = "tvm";
  job.script = "compile.py";
  job.request = Request(input, output.temporary_path());
  job.time_limit_s = kCompileTimeS + static_cast<double>(settings_.time_s);
  job.stage = "compiling with TVM";
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json answer,
                           RunWorker(job, context.progress, context.cancel));
  KENNING_ASSIGN_OR_RETURN(TvmArtifact made, ReadTvmArtifact(output.temporary_path()));
  CarryFacts(input.spec.engine_inputs(), made.spec.inputs);
  CarryFacts(input.spec.engine_outputs(), made.spec.outputs);
  ModelArtifact artifact;
  artifact.path = settings_.output_path;
  artifact.format = "tvm";
  artifact.spec = std::move(made.spec);
  KENNING_RETURN_IF_ERROR(output.Commit());
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfFile(artifact.path));
  artifact.size_bytes = std::filesystem::file_size(artifact.path);
  ProvenanceStep step;
  step.block = "TVMCompiler";
  step.framework = "tvm";
  step.version = made.tvm_version;
  step.parameters = {{"target", settings_.target},
                     {"opt_level", std::to_string(settings_.opt_level)},
                     {"tuning", settings_.tune ? "auto" : "off"},
                     {"tuning_trials", std::to_string(settings_.trials)},
                     {"tuning_time_s", std::to_string(settings_.time_s)}};
  step.notes = settings_.notes;
  KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> notes, NotesOf(answer));
  step.notes.insert(step.notes.end(), notes.begin(), notes.end());
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

}  // namespace kenning::tvm_engine
