// SPDX-License-Identifier: Apache-2.0
#include "ort_session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "onnx_graph/onnx_reader.h"
#include "ort_facts.h"

namespace kenning::ort {
namespace {

Result<> AppendProviders(Ort::SessionOptions& options, const std::vector<std::string>& wanted) {
  const std::vector<std::string> available = Ort::GetAvailableProviders();
  for (const std::string& provider : wanted) {
    if (std::ranges::find(available, provider) == available.end()) {
      return Fail(
          ErrorCode::kUnavailable,
          fmt::format("execution provider \"{}\" is not in this build of ONNX Runtime {}; it "
                      "has {}",
                      provider, Version(), Join(available)));
    }
    // The CPU provider is always there, last.
    if (provider == "CPUExecutionProvider") continue;
    constexpr std::string_view kSuffix = "ExecutionProvider";
    std::string name = provider;
    if (name.ends_with(kSuffix)) name.resize(name.size() - kSuffix.size());
    options.AppendExecutionProvider(name, {});
  }
  return {};
}

Result<Ort::SessionOptions> MakeOptions(const SessionSettings& settings,
                                        const std::filesystem::path& profile_folder) {
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(settings.num_threads);
  options.SetInterOpNumThreads(settings.inter_op_threads);
  if (settings.inter_op_threads > 1) options.SetExecutionMode(ORT_PARALLEL);
  options.SetGraphOptimizationLevel(ParseGraphLevel(settings.graph_level));
  options.SetLogSeverityLevel(ORT_LOGGING_LEVEL_FATAL);
  options.AddConfigEntry("session.intra_op.allow_spinning", settings.allow_spinning ? "1" : "0");
  if (!profile_folder.empty()) options.EnableProfiling((profile_folder / "ort").c_str());
  KENNING_RETURN_IF_ERROR(AppendProviders(options, settings.execution_providers));
  return options;
}

Result<std::filesystem::path> MakeProfileFolder() {
  std::string pattern =
      (std::filesystem::temp_directory_path() / "kenning-profile-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    return Fail(ErrorCode::kIo, fmt::format("{}: cannot make a folder for the profile", pattern));
  }
  return std::filesystem::path(pattern);
}

Result<TensorSpec> SpecOf(std::string name, const Ort::TypeInfo& type) {
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) {
    return Fail(ErrorCode::kUnsupported, fmt::format("\"{}\" is not a tensor", name));
  }
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  const auto dtype = FromOnnxType(tensor.GetElementType());
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has an element type that kenning does not carry", name));
  }
  TensorSpec spec;
  spec.name = std::move(name);
  spec.dtype = *dtype;
  spec.shape = tensor.GetShape();
  for (std::int64_t& dim : spec.shape) dim = std::max(dim, kAnyDim);
  return spec;
}

/// {"float": [1, 3]} of the first input -> "float32"; "int8" for kernels that compute in 8 bits.
std::string ComputedType(const nlohmann::json& arguments, const std::string& op_type) {
  static const std::map<std::string, std::string, std::less<>> kNames = {
      {"float", "float32"}, {"double", "float64"}, {"float16", "float16"}, {"bfloat16", "bfloat16"},
      {"int8", "int8"},     {"uint8", "uint8"},    {"int16", "int16"},     {"uint16", "uint16"},
      {"int32", "int32"},   {"uint32", "uint32"},  {"int64", "int64"},     {"uint64", "uint64"},
      {"bool", "bool"}};
  for (const std::string_view prefix : {"QLinear", "QGemm", "MatMulInteger", "ConvInteger",
                                        "DynamicQuantizeMatMul", "QAttention"}) {
    if (op_type.starts_with(prefix)) return "int8";
  }
  const auto inputs = arguments.find("input_type_shape");
  if (inputs == arguments.end() || !inputs->is_array() || inputs->empty() ||
      !inputs->front().is_object() || inputs->front().empty()) {
    return "";
  }
  const auto name = kNames.find(inputs->front().begin().key());
  return name == kNames.end() ? "" : name->second;
}

/// One line of ONNX Runtime's trace: kernel times are events of category "Node".
void AddTraceEvent(const nlohmann::json& event, std::map<std::string, OperatorProfile>& by_name) {
  if (event.value("cat", "") != "Node") return;
  const std::string name = event.value("name", "");
  constexpr std::string_view kSuffix = "_kernel_time";
  if (!name.ends_with(kSuffix)) return;
  OperatorProfile& profile = by_name[name.substr(0, name.size() - kSuffix.size())];
  profile.name = name.substr(0, name.size() - kSuffix.size());
  if (event.contains("args") && event["args"].is_object()) {
    const nlohmann::json& arguments = event["args"];
    profile.op_type = arguments.value("op_name", "");
    profile.kernel = arguments.value("provider", "");
    if (profile.dtype.empty()) profile.dtype = ComputedType(arguments, profile.op_type);
  }
  profile.total_ns += event.value("dur", std::int64_t{0}) * 1000;
  ++profile.calls;
}

}  // namespace

OrtSession::OrtSession(std::filesystem::path path, SessionSettings settings, Ort::Session session,
                       std::filesystem::path profile_folder)
    : path_(std::move(path)),
      settings_(std::move(settings)),
      session_(std::move(session)),
      profile_folder_(std::move(profile_folder)) {}

OrtSession::~OrtSession() {
  if (profile_folder_.empty()) return;
  // ONNX Runtime would write its trace into the working folder's name space when it is destroyed.
  session_ = Ort::Session{nullptr};
  std::error_code ignored;
  std::filesystem::remove_all(profile_folder_, ignored);
}

Result<std::unique_ptr<Session>> OrtSession::Load(const std::filesystem::path& path,
                                                  const SessionSettings& settings) {
  // Our own reader first: it names what is wrong with a hostile or broken file, and refuses
  // external data outside the model's folder.
  KENNING_RETURN_IF_ERROR(onnx_graph::CheckOnnxFile(path));
  return Guard(path, [&]() -> Result<std::unique_ptr<Session>> {
    std::filesystem::path profile_folder;
    if (settings.profiling) {
      KENNING_ASSIGN_OR_RETURN(profile_folder, MakeProfileFolder());
    }
    KENNING_ASSIGN_OR_RETURN(const Ort::SessionOptions options,
                             MakeOptions(settings, profile_folder));
    std::unique_ptr<OrtSession> session(new OrtSession(
        path, settings, Ort::Session(Environment(), path.c_str(), options), profile_folder));
    KENNING_RETURN_IF_ERROR(session->ReadSpec(), path.string());
    return session;
  });
}

Result<> OrtSession::ReadSpec() {
  for (std::size_t i = 0; i < session_.GetInputCount(); ++i) {
    KENNING_ASSIGN_OR_RETURN(
        TensorSpec spec,
        SpecOf(session_.GetInputNameAllocated(i, Ort::AllocatorWithDefaultOptions()).get(),
               session_.GetInputTypeInfo(i)));
    spec_.inputs.push_back(std::move(spec));
  }
  for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
    KENNING_ASSIGN_OR_RETURN(
        TensorSpec spec,
        SpecOf(session_.GetOutputNameAllocated(i, Ort::AllocatorWithDefaultOptions()).get(),
               session_.GetOutputTypeInfo(i)));
    spec_.outputs.push_back(std::move(spec));
  }
  for (const TensorSpec& spec : spec_.inputs) input_names_.push_back(spec.name.c_str());
  for (const TensorSpec& spec : spec_.outputs) output_names_.push_back(spec.name.c_str());
  inputs_.resize(spec_.inputs.size());
  outputs_.resize(spec_.outputs.size());
  raw_inputs_.resize(spec_.inputs.size());
  raw_outputs_.resize(spec_.outputs.size());
  return {};
}

Result<> OrtSession::Bind(Binding& binding, const TensorSpec& want, void* data,
                          std::size_t size_bytes, DType dtype,
                          std::span<const std::int64_t> shape) const {
  if (data == binding.data && size_bytes == binding.size_bytes && dtype == want.dtype &&
      std::ranges::equal(shape, binding.shape)) {
    return {};
  }
  Shape given(shape.begin(), shape.end());
  const auto elements = ElementCount(given);
  if (dtype != want.dtype || !ShapesCompatible(given, want.shape) || !elements ||
      *elements * DTypeSize(dtype) != size_bytes || data == nullptr) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(), want.name,
                    ToString(want), DTypeName(dtype), ShapeToString(given), size_bytes));
  }
  binding.value =
      Ort::Value::CreateTensor(Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault),
                               data, size_bytes, given.data(), given.size(), ToOnnxType(dtype));
  binding.data = data;
  binding.size_bytes = size_bytes;
  binding.shape = std::move(given);
  return {};
}

Result<> OrtSession::Run() {
  const OrtStatusPtr status = Ort::GetApi().Run(
      session_, run_options_, input_names_.data(), raw_inputs_.data(), raw_inputs_.size(),
      output_names_.data(), output_names_.size(), raw_outputs_.data());
  if (status == nullptr) return {};
  const Ort::Status owned(status);
  return Fail(ErrorCode::kEngineFailure, fmt::format("{}: ONNX Runtime {}: {}", path_.string(),
                                                     Version(), owned.GetErrorMessage()));
}

Result<> OrtSession::Invoke(std::span<const TensorView> inputs,
                            std::span<const MutableTensorView> outputs) {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), inputs_.size(), outputs_.size(), inputs.size(),
                            outputs.size()));
  }
  return Guard(path_, [&]() -> Result<> {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TensorView& view = inputs[i];
      // ONNX Runtime's C interface takes inputs as mutable memory but does not write to them.
      KENNING_RETURN_IF_ERROR(Bind(inputs_[i], spec_.inputs[i], const_cast<std::byte*>(view.data),
                                   view.size_bytes, view.dtype, view.shape));
      raw_inputs_[i] = inputs_[i].value;
    }
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const MutableTensorView& view = outputs[i];
      KENNING_RETURN_IF_ERROR(
          Bind(outputs_[i], spec_.outputs[i], view.data, view.size_bytes, view.dtype, view.shape));
      raw_outputs_[i] = outputs_[i].value;
    }
    return Run();
  });
}

Result<std::vector<TensorSpec>> OrtSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  std::vector<TensorSpec> resolved = spec_.outputs;
  const bool is_static = std::ranges::all_of(
      resolved, [](const TensorSpec& spec) { return ElementCount(spec.shape).has_value(); });
  if (is_static) return resolved;
  if (input_shapes.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  // Dynamic shapes: run once on zeros and let the engine allocate the outputs.
  return Guard(path_, [&]() -> Result<std::vector<TensorSpec>> {
    std::vector<Tensor> zeros;
    std::vector<Ort::Value> values;
    for (std::size_t i = 0; i < input_shapes.size(); ++i) {
      KENNING_ASSIGN_OR_RETURN(Tensor zero, Tensor::Create(spec_.inputs[i].dtype, input_shapes[i]));
      std::fill_n(zero.data(), zero.size_bytes(), std::byte{0});
      zeros.push_back(std::move(zero));
      Binding binding;
      KENNING_RETURN_IF_ERROR(Bind(binding, spec_.inputs[i], zeros[i].data(), zeros[i].size_bytes(),
                                   zeros[i].dtype(), zeros[i].shape()));
      values.push_back(std::move(binding.value));
    }
    const std::vector<Ort::Value> outputs =
        session_.Run(run_options_, input_names_.data(), values.data(), values.size(),
                     output_names_.data(), output_names_.size());
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      resolved[i].shape = outputs[i].GetTensorTypeAndShapeInfo().GetShape();
    }
    return resolved;
  });
}

Result<std::vector<NamedTensor>> OrtSession::Intermediates(std::span<const TensorView> inputs) {
  if (inputs.size() != inputs_.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one tensor for each input is needed");
  }
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, onnx_graph::ReadOnnxModel(path_));
  const std::vector<std::string> names = onnx_graph::LiveTensors(model.graph());
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, onnx_graph::SerializeWithOutputs(model, names),
                           path_.string());
  return Guard(path_, [&]() -> Result<std::vector<NamedTensor>> {
    std::vector<Ort::Value> values;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Binding binding;
      KENNING_RETURN_IF_ERROR(Bind(binding, spec_.inputs[i], const_cast<std::byte*>(inputs[i].data),
                                   inputs[i].size_bytes, inputs[i].dtype, inputs[i].shape));
      values.push_back(std::move(binding.value));
    }
    KENNING_ASSIGN_OR_RETURN(const Ort::SessionOptions options, MakeOptions(settings_, {}));
    Ort::Session session(Environment(), bytes.data(), bytes.size(), options);
    std::vector<const char*> wanted;
    for (const std::string& name : names) wanted.push_back(name.c_str());
    const std::vector<Ort::Value> outputs =
        session.Run(Ort::RunOptions{}, input_names_.data(), values.data(), values.size(),
                    wanted.data(), wanted.size());
    const onnx_graph::Graph graph(*model.mutable_graph());
    std::vector<NamedTensor> tensors;
    for (std::size_t i = 0; i < names.size(); ++i) {
      KENNING_ASSIGN_OR_RETURN(std::optional<Tensor> copy, CopyOf(outputs[i]));
      if (copy) tensors.push_back({names[i], *std::move(copy), QuantOf(graph, names[i])});
    }
    return tensors;
  });
}

Result<std::vector<OperatorProfile>> OrtSession::Profile() {
  if (profile_folder_.empty()) return std::vector<OperatorProfile>{};
  return Guard(path_, [&]() -> Result<std::vector<OperatorProfile>> {
    const std::string file =
        session_.EndProfilingAllocated(Ort::AllocatorWithDefaultOptions()).get();
    KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(file));
    const nlohmann::json trace = nlohmann::json::parse(text, nullptr, false);
    std::map<std::string, OperatorProfile> by_name;
    if (trace.is_array()) {
      for (const nlohmann::json& event : trace) AddTraceEvent(event, by_name);
    }
    std::vector<OperatorProfile> profiles;
    for (auto& [name, profile] : by_name) profiles.push_back(std::move(profile));
    std::ranges::sort(profiles, [](const OperatorProfile& a, const OperatorProfile& b) {
      return a.total_ns > b.total_ns;
    });
    return profiles;
  });
}

}  // namespace kenning::ort
