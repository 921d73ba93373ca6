// SPDX-License-Identifier: Apache-2.0
#include "app/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "app/artifact_store.h"
#include "app/formats.h"
#include "app/make_blocks.h"
#include "evaluate/tensor_diff.h"
#include "kenning/base/strings.h"
#include "kenning/core/quant_cast.h"
#include "kenning/registry/params_from_text.h"

namespace kenning {
namespace {

Result<const BlockInfo*> FindRuntime(const LoadRequest& request, const std::string& format,
                                     const Registry& registry) {
  if (!request.runtime.empty()) {
    KENNING_ASSIGN_OR_RETURN(const BlockInfo* const info,
                             registry.Find(BlockCategory::kRuntime, request.runtime));
    if (info->probe && !info->probe().available) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{} is not available here: {}", info->name, info->probe().reason));
    }
    return info;
  }
  std::vector<std::string> reasons;
  for (const BlockInfo* info : RuntimesFor(format, registry)) {
    const Availability here = info->probe ? info->probe() : Availability{};
    if (here.available) return info;
    reasons.push_back(fmt::format("{}: {}", info->name, here.reason));
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("{}: no runtime here runs models of format \"{}\"{}{}", request.uri,
                          format, reasons.empty() ? "" : "; ", Join(reasons, "; ")));
}

Result<> SetParam(const BlockInfo& info, const std::string& name, const std::string& text,
                  std::map<std::string, ParamValue, std::less<>>& values) {
  const ParamSpec* spec = info.schema.Find(name);
  if (spec == nullptr) {
    std::vector<std::string> names;
    for (const ParamSpec& one : info.schema.params) names.push_back(one.name);
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{} has no parameter \"{}\"; it has {}", info.name, name, Join(names)));
  }
  KENNING_ASSIGN_OR_RETURN(ParamValue value, ParamFromText(*spec, text),
                           fmt::format("{} of {}", name, info.name));
  values[spec->name] = std::move(value);
  return {};
}

Result<Params> RuntimeParams(const LoadRequest& request, LoadedModel& loaded) {
  const BlockInfo& info = *loaded.runtime_info;
  auto values = DefaultParams(info.schema).values();
  if (request.num_threads > 0) {
    const ParamSpec* threads = info.schema.Find("num_threads");
    loaded.threads_set = threads != nullptr && threads->type == ParamType::kInt;
    if (loaded.threads_set) values[threads->name] = std::int64_t{request.num_threads};
  }
  if (request.profiling) {
    const std::string name = ProfilingParameter(info);
    loaded.profiling = !name.empty();
    if (loaded.profiling) values[name] = true;
  }
  for (const auto& [name, text] : request.params) {
    KENNING_RETURN_IF_ERROR(SetParam(info, name, text, values));
  }
  for (const ParamSpec& spec : info.schema.params) {
    if (spec.required && !values.contains(spec.name)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} needs its parameter \"{}\"", info.name, spec.name));
    }
  }
  return Params(std::move(values));
}

std::vector<TensorSpec> Joined(const std::vector<TensorSpec>& session,
                               const std::vector<TensorSpec>& artifact) {
  std::vector<TensorSpec> joined = session;
  for (std::size_t i = 0; i < joined.size(); ++i) {
    const auto by_name = std::ranges::find(artifact, joined[i].name, &TensorSpec::name);
    const TensorSpec* other = by_name != artifact.end()           ? &*by_name
                              : artifact.size() == session.size() ? &artifact[i]
                                                                  : nullptr;
    if (other == nullptr) continue;
    if (joined[i].layout.empty()) joined[i].layout = other->layout;
    if (other->quant && other->dtype == joined[i].dtype) joined[i].quant = other->quant;
  }
  return joined;
}

template <typename T>
std::vector<float> Widen(const TensorView& tensor) {
  const auto values = tensor.as<T>();
  return {values.begin(), values.end()};
}

template <typename T>
void Narrow(std::span<const float> values, const MutableTensorView& tensor) {
  std::ranges::transform(values, tensor.as<T>().begin(), [](float value) {
    return static_cast<T>(std::is_integral_v<T> ? std::nearbyint(value) : value);
  });
}

std::string LayoutOf(const std::string& layout) { return ToLower(layout); }

}  // namespace

std::string ProfilingParameter(const BlockInfo& runtime) {
  for (const ParamSpec& spec : runtime.schema.params) {
    if (spec.type == ParamType::kBool && spec.name.find("profil") != std::string::npos) {
      return spec.name;
    }
  }
  return "";
}

Result<LoadedModel> LoadModelInRuntime(const LoadRequest& request, AppContext& context) {
  BlockContext blocks = MakeBlockContext(context, nullptr);
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path, blocks.resolve_uri(request.uri));
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: the model does not exist", path.string()));
  }
  const std::string format =
      request.format.empty() ? context.registry.FormatOfPath(path) : request.format;
  if (format.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: the name does not tell the model's format", path.string()));
  }
  LoadedModel loaded;
  KENNING_ASSIGN_OR_RETURN(loaded.runtime_info, FindRuntime(request, format, context.registry));
  KENNING_ASSIGN_OR_RETURN(const Params params, RuntimeParams(request, loaded));
  KENNING_ASSIGN_OR_RETURN(loaded.artifact, LoadArtifact(path, format));
  KENNING_ASSIGN_OR_RETURN(loaded.runtime, loaded.runtime_info->make_runtime(params, blocks));
  KENNING_ASSIGN_OR_RETURN(loaded.session, loaded.runtime->Load(path, format));
  return loaded;
}

std::vector<TensorSpec> JoinedInputs(const LoadedModel& model) {
  std::vector<TensorSpec> joined =
      Joined(model.session->spec().inputs, model.artifact.spec.engine_inputs());
  return joined;
}

std::vector<TensorSpec> JoinedOutputs(const LoadedModel& model) {
  return Joined(model.session->spec().outputs, model.artifact.spec.engine_outputs());
}

Result<std::vector<float>> ToFloats(const TensorView& tensor,
                                    const std::optional<QuantParams>& quant) {
  switch (tensor.dtype) {
    case DType::kFloat32:
      return Widen<float>(tensor);
    case DType::kFloat64:
      return Widen<double>(tensor);
    case DType::kInt64:
      return Widen<std::int64_t>(tensor);
    case DType::kBool:
      return Widen<std::uint8_t>(tensor);
    default:
      break;
  }
  const std::size_t size = std::max<std::size_t>(1, DTypeSize(tensor.dtype));
  std::vector<float> values(tensor.size_bytes / size);
  const MutableTensorView to{reinterpret_cast<std::byte*>(values.data()),
                             values.size() * sizeof(float), DType::kFloat32, tensor.shape};
  KENNING_RETURN_IF_ERROR(CastTensor(tensor, quant, to, {}));
  return values;
}

Result<> FromFloats(std::span<const float> values, const std::optional<QuantParams>& quant,
                    const MutableTensorView& tensor) {
  switch (tensor.dtype) {
    case DType::kFloat64:
      Narrow<double>(values, tensor);
      return {};
    case DType::kInt64:
      Narrow<std::int64_t>(values, tensor);
      return {};
    case DType::kBool:
      Narrow<std::uint8_t>(values, tensor);
      return {};
    default:
      break;
  }
  const TensorView from{reinterpret_cast<const std::byte*>(values.data()), values.size_bytes(),
                        DType::kFloat32, tensor.shape};
  return CastTensor(from, {}, tensor, tensor.dtype == DType::kFloat32 ? std::nullopt : quant);
}

FloatRunner::FloatRunner(const LoadedModel& model)
    : model_(model), inputs_(JoinedInputs(model)), outputs_(JoinedOutputs(model)) {
  for (const TensorSpec& input : inputs_) {
    if (!input.shape.empty() && input.shape[0] > 1) {
      batch_ = static_cast<std::size_t>(input.shape[0]);
    }
  }
}

Result<> FloatRunner::FillInput(std::size_t index, const FloatTensor& sample,
                                const std::string& layout) {
  const TensorSpec& spec = inputs_[index];
  Shape one = spec.shape;
  if (!one.empty() && batch_ > 1) one[0] = 1;
  const bool differ =
      !layout.empty() && !spec.layout.empty() && LayoutOf(layout) != LayoutOf(spec.layout);
  const std::vector<int> permutation = LayoutPermutation(sample.shape, one, differ);
  // Dimensions that the model leaves open are the sample's.
  for (std::size_t i = 0; i < one.size(); ++i) {
    if (one[i] != kAnyDim) continue;
    const std::size_t from = permutation.empty() ? i : static_cast<std::size_t>(permutation[i]);
    one[i] = i == 0 || from >= sample.shape.size() ? 1 : sample.shape[from];
  }
  const auto count = ElementCount(one);
  if (!count || *count != sample.values.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: a sample of shape {} does not fit the input \"{}\" {}",
                            model_.artifact.path.string(), ShapeToString(sample.shape), spec.name,
                            ToString(spec)));
  }
  const std::vector<float> moved =
      permutation.empty() ? sample.values : Transpose(sample.values, sample.shape, permutation);
  Shape all = one;
  if (!all.empty()) all[0] = static_cast<std::int64_t>(batch_);
  Tensor& tensor = input_tensors_[index];
  if (tensor.data() == nullptr || tensor.shape() != all) {
    KENNING_ASSIGN_OR_RETURN(tensor, Tensor::Create(spec.dtype, all));
    output_tensors_.clear();
  }
  const std::size_t row_bytes = tensor.size_bytes() / batch_;
  for (std::size_t row = 0; row < batch_; ++row) {
    const MutableTensorView to{tensor.data() + row * row_bytes, row_bytes, spec.dtype, one};
    KENNING_RETURN_IF_ERROR(FromFloats(moved, spec.quant, to),
                            fmt::format("input \"{}\"", spec.name));
  }
  return {};
}

Result<> FloatRunner::MakeOutputs() {
  std::vector<Shape> shapes;
  for (const Tensor& tensor : input_tensors_) shapes.push_back(tensor.shape());
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> resolved,
                           model_.session->ResolveOutputs(shapes));
  for (const TensorSpec& spec : resolved) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(spec.dtype, spec.shape));
    output_tensors_.push_back(std::move(tensor));
  }
  return {};
}

Result<> FloatRunner::Fill(std::span<const FloatTensor> samples,
                           std::span<const std::string> layouts) {
  if (samples.size() != inputs_.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: the model has {} inputs, the samples {}",
                            model_.artifact.path.string(), inputs_.size(), samples.size()));
  }
  input_tensors_.resize(inputs_.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    KENNING_RETURN_IF_ERROR(FillInput(i, samples[i], layouts[i]));
  }
  return {};
}

Result<> FloatRunner::Prepare(std::span<const FloatTensor> samples,
                              std::span<const std::string> layouts) {
  KENNING_RETURN_IF_ERROR(Fill(samples, layouts));
  if (output_tensors_.empty()) KENNING_RETURN_IF_ERROR(MakeOutputs());
  in_.clear();
  out_.clear();
  for (const Tensor& tensor : input_tensors_) in_.push_back(tensor.view());
  for (Tensor& tensor : output_tensors_) out_.push_back(tensor.mutable_view());
  return {};
}

Result<std::vector<FloatTensor>> FloatRunner::Run(std::span<const FloatTensor> samples,
                                                  std::span<const std::string> layouts) {
  KENNING_RETURN_IF_ERROR(Prepare(samples, layouts));
  KENNING_RETURN_IF_ERROR(Invoke());
  std::vector<FloatTensor> results;
  for (std::size_t i = 0; i < output_tensors_.size(); ++i) {
    FloatTensor result;
    result.shape = output_tensors_[i].shape();
    KENNING_ASSIGN_OR_RETURN(result.values, ToFloats(output_tensors_[i].view(), outputs_[i].quant),
                             fmt::format("output \"{}\"", outputs_[i].name));
    if (batch_ > 1 && !result.shape.empty() &&
        result.shape[0] == static_cast<std::int64_t>(batch_)) {
      result.shape[0] = 1;
      result.values.resize(result.values.size() / batch_);
    }
    results.push_back(std::move(result));
  }
  return results;
}

Result<std::vector<FloatRunner::Inner>> FloatRunner::Intermediates(
    std::span<const FloatTensor> samples, std::span<const std::string> layouts) {
  KENNING_RETURN_IF_ERROR(Fill(samples, layouts));
  std::vector<TensorView> in;
  for (const Tensor& tensor : input_tensors_) in.push_back(tensor.view());
  KENNING_ASSIGN_OR_RETURN(std::vector<NamedTensor> named, model_.session->Intermediates(in));
  std::vector<Inner> inner;
  for (NamedTensor& tensor : named) {
    auto values = ToFloats(tensor.value.view(), tensor.quant);
    if (values)
      inner.push_back({std::move(tensor.name), {tensor.value.shape(), *std::move(values)}});
  }
  return inner;
}

}  // namespace kenning
