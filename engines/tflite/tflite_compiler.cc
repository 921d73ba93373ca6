// SPDX-License-Identifier: Apache-2.0
#include "tflite_compiler.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <sstream>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "kenning/base/uri.h"
#include "kenning/toolchain/worker.h"
#include "model_file/operators.h"

namespace kenning::tflite {
namespace {

constexpr const char* kToolchain = "tensorflow";

bool IsInteger(TensorType type) {
  return type == TensorType::kInt8 || type == TensorType::kUint8 || type == TensorType::kInt16;
}

/// Every n-th of the calibration samples, so that all parts of the data have a say.
class SpreadSamples final : public CalibrationView {
 public:
  SpreadSamples(CalibrationView& all, std::size_t count) : all_(all), count_(count) {}
  std::size_t size() const override { return count_; }
  Result<> Get(std::size_t index, std::vector<Tensor>& out) override {
    return all_.Get(count_ == 0 ? index : index * all_.size() / count_, out);
  }

 private:
  CalibrationView& all_;
  std::size_t count_;
};

bool NeedsData(const CompilerSettings& settings) {
  return settings.target == "int8" || settings.target == "edgetpu";
}

Result<> AddCalibration(const CompilerSettings& settings, OptimizeContext& context,
                        const std::filesystem::path& folder, nlohmann::json& request) {
  if (context.calibration == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("TFLiteCompiler: target \"{}\" needs calibration data, and the "
                            "scenario has no dataset: add one, or choose target \"dynamic\"",
                            settings.target));
  }
  const std::size_t all = context.calibration->size();
  const auto share =
      static_cast<std::size_t>(std::ceil(settings.dataset_percentage * static_cast<double>(all)));
  const std::size_t count =
      std::min(share, static_cast<std::size_t>(settings.max_calibration_samples));
  SpreadSamples samples(*context.calibration, count);
  KENNING_ASSIGN_OR_RETURN(
      request["calibration"],
      WriteCalibration(samples, count, folder, context.progress, context.cancel));
  request["calibration_folder"] = folder.string();
  return {};
}

/// What the dataset side gives and expects: the source's word where it has one.
TensorSpec OuterSpec(const TensorSpec& engine, const TensorSpec* source, bool source_name) {
  TensorSpec outer = engine;
  outer.quant.reset();
  outer.prequantized_dtype.reset();
  outer.dtype = engine.prequantized_dtype.value_or(engine.dtype);
  if (source == nullptr) return outer;
  outer.layout = source->layout.empty() ? engine.layout : source->layout;
  outer.class_names = source->class_names;
  outer.mean = source->mean;
  outer.stddev = source->stddev;
  if (source_name && !source->name.empty()) outer.name = source->name;
  return outer;
}

/// A quantised input or output of a model whose source was float, as Kenning writes it.
void Complete(std::vector<TensorSpec>& engine, const std::vector<TensorSpec>& source,
              std::vector<TensorSpec>& outer, std::vector<TensorSpec>& processed) {
  const bool known = source.size() == engine.size();
  bool quantised = false;
  for (std::size_t i = 0; i < engine.size(); ++i) {
    TensorSpec& spec = engine[i];
    const DType before = known ? source[i].dtype : DType::kFloat32;
    if (spec.quant && spec.dtype != before) {
      spec.prequantized_dtype = before;
      quantised = true;
    }
  }
  for (std::size_t i = 0; i < engine.size(); ++i) {
    outer.push_back(OuterSpec(engine[i], known ? &source[i] : nullptr, quantised));
    if (known) {
      engine[i].layout = outer[i].layout;
      engine[i].class_names = outer[i].class_names;
    }
  }
  if (quantised) processed = engine;
}

ModelSpec CompleteSpec(ModelSpec engine, const ModelSpec& source) {
  ModelSpec spec;
  Complete(engine.inputs, source.inputs, spec.inputs, spec.processed_inputs);
  Complete(engine.outputs, source.outputs, spec.outputs, spec.processed_outputs);
  return spec;
}

/// `target: int8` gives int8 or says why not.
Result<> CheckInt8(const ModelFile& model, const std::string& target,
                   std::vector<std::string>& notes) {
  const Int8Share share = CountInt8(model);
  const auto floats = static_cast<int>(share.float_heavy.size());
  if (share.heavy > 0 && floats == share.heavy) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("TFLiteCompiler: target \"{}\", but TensorFlow's converter left all {} "
                            "operators with weights in float",
                            target, share.heavy));
  }
  notes.push_back(fmt::format("{} of {} operators with weights compute in int8",
                              share.heavy - floats, share.heavy));
  if (floats > 0) notes.push_back("left in float: " + Join(share.float_heavy));
  std::vector<std::string> rest;
  for (const auto& [type, count] : share.float_rest) {
    rest.push_back(count == 1 ? type : fmt::format("{} x {}", count, type));
  }
  if (!rest.empty()) notes.push_back("other operators in float: " + Join(rest));
  return {};
}

std::filesystem::path FindProgram(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::stringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path file = std::filesystem::path(folder) / name;
    if (!folder.empty() && ::access(file.c_str(), X_OK) == 0) return file;
  }
  return {};
}

Result<> RefuseWhatIsNotHere(const Params& params) {
  if (params.Bool("quantization_aware_training")) {
    return Fail(ErrorCode::kUnsupported,
                "TFLiteCompiler: quantization_aware_training needs TensorFlow Model Optimization, "
                "which does not work with Keras 3: train in your own environment, or quantise "
                "after training with target \"int8\"");
  }
  if (params.Bool("save_to_zip")) {
    return Fail(ErrorCode::kUnsupported,
                "TFLiteCompiler: save_to_zip makes packages for Kenning's Zephyr runtime, which "
                "kenning does not have");
  }
  for (const char* name : {"resolver_template_path", "resolver_output_path"}) {
    if (!params.Has(name)) continue;
    return Fail(ErrorCode::kUnsupported,
                fmt::format("TFLiteCompiler: {} is for Kenning's Zephyr runtime, which kenning "
                            "does not have",
                            name));
  }
  return {};
}

}  // namespace

Int8Share CountInt8(const ModelFile& model) {
  Int8Share share;
  const FileSubgraph& graph = model.main();
  for (const FileOperator& op : graph.operators) {
    const bool integer = IsInteger(ComputeType(graph, op));
    const bool heavy = IsHeavy(op.builtin);
    const std::string name = op.outputs.empty()
                                 ? op.op_type
                                 : graph.tensors[static_cast<std::size_t>(op.outputs[0])].name;
    if (heavy) {
      ++share.heavy;
      if (!integer) share.float_heavy.push_back(fmt::format("{} ({})", name, op.op_type));
    } else if (ComputeType(graph, op) == TensorType::kFloat32 && op.builtin != kQuantize) {
      ++share.float_rest[op.op_type];
    }
  }
  return share;
}

Result<std::unique_ptr<Optimizer>> TfliteCompiler::Make(const Params& params) {
  KENNING_RETURN_IF_ERROR(RefuseWhatIsNotHere(params));
  CompilerSettings settings;
  KENNING_ASSIGN_OR_RETURN(settings.output_path,
                           OutputPathFromUri(params.String("compiled_model_path")),
                           "compiled_model_path");
  settings.target = params.String("target");
  settings.input_type = params.String("inference_input_type");
  settings.output_type = params.String("inference_output_type");
  settings.static_batch = static_cast<int>(params.Int("static_batch"));
  settings.dataset_percentage = params.Float("dataset_percentage");
  settings.max_calibration_samples = static_cast<int>(params.Int("max_calibration_samples"));
  settings.select_ops = params.Bool("use_tf_select_ops");
  if (!NeedsData(settings) &&
      (settings.input_type != "float32" || settings.output_type != "float32")) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("TFLiteCompiler: inference_input_type \"{}\" and "
                            "inference_output_type \"{}\" go with target \"int8\" or \"edgetpu\", "
                            "not \"{}\"",
                            settings.input_type, settings.output_type, settings.target));
  }
  if (settings.target == "edgetpu") {
    settings.edgetpu_compiler = FindProgram("edgetpu_compiler");
    if (settings.edgetpu_compiler.empty()) {
      return Fail(ErrorCode::kUnavailable,
                  "TFLiteCompiler: target \"edgetpu\" needs the program edgetpu_compiler, which is "
                  "not on the PATH: install Coral's package edgetpu-compiler (x86-64 Linux only), "
                  "or choose target \"int8\"");
    }
  }
  return std::make_unique<TfliteCompiler>(std::move(settings));
}

Result<ModelArtifact> TfliteCompiler::Optimize(const ModelArtifact& input,
                                               OptimizeContext& context) {
  const std::int64_t start_ns = MonotonicNowNs();
  KENNING_ASSIGN_OR_RETURN(const ScratchFolder scratch, ScratchFolder::Create());
  WorkerJob job{.toolchain = kToolchain, .engine = "tflite", .script = "convert.py"};
  job.stage = "converting";
  const std::filesystem::path made = scratch.path() / "model.tflite";
  job.request = {{"model", std::filesystem::absolute(input.path).string()},
                 {"format", input.format},
                 {"output", made.string()},
                 {"target", settings_.target},
                 {"input_type", settings_.input_type},
                 {"output_type", settings_.output_type},
                 {"batch", settings_.static_batch},
                 {"select_ops", settings_.select_ops},
                 {"edgetpu_compiler", settings_.edgetpu_compiler.string()}};
  if (NeedsData(settings_)) {
    const std::filesystem::path folder = scratch.path() / "calibration";
    std::filesystem::create_directories(folder);
    KENNING_RETURN_IF_ERROR(AddCalibration(settings_, context, folder, job.request));
  }
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json answer,
                           RunWorker(job, context.progress, context.cancel), input.path.string());

  KENNING_ASSIGN_OR_RETURN(std::string bytes, ReadModelBytes(made));
  KENNING_ASSIGN_OR_RETURN(const ModelFile model,
                           ParseModel(bytes, settings_.output_path.string()));
  ProvenanceStep step;
  for (const auto& note : answer.value("notes", nlohmann::json::array())) {
    if (note.is_string()) step.notes.push_back(note.get<std::string>());
  }
  if (NeedsData(settings_)) {
    KENNING_RETURN_IF_ERROR(CheckInt8(model, settings_.target, step.notes));
  }
  ModelArtifact artifact;
  KENNING_ASSIGN_OR_RETURN(ModelSpec spec, SpecOfModel(model, settings_.output_path.string()));
  artifact.spec = CompleteSpec(std::move(spec), input.spec);
  if (settings_.target == "edgetpu") {
    KENNING_ASSIGN_OR_RETURN(bytes, ReadModelBytes(scratch.path() / "model_edgetpu.tflite"));
  }
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(settings_.output_path, bytes));
  artifact.path = settings_.output_path;
  artifact.format = "tflite";
  artifact.sha256 = Sha256Hex(bytes);
  artifact.size_bytes = bytes.size();
  step.block = "TFLiteCompiler";
  step.framework = "tensorflow";
  step.version = answer.value("version", "");
  step.parameters = {{"target", settings_.target},
                     {"inference_input_type", settings_.input_type},
                     {"inference_output_type", settings_.output_type},
                     {"static_batch", std::to_string(settings_.static_batch)},
                     {"use_tf_select_ops", settings_.select_ops ? "true" : "false"}};
  if (job.request.contains("calibration")) {
    step.parameters["calibration_samples"] =
        std::to_string(job.request["calibration"].value("count", 0));
  }
  step.duration_s = static_cast<double>(MonotonicNowNs() - start_ns) * 1e-9;
  step.finished_at = WallTimeUtc();
  artifact.provenance = input.provenance;
  artifact.provenance.push_back(std::move(step));
  return artifact;
}

}  // namespace kenning::tflite
