// SPDX-License-Identifier: Apache-2.0
#include "ov_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace kenning::openvino {
namespace {

/// Compiled forms of a dynamic model that are kept: full and last batch, and a few more.
constexpr std::size_t kMostVariants = 4;

bool IsStatic(const Shape& shape) { return ElementCount(shape).has_value(); }

bool AllStatic(const std::vector<TensorSpec>& specs) {
  return std::ranges::all_of(specs, [](const TensorSpec& spec) { return IsStatic(spec.shape); });
}

ov::PartialShape ToPartialShape(const Shape& shape) {
  std::vector<ov::Dimension> dims;
  for (const std::int64_t dim : shape) {
    dims.push_back(dim == kAnyDim ? ov::Dimension::dynamic() : ov::Dimension(dim));
  }
  return ov::PartialShape(dims);
}

std::vector<Shape> ShapesOf(const std::vector<TensorSpec>& specs) {
  std::vector<Shape> shapes;
  for (const TensorSpec& spec : specs) shapes.push_back(spec.shape);
  return shapes;
}

/// "brgconv_avx512_I8" -> {"brgconv_avx512", "int8"}; as it is where it names no type.
std::pair<std::string, std::string> SplitExecType(const std::string& exec_type) {
  static const std::map<std::string, std::string, std::less<>> kTypes = {
      {"I8", "int8"},       {"U8", "uint8"},     {"FP32", "float32"}, {"F32", "float32"},
      {"BF16", "bfloat16"}, {"FP16", "float16"}, {"F16", "float16"},  {"I32", "int32"},
      {"I64", "int64"},     {"FP64", "float64"}, {"U32", "uint32"},   {"I16", "int16"},
      {"U16", "uint16"},    {"BOOL", "bool"}};
  const std::size_t cut = exec_type.rfind('_');
  if (cut == std::string::npos) return {exec_type, ""};
  std::string suffix = exec_type.substr(cut + 1);
  std::ranges::transform(suffix, suffix.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const auto type = kTypes.find(suffix);
  if (type == kTypes.end()) return {exec_type, ""};
  return {exec_type.substr(0, cut), type->second};
}

/// The model's own name: OpenVINO appends what it has split off or taken in.
std::string OriginalName(std::string name, const std::string& op_type) {
  for (const std::string_view suffix : {"/DequantizationMultiply", "/WithoutBiases"}) {
    if (op_type != "Eltwise" && name.ends_with(suffix)) name.resize(name.size() - suffix.size());
  }
  return name;
}

/// "FullyConnectedQuantizedLegacy" is a FullyConnected; its type of numbers is told apart.
std::string OperatorType(const std::string& type) {
  return type.starts_with("FullyConnected") ? "FullyConnected" : type;
}

}  // namespace

ov::AnyMap CompileProperties(const SessionSettings& settings) {
  ov::AnyMap properties;
  const auto set = [&properties](const std::pair<std::string, ov::Any>& property) {
    properties.insert(property);
  };
  if (settings.performance_hint == "latency") {
    set(ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY));
  } else if (settings.performance_hint == "throughput") {
    set(ov::hint::performance_mode(ov::hint::PerformanceMode::THROUGHPUT));
  }
  if (settings.num_threads > 0) set(ov::inference_num_threads(settings.num_threads));
  if (settings.num_streams > 0) set(ov::num_streams(ov::streams::Num(settings.num_streams)));
  if (const auto precision = ParseDType(settings.inference_precision)) {
    set(ov::hint::inference_precision(ToOvType(*precision)));
  }
  if (settings.profiling) set(ov::enable_profiling(true));
  return properties;
}

Result<std::unique_ptr<Session>> OvSession::Load(const std::filesystem::path& path,
                                                 const std::string& format,
                                                 const SessionSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(std::shared_ptr<ov::Model> model, ReadModel(path, format));
  std::unique_ptr<OvSession> session(new OvSession(path, format, settings));
  KENNING_ASSIGN_OR_RETURN(
      session->spec_,
      Guard(ErrorCode::kInvalidModel, path, [&]() -> Result<ModelSpec> { return SpecOf(*model); }),
      path.string());
  KENNING_RETURN_IF_ERROR(session->Compile(std::move(model)));
  return session;
}

Result<> OvSession::Compile(std::shared_ptr<ov::Model> model) {
  std::vector<Shape> shapes = ShapesOf(spec_.inputs);
  dynamic_model_ = std::move(model);
  if (!AllStatic(spec_.inputs)) {
    // A batch of one is what most runs ask for; it also proves that the model can be compiled.
    std::vector<Shape> single = shapes;
    for (Shape& shape : single) {
      if (!shape.empty() && shape[0] == kAnyDim) shape[0] = 1;
    }
    if (std::ranges::all_of(single, IsStatic) && MakeVariant(single)) return {};
  }
  KENNING_RETURN_IF_ERROR(MakeVariant(shapes));
  if (AllStatic(spec_.inputs)) dynamic_model_.reset();
  return {};
}

Result<OvSession::Variant*> OvSession::MakeVariant(const std::vector<Shape>& input_shapes) {
  return Guard(ErrorCode::kInvalidModel, path_, [&]() -> Result<Variant*> {
    std::shared_ptr<ov::Model> model = dynamic_model_;
    if (input_shapes != ShapesOf(spec_.inputs)) {
      model = dynamic_model_->clone();
      std::map<std::size_t, ov::PartialShape> shapes;
      for (std::size_t i = 0; i < input_shapes.size(); ++i) {
        shapes[i] = ToPartialShape(input_shapes[i]);
      }
      model->reshape(shapes);
    }
    Variant variant;
    variant.input_shapes = input_shapes;
    variant.compiled = Core().compile_model(model, "CPU", CompileProperties(settings_));
    variant.request = variant.compiled.create_infer_request();
    variant.outputs = spec_.outputs;
    for (std::size_t i = 0; i < variant.outputs.size(); ++i) {
      KENNING_ASSIGN_OR_RETURN(
          variant.outputs[i].shape,
          ShapeOf(variant.compiled.output(i).get_partial_shape(), variant.outputs[i].name));
    }
    variant.bound_inputs.resize(spec_.inputs.size());
    variant.bound_outputs.resize(spec_.outputs.size());
    if (variants_.size() == kMostVariants) {
      if (current_ == &variants_.front()) current_ = nullptr;
      variants_.pop_front();
    }
    return &variants_.emplace_back(std::move(variant));
  });
}

Result<OvSession::Variant*> OvSession::VariantFor(const std::vector<Shape>& input_shapes) {
  for (Variant& variant : variants_) {
    if (variant.input_shapes == input_shapes) return &variant;
  }
  // Where the model has no form for these shapes, the caller's tensors are at fault.
  auto made = MakeVariant(input_shapes);
  if (!made && made.error().code() == ErrorCode::kInvalidModel) {
    return Fail(ErrorCode::kInvalidArgument, made.error().message());
  }
  return made;
}

Result<> OvSession::CheckShapes(std::span<const Shape> input_shapes) const {
  if (input_shapes.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    if (!IsStatic(input_shapes[i]) || !ShapesCompatible(input_shapes[i], spec_.inputs[i].shape)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: input {} cannot have the shape {}", path_.string(),
                              ToString(spec_.inputs[i]), ShapeToString(input_shapes[i])));
    }
  }
  return {};
}

Result<std::vector<TensorSpec>> OvSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  if (AllStatic(spec_.inputs) && AllStatic(variants_.back().outputs)) {
    return variants_.back().outputs;
  }
  KENNING_RETURN_IF_ERROR(CheckShapes(input_shapes));
  KENNING_ASSIGN_OR_RETURN(Variant* const variant,
                           VariantFor({input_shapes.begin(), input_shapes.end()}));
  if (AllStatic(variant->outputs)) return variant->outputs;
  return OutputsByRunning(*variant, input_shapes);
}

Result<std::vector<TensorSpec>> OvSession::OutputsByRunning(Variant& variant,
                                                            std::span<const Shape> input_shapes) {
  std::vector<Tensor> zeros;
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Tensor zero, Tensor::Create(spec_.inputs[i].dtype, input_shapes[i]));
    std::fill_n(zero.data(), zero.size_bytes(), std::byte{0});
    zeros.push_back(std::move(zero));
  }
  return Guard(ErrorCode::kEngineFailure, path_, [&]() -> Result<std::vector<TensorSpec>> {
    ov::InferRequest request = variant.compiled.create_infer_request();
    for (std::size_t i = 0; i < zeros.size(); ++i) {
      request.set_input_tensor(
          i, ov::Tensor(ToOvType(zeros[i].dtype()), ToOvShape(zeros[i].shape()), zeros[i].data()));
    }
    request.infer();
    std::vector<TensorSpec> resolved = variant.outputs;
    for (std::size_t i = 0; i < resolved.size(); ++i) {
      const ov::Shape shape = request.get_output_tensor(i).get_shape();
      resolved[i].shape.assign(shape.begin(), shape.end());
    }
    return resolved;
  });
}

bool OvSession::AlreadyBound(std::span<const TensorView> inputs,
                             std::span<const MutableTensorView> outputs) const {
  if (current_ == nullptr) return false;
  const auto fits = [](const auto& views, const std::vector<Binding>& bound,
                       const std::vector<TensorSpec>& specs) {
    for (std::size_t i = 0; i < views.size(); ++i) {
      if (views[i].data != bound[i].data || views[i].size_bytes != bound[i].size_bytes ||
          views[i].dtype != specs[i].dtype || !std::ranges::equal(views[i].shape, bound[i].shape)) {
        return false;
      }
    }
    return true;
  };
  return fits(inputs, current_->bound_inputs, spec_.inputs) &&
         fits(outputs, current_->bound_outputs, spec_.outputs);
}

Result<> OvSession::Rebind(std::span<const TensorView> inputs,
                           std::span<const MutableTensorView> outputs) {
  const auto check = [this](const auto& view, const TensorSpec& want) -> Result<Shape> {
    Shape given(view.shape.begin(), view.shape.end());
    const auto elements = ElementCount(given);
    if (view.dtype != want.dtype || !ShapesCompatible(given, want.shape) || !elements ||
        *elements * DTypeSize(view.dtype) != view.size_bytes || view.data == nullptr) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(),
                              want.name, ToString(want), DTypeName(view.dtype),
                              ShapeToString(given), view.size_bytes));
    }
    return given;
  };
  const auto bind = [](Binding& binding, const auto& view, Shape shape, auto&& set) {
    binding.data = nullptr;
    // OpenVINO takes inputs as mutable memory but does not write to them.
    set(ov::Tensor(ToOvType(view.dtype), ToOvShape(shape), const_cast<std::byte*>(view.data)));
    binding = {view.data, view.size_bytes, std::move(shape)};
  };
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Shape shape, check(inputs[i], spec_.inputs[i]));
    shapes.push_back(std::move(shape));
  }
  current_ = nullptr;
  Variant* variant = &variants_.back();
  if (!AllStatic(spec_.inputs)) {
    KENNING_ASSIGN_OR_RETURN(variant, VariantFor(shapes));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    bind(variant->bound_inputs[i], inputs[i], std::move(shapes[i]),
         [&](const ov::Tensor& tensor) { variant->request.set_input_tensor(i, tensor); });
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Shape shape, check(outputs[i], variant->outputs[i]));
    bind(variant->bound_outputs[i], outputs[i], std::move(shape),
         [&](const ov::Tensor& tensor) { variant->request.set_output_tensor(i, tensor); });
  }
  current_ = variant;
  return {};
}

Result<> OvSession::Invoke(std::span<const TensorView> inputs,
                           std::span<const MutableTensorView> outputs) {
  if (inputs.size() != spec_.inputs.size() || outputs.size() != spec_.outputs.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), spec_.inputs.size(), spec_.outputs.size(),
                            inputs.size(), outputs.size()));
  }
  return Guard(ErrorCode::kEngineFailure, path_, [&]() -> Result<> {
    if (!AlreadyBound(inputs, outputs)) KENNING_RETURN_IF_ERROR(Rebind(inputs, outputs));
    current_->request.infer();
    ++current_->invokes;
    return {};
  });
}

Result<std::vector<OperatorProfile>> OvSession::Profile() {
  std::vector<OperatorProfile> profiles;
  if (!settings_.profiling) return profiles;
  return Guard(ErrorCode::kEngineFailure, path_, [&]() -> Result<std::vector<OperatorProfile>> {
    std::map<std::string, std::size_t> index;
    for (const Variant& variant : variants_) {
      if (variant.invokes == 0) continue;
      for (const ov::ProfilingInfo& info : variant.request.get_profiling_info()) {
        if (info.status != ov::ProfilingInfo::Status::EXECUTED) continue;
        const auto [at, is_new] = index.try_emplace(info.node_name, profiles.size());
        if (is_new) {
          auto [kernel, dtype] = SplitExecType(info.exec_type);
          profiles.push_back({.name = OriginalName(info.node_name, info.node_type),
                              .op_type = OperatorType(info.node_type),
                              .dtype = std::move(dtype),
                              .kernel = std::move(kernel)});
        }
        // OpenVINO gives the mean over all inferences of a request.
        OperatorProfile& profile = profiles[at->second];
        profile.total_ns += std::chrono::nanoseconds(info.real_time).count() *
                            static_cast<std::int64_t>(variant.invokes);
        profile.calls += variant.invokes;
      }
    }
    std::ranges::stable_sort(profiles, [](const OperatorProfile& a, const OperatorProfile& b) {
      return a.total_ns > b.total_ns;
    });
    return profiles;
  });
}

Result<std::vector<NamedTensor>> OvSession::Intermediates(std::span<const TensorView> inputs) {
  std::vector<Shape> shapes;
  for (const TensorView& input : inputs)
    shapes.emplace_back(input.shape.begin(), input.shape.end());
  KENNING_RETURN_IF_ERROR(CheckShapes(shapes));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].dtype != spec_.inputs[i].dtype ||
        inputs[i].size_bytes != *ElementCount(shapes[i]) * DTypeSize(inputs[i].dtype)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: tensor \"{}\" must be {}", path_.string(), spec_.inputs[i].name,
                              ToString(spec_.inputs[i])));
    }
  }
  if (inside_ == nullptr || inside_->input_shapes() != shapes) {
    SessionSettings settings = settings_;
    settings.profiling = false;
    KENNING_ASSIGN_OR_RETURN(inside_,
                             InsideView::Make(path_, format_, CompileProperties(settings), shapes));
  }
  return inside_->Run(inputs);
}

}  // namespace kenning::openvino
