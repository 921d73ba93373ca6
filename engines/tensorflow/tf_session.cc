// SPDX-License-Identifier: Apache-2.0
#include "tf_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>

#include "kenning/base/log.h"
#include "tf_library.h"
#include "tf_profile.h"

namespace kenning::tensorflow {
namespace {

void AppendVarint(std::string& bytes, std::uint64_t value) {
  for (; value > 0x7F; value >>= 7U) bytes += static_cast<char>(value | 0x80U);
  bytes += static_cast<char>(value);
}

/// TensorFlow's ConfigProto.
std::string ConfigOf(const SessionSettings& settings) {
  constexpr char kIntraOpThreads = 2 << 3;
  constexpr char kInterOpThreads = 5 << 3;
  constexpr char kPerSessionThreads = 9 << 3;
  std::string config;
  config += kIntraOpThreads;
  AppendVarint(config, static_cast<std::uint64_t>(settings.num_threads));
  config += kInterOpThreads;
  AppendVarint(config, static_cast<std::uint64_t>(settings.inter_op_threads));
  config += kPerSessionThreads;
  config += '\x01';
  return config;
}

bool FitsShape(std::span<const std::int64_t> given, std::span<const std::int64_t> want) {
  return std::ranges::equal(given, want, [](std::int64_t dim, std::int64_t wanted) {
    return dim >= 0 && (wanted == kAnyDim || dim == wanted);
  });
}

/// Bytes of a tensor; empty where they overflow.
std::optional<std::size_t> SizeOf(std::span<const std::int64_t> shape, DType dtype) {
  std::size_t bytes = DTypeSize(dtype);
  for (const std::int64_t dim : shape) {
    if (__builtin_mul_overflow(bytes, static_cast<std::size_t>(dim), &bytes)) return std::nullopt;
  }
  return bytes;
}

/// TensorFlow makes its threads for use inside operators with the first session of a process.
void WarnOfOtherThreads(int num_threads) {
  static std::atomic<int> first{-1};
  int expected = -1;
  if (first.compare_exchange_strong(expected, num_threads) || expected == num_threads) return;
  LogWarning(
      "TensorFlow keeps num_threads={} of the first model of this process; {} has no effect here",
      expected, num_threads);
}

/// The memory is the caller's.
void KeepMemory(void* /*data*/, std::size_t /*length*/, void* /*argument*/) {}

}  // namespace

TfSession::TfSession(const TfApi& api, std::filesystem::path path, bool profiling)
    : api_(api), path_(std::move(path)), status_(api.NewStatus()) {
  if (!profiling) return;
  run_options_ = api_.NewBuffer();
  run_options_->data = kFullTrace.data();
  run_options_->length = kFullTrace.size();
}

TfSession::~TfSession() {
  FreeOutputs();
  for (const Binding& binding : bindings_) {
    if (binding.value != nullptr) api_.DeleteTensor(binding.value);
  }
  if (session_ != nullptr) {
    api_.CloseSession(session_, status_);
    api_.DeleteSession(session_, status_);
  }
  if (graph_ != nullptr) api_.DeleteGraph(graph_);
  if (run_options_ != nullptr) api_.DeleteBuffer(run_options_);
  api_.DeleteStatus(status_);
}

Result<std::unique_ptr<Session>> TfSession::Load(const std::filesystem::path& folder,
                                                 Signature signature, const ModelSpec* spec,
                                                 const SessionSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(const TfApi* api, LoadTensorFlow());
  WarnOfOtherThreads(settings.num_threads);
  std::unique_ptr<TfSession> session(new TfSession(*api, folder, settings.profiling));
  KENNING_RETURN_IF_ERROR(session->Open(signature, settings));
  session->spec_ = SpecOf(signature);
  if (spec != nullptr) {
    const auto rename = [](const std::vector<TensorSpec>& from, std::vector<TensorSpec>& to) {
      for (std::size_t i = 0; i < std::min(from.size(), to.size()); ++i) {
        to[i].name = from[i].name;
        to[i].layout = from[i].layout;
      }
    };
    rename(spec->inputs, session->spec_.inputs);
    rename(spec->outputs, session->spec_.outputs);
  }
  return session;
}

Result<> TfSession::Open(const Signature& signature, const SessionSettings& settings) {
  const Status status(api_);
  const std::string config = ConfigOf(settings);
  TF_SessionOptions* options = api_.NewSessionOptions();
  api_.SetConfig(options, config.data(), config.size(), status.get());
  std::vector<const char*> tags;
  for (const std::string& tag : signature.tags) tags.push_back(tag.c_str());
  graph_ = api_.NewGraph();
  if (status.ok()) {
    session_ = api_.LoadSessionFromSavedModel(options, nullptr, path_.c_str(), tags.data(),
                                              static_cast<int>(tags.size()), graph_, nullptr,
                                              status.get());
  }
  api_.DeleteSessionOptions(options);
  if (!status.ok()) {
    session_ = nullptr;
    return tl::unexpected(status.ToError(path_, ErrorCode::kInvalidModel));
  }
  for (const SignatureTensor& tensor : signature.inputs) {
    KENNING_ASSIGN_OR_RETURN(const TF_Output input, FindTensor(tensor));
    inputs_.push_back(input);
  }
  for (const SignatureTensor& tensor : signature.outputs) {
    KENNING_ASSIGN_OR_RETURN(const TF_Output output, FindTensor(tensor));
    outputs_.push_back(output);
  }
  bindings_.resize(inputs_.size());
  input_values_.resize(inputs_.size());
  output_values_.resize(outputs_.size());
  return {};
}

Result<TF_Output> TfSession::FindTensor(const SignatureTensor& tensor) const {
  TF_Operation* operation = api_.GraphOperationByName(graph_, tensor.operation.c_str());
  if (operation == nullptr || tensor.index >= api_.OperationNumOutputs(operation) ||
      api_.OperationOutputType({operation, tensor.index}) != ToTfType(tensor.spec.dtype)) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the signature's tensor \"{}\" ({}:{}) is not in the graph, or has "
                            "another type there",
                            path_.string(), tensor.spec.name, tensor.operation, tensor.index));
  }
  return TF_Output{operation, tensor.index};
}

Result<> TfSession::CheckTensor(const TensorSpec& want, const void* data, std::size_t size_bytes,
                                DType dtype, std::span<const std::int64_t> shape) const {
  // Inside the clock of an inference: nothing is allocated.
  if (dtype == want.dtype && data != nullptr && FitsShape(shape, want.shape) &&
      SizeOf(shape, dtype) == size_bytes) {
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(),
                          want.name, ToString(want), DTypeName(dtype),
                          ShapeToString(Shape(shape.begin(), shape.end())), size_bytes));
}

Result<> TfSession::BindInput(std::size_t index, const TensorView& view) {
  Binding& binding = bindings_[index];
  const TensorSpec& want = spec_.inputs[index];
  const bool same = view.data == binding.data && view.size_bytes == binding.size_bytes &&
                    view.dtype == want.dtype && std::ranges::equal(view.shape, binding.shape);
  // TensorFlow takes memory of this alignment as it is, and a copy of any other: that copy must be
  // made anew each time.
  constexpr std::uintptr_t kAlignment = 64;
  const bool aligned = reinterpret_cast<std::uintptr_t>(view.data) % kAlignment == 0;
  if (same && aligned && binding.value != nullptr) return {};
  KENNING_RETURN_IF_ERROR(CheckTensor(want, view.data, view.size_bytes, view.dtype, view.shape));
  if (binding.value != nullptr) api_.DeleteTensor(binding.value);
  // The C interface takes mutable memory; a tensor that is fed is not written to.
  binding.value =
      api_.NewTensor(ToTfType(view.dtype), view.shape.data(), static_cast<int>(view.shape.size()),
                     const_cast<std::byte*>(view.data), view.size_bytes, KeepMemory, nullptr);
  binding.data = view.data;
  binding.size_bytes = view.size_bytes;
  binding.shape.assign(view.shape.begin(), view.shape.end());
  if (binding.value == nullptr) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("{}: TensorFlow refused tensor \"{}\"", path_.string(), want.name));
  }
  return {};
}

void TfSession::FreeOutputs() {
  for (TF_Tensor*& value : output_values_) {
    if (value != nullptr) api_.DeleteTensor(value);
    value = nullptr;
  }
}

Result<> TfSession::Run() {
  for (std::size_t i = 0; i < bindings_.size(); ++i) input_values_[i] = bindings_[i].value;
  TF_Buffer* metadata = run_options_ != nullptr ? api_.NewBuffer() : nullptr;
  api_.SessionRun(session_, run_options_, inputs_.data(), input_values_.data(),
                  static_cast<int>(inputs_.size()), outputs_.data(), output_values_.data(),
                  static_cast<int>(outputs_.size()), nullptr, 0, metadata, status_);
  if (metadata != nullptr) {
    AddStepStats({static_cast<const char*>(metadata->data), metadata->length}, profile_);
    api_.DeleteBuffer(metadata);
  }
  if (api_.GetCode(status_) == kTfOk) return {};
  FreeOutputs();
  return Fail(ErrorCode::kEngineFailure, fmt::format("{}: TensorFlow {}: {}", path_.string(),
                                                     api_.Version(), api_.Message(status_)));
}

Result<> TfSession::CopyOutput(std::size_t index, const MutableTensorView& view) const {
  const TF_Tensor* value = output_values_[index];
  bool fits = api_.TensorByteSize(value) == view.size_bytes &&
              static_cast<std::size_t>(api_.NumDims(value)) == view.shape.size();
  for (std::size_t i = 0; fits && i < view.shape.size(); ++i) {
    fits = api_.Dim(value, static_cast<int>(i)) == view.shape[i];
  }
  if (!fits) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: output \"{}\" has another shape than {} ({} bytes)",
                            path_.string(), spec_.outputs[index].name,
                            ShapeToString(Shape(view.shape.begin(), view.shape.end())),
                            api_.TensorByteSize(value)));
  }
  std::memcpy(view.data, api_.TensorData(value), view.size_bytes);
  return {};
}

Result<> TfSession::Invoke(std::span<const TensorView> inputs,
                           std::span<const MutableTensorView> outputs) {
  if (inputs.size() != inputs_.size() || outputs.size() != outputs_.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), inputs_.size(), outputs_.size(), inputs.size(),
                            outputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) KENNING_RETURN_IF_ERROR(BindInput(i, inputs[i]));
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const MutableTensorView& view = outputs[i];
    KENNING_RETURN_IF_ERROR(
        CheckTensor(spec_.outputs[i], view.data, view.size_bytes, view.dtype, view.shape));
  }
  KENNING_RETURN_IF_ERROR(Run());
  Result<> copied;
  for (std::size_t i = 0; i < outputs.size() && copied; ++i) copied = CopyOutput(i, outputs[i]);
  FreeOutputs();
  return copied;
}

Result<std::vector<TensorSpec>> TfSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  std::vector<TensorSpec> resolved = spec_.outputs;
  const bool is_static = std::ranges::all_of(
      resolved, [](const TensorSpec& spec) { return ElementCount(spec.shape).has_value(); });
  if (is_static) return resolved;
  if (input_shapes.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  // Dynamic shapes: run once on zeros and see what comes.
  std::vector<Tensor> zeros;
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Tensor zero, Tensor::Create(spec_.inputs[i].dtype, input_shapes[i]));
    std::fill_n(zero.data(), zero.size_bytes(), std::byte{0});
    zeros.push_back(std::move(zero));
    KENNING_RETURN_IF_ERROR(BindInput(i, zeros[i].view()));
  }
  Result<> run = Run();
  for (Binding& binding : bindings_) binding.data = nullptr;  // The zeros go; bind anew.
  KENNING_RETURN_IF_ERROR(run);
  profile_.clear();
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    resolved[i].shape.clear();
    for (int dim = 0; dim < api_.NumDims(output_values_[i]); ++dim) {
      resolved[i].shape.push_back(api_.Dim(output_values_[i], dim));
    }
  }
  FreeOutputs();
  return resolved;
}

Result<std::vector<OperatorProfile>> TfSession::Profile() {
  std::vector<OperatorProfile> profiles;
  for (const auto& [name, profile] : profile_) profiles.push_back(profile);
  std::ranges::sort(profiles, [](const OperatorProfile& a, const OperatorProfile& b) {
    return a.total_ns > b.total_ns;
  });
  return profiles;
}

}  // namespace kenning::tensorflow
