// SPDX-License-Identifier: Apache-2.0
#include "tflite_session.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "kenning/base/file.h"

namespace kenning::tflite {
namespace {

/// Element types as the engine numbers them in memory.
constexpr std::array<std::pair<int, DType>, 13> kMemoryTypes = {{
    {1, DType::kFloat32},
    {2, DType::kInt32},
    {3, DType::kUint8},
    {4, DType::kInt64},
    {6, DType::kBool},
    {7, DType::kInt16},
    {9, DType::kInt8},
    {10, DType::kFloat16},
    {11, DType::kFloat64},
    {13, DType::kUint64},
    {16, DType::kUint32},
    {17, DType::kUint16},
    {19, DType::kBFloat16},
}};

std::optional<DType> DTypeInMemory(const TfLiteTensor* tensor) {
  const int type = TfLiteTensorType(tensor);
  for (const auto& [known, dtype] : kMemoryTypes) {
    if (known == type) return dtype;
  }
  return std::nullopt;
}

Shape ShapeInMemory(const TfLiteTensor* tensor) {
  Shape shape;
  for (std::int32_t i = 0; i < TfLiteTensorNumDims(tensor); ++i) {
    shape.push_back(TfLiteTensorDim(tensor, i));
  }
  return shape;
}

bool HasShape(const TfLiteTensor* tensor, std::span<const std::int64_t> shape) {
  if (TfLiteTensorNumDims(tensor) != static_cast<std::int32_t>(shape.size())) return false;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (TfLiteTensorDim(tensor, static_cast<std::int32_t>(i)) != shape[i]) return false;
  }
  return true;
}

void AppendMessage(void* user_data, const char* format, va_list args) {
  std::array<char, 512> line{};
  std::vsnprintf(line.data(), line.size(), format, args);
  auto& messages = *static_cast<std::string*>(user_data);
  if (messages.size() > 4096) return;
  if (!messages.empty()) messages += "; ";
  messages += line.data();
  while (!messages.empty() && (messages.back() == '\n' || messages.back() == '.')) {
    messages.pop_back();
  }
}

/// The engine announces its delegates on standard error; there is no C function against it.
void SilenceEngine() {
  static std::once_flag once;
  std::call_once(once, [] {
    using SetSeverity = int (*)(int);
    constexpr int kError = 3;
    Dl_info library;
    if (::dladdr(reinterpret_cast<void*>(&TfLiteVersion), &library) == 0) return;
    void* handle = ::dlopen(library.dli_fname, RTLD_NOW | RTLD_NOLOAD);
    if (handle == nullptr) return;
    void* symbol = ::dlsym(
        handle,
        "_ZN6tflite16logging_internal13MinimalLogger21SetMinimumLogSeverityENS_11LogSeverityE");
    if (symbol != nullptr) reinterpret_cast<SetSeverity>(symbol)(kError);
    ::dlclose(handle);
  });
}

/// Calls the engine; what it throws becomes an Error.
template <typename Function>
auto Guard(const std::string& name, Function&& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, name + ": out of memory in TensorFlow Lite");
  } catch (const std::exception& exception) {
    return Fail(ErrorCode::kEngineFailure, name + ": " + exception.what());
  }
}

Result<> CheckCustomOperators(const ModelFile& file, const std::string& name,
                              const SessionSettings& settings) {
  if (!settings.delegates.empty()) return {};
  for (const FileSubgraph& graph : file.subgraphs) {
    for (const FileOperator& op : graph.operators) {
      if (op.op_type == "edgetpu-custom-op") {
        return Fail(ErrorCode::kUnavailable,
                    fmt::format("{}: compiled for the Edge TPU (operator \"edgetpu-custom-op\"), "
                                "which no CPU can run: set runtime.parameters.delegates_list to "
                                "[\"libedgetpu.so.1\"], or use the model from before the Edge TPU "
                                "compiler",
                                name));
      }
      if (op.op_type == "ethos-u") {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("{}: compiled for an Arm Ethos-U (operator \"ethos-u\"), which "
                                "only a microcontroller's run time can run",
                                name));
      }
    }
  }
  return {};
}

/// Values of the model's outputs and then of `tensors`, in the order in which operators make them.
std::vector<NamedTensor> InOrder(const FileSubgraph& graph,
                                 const std::vector<std::int32_t>& tensors,
                                 const std::vector<TensorSpec>& specs,
                                 std::vector<Tensor>& values) {
  std::vector<std::int32_t> made = graph.outputs;
  made.insert(made.end(), tensors.begin(), tensors.end());
  std::vector<NamedTensor> ordered;
  for (const FileOperator& op : graph.operators) {
    for (const std::int32_t output : op.outputs) {
      const auto at = static_cast<std::size_t>(std::ranges::find(made, output) - made.begin());
      if (at >= values.size() || values[at].data() == nullptr) continue;
      ordered.push_back({specs[at].name, std::move(values[at]), specs[at].quant});
    }
  }
  return ordered;
}

}  // namespace

Interpreter::~Interpreter() {
  if (interpreter_ != nullptr) TfLiteInterpreterDelete(interpreter_);
  delegates_.clear();
  if (model_ != nullptr) TfLiteModelDelete(model_);
}

std::string Interpreter::TakeMessages() { return std::exchange(messages_, std::string()); }

Error Interpreter::EngineError(ErrorCode code, const std::string& name, std::string_view what) {
  const std::string messages = TakeMessages();
  if (messages.find("unresolved custom op") != std::string::npos ||
      messages.find("Didn't find op") != std::string::npos) {
    code = ErrorCode::kUnsupported;
  }
  return {code, fmt::format("{}: TensorFlow Lite {} {}: {}", name, TfLiteVersion(), what,
                            messages.empty() ? "no reason given" : messages)};
}

Result<std::unique_ptr<Interpreter>> Interpreter::Create(std::string bytes, const std::string& name,
                                                         const SessionSettings& settings,
                                                         TfLiteTelemetryProfilerStruct* profiler) {
  std::unique_ptr<Interpreter> made(new Interpreter());
  made->bytes_ = std::move(bytes);
  KENNING_RETURN_IF_ERROR(Guard(name, [&] { return made->Build(name, settings, profiler); }));
  return made;
}

Result<> Interpreter::Build(const std::string& name, const SessionSettings& settings,
                            TfLiteTelemetryProfilerStruct* profiler) {
  SilenceEngine();
  const int threads = settings.num_threads > 0 ? settings.num_threads : UsableCores();
  for (const std::string& library : settings.delegates) {
    KENNING_ASSIGN_OR_RETURN(DelegatePtr delegate,
                             MakeExternalDelegate(library, settings.delegate_options));
    delegates_.push_back(std::move(delegate));
  }
  // After the external ones: it takes what they leave.
  if (settings.xnnpack) {
    KENNING_ASSIGN_OR_RETURN(DelegatePtr delegate, MakeXnnpackDelegate(threads));
    delegates_.push_back(std::move(delegate));
  }
  model_ =
      TfLiteModelCreateWithErrorReporter(bytes_.data(), bytes_.size(), AppendMessage, &messages_);
  if (model_ == nullptr) {
    return Fail(EngineError(ErrorCode::kInvalidModel, name, "refuses the file"));
  }
  const std::unique_ptr<TfLiteInterpreterOptions, void (*)(TfLiteInterpreterOptions*)> options(
      TfLiteInterpreterOptionsCreate(), TfLiteInterpreterOptionsDelete);
  TfLiteInterpreterOptionsSetNumThreads(options.get(), threads);
  TfLiteInterpreterOptionsSetErrorReporter(options.get(), AppendMessage, &messages_);
  if (profiler != nullptr) {
    TfLiteInterpreterOptionsSetTelemetryProfiler(options.get(), profiler);
  }
  for (const DelegatePtr& delegate : delegates_) {
    TfLiteInterpreterOptionsAddDelegate(options.get(), delegate.get());
  }
  interpreter_ = TfLiteInterpreterCreate(model_, options.get());
  if (interpreter_ == nullptr) {
    return Fail(EngineError(ErrorCode::kInvalidModel, name, "refuses the model"));
  }
  if (TfLiteInterpreterAllocateTensors(interpreter_) != kTfLiteOk) {
    return Fail(EngineError(ErrorCode::kInvalidModel, name, "cannot prepare the model"));
  }
  messages_.clear();
  return {};
}

Result<std::unique_ptr<Session>> TfliteSession::Load(const std::filesystem::path& path,
                                                     const SessionSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(std::string bytes, ReadModelBytes(path));
  const std::string name = path.string();
  KENNING_ASSIGN_OR_RETURN(ModelFile file, ParseModel(bytes, name));
  KENNING_RETURN_IF_ERROR(CheckCustomOperators(file, name, settings));
  std::unique_ptr<TfliteSession> session(new TfliteSession(name, settings, std::move(file)));
  if (settings.profiling) session->profiler_ = std::make_unique<Profiler>(session->file_);
  KENNING_ASSIGN_OR_RETURN(
      session->interpreter_,
      Interpreter::Create(std::move(bytes), name, settings,
                          session->profiler_ ? session->profiler_->callbacks() : nullptr));
  KENNING_RETURN_IF_ERROR(session->ReadSpec());
  return session;
}

Result<> TfliteSession::ReadSpec() {
  KENNING_ASSIGN_OR_RETURN(spec_, SpecOfModel(file_, name_));
  TfLiteInterpreter* interpreter = interpreter_->get();
  if (TfLiteInterpreterGetInputTensorCount(interpreter) !=
          static_cast<std::int32_t>(spec_.inputs.size()) ||
      TfLiteInterpreterGetOutputTensorCount(interpreter) !=
          static_cast<std::int32_t>(spec_.outputs.size())) {
    return Fail(ErrorCode::kInvalidModel,
                name_ + ": the file and TensorFlow Lite differ about inputs and outputs");
  }
  // The engine has the last word: it works out shapes that the file leaves open.
  const auto settle = [this](TensorSpec& spec, const TfLiteTensor* tensor) -> Result<> {
    const auto dtype = DTypeInMemory(tensor);
    if (!dtype) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: tensor \"{}\" is of a type that kenning does not carry", name_,
                              spec.name));
    }
    spec.dtype = *dtype;
    const Shape shape = ShapeInMemory(tensor);
    if (!ShapesCompatible(shape, spec.shape)) spec.shape = shape;
    return {};
  };
  for (std::size_t i = 0; i < spec_.inputs.size(); ++i) {
    const TfLiteTensor* tensor =
        TfLiteInterpreterGetInputTensor(interpreter, static_cast<std::int32_t>(i));
    KENNING_RETURN_IF_ERROR(settle(spec_.inputs[i], tensor));
    shapes_.push_back(ShapeInMemory(tensor));
  }
  for (std::size_t i = 0; i < spec_.outputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(
        settle(spec_.outputs[i],
               TfLiteInterpreterGetOutputTensor(interpreter, static_cast<std::int32_t>(i))));
  }
  return Allocated();
}

Result<> TfliteSession::Allocated() {
  input_bytes_.clear();
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    const std::size_t bytes = TfLiteTensorByteSize(
        TfLiteInterpreterGetInputTensor(interpreter_->get(), static_cast<std::int32_t>(i)));
    if (bytes != ElementCount(shapes_[i]).value_or(0) * DTypeSize(spec_.inputs[i].dtype)) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("{}: TensorFlow Lite gives input \"{}\" {} bytes", name_,
                              spec_.inputs[i].name, bytes));
    }
    input_bytes_.push_back(bytes);
  }
  allocated_ = true;
  return {};
}

Result<> TfliteSession::Resize(std::span<const Shape> shapes) {
  return Guard(name_, [&]() -> Result<> {
    TfLiteInterpreter* interpreter = interpreter_->get();
    allocated_ = false;
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      const std::vector<int> dims(shapes[i].begin(), shapes[i].end());
      if (TfLiteInterpreterResizeInputTensor(interpreter, static_cast<std::int32_t>(i), dims.data(),
                                             static_cast<std::int32_t>(dims.size())) != kTfLiteOk) {
        return Fail(ErrorCode::kEngineFailure,
                    fmt::format("{}: TensorFlow Lite cannot resize input \"{}\" to {}: {}", name_,
                                spec_.inputs[i].name, ShapeToString(shapes[i]),
                                interpreter_->TakeMessages()));
      }
    }
    if (TfLiteInterpreterAllocateTensors(interpreter) != kTfLiteOk) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("{}: TensorFlow Lite cannot run the model with the input {}: {}; its "
                              "operators may be made for one batch size only",
                              name_, shapes.empty() ? "" : ShapeToString(shapes[0]),
                              interpreter_->TakeMessages()));
    }
    shapes_.assign(shapes.begin(), shapes.end());
    return Allocated();
  });
}

Result<> TfliteSession::CheckInput(const TensorView& view, std::size_t index) const {
  const TensorSpec& want = spec_.inputs[index];
  // As in the invoke before: nothing to look up, nothing to allocate.
  if (allocated_ && view.dtype == want.dtype && view.size_bytes == input_bytes_[index] &&
      view.data != nullptr && std::ranges::equal(view.shape, shapes_[index])) {
    return {};
  }
  const Shape given(view.shape.begin(), view.shape.end());
  const auto elements = ElementCount(given);
  const bool small = std::ranges::all_of(given, [](std::int64_t dim) { return dim <= INT32_MAX; });
  if (view.dtype == want.dtype && ShapesCompatible(given, want.shape) && elements && small &&
      *elements * DTypeSize(view.dtype) == view.size_bytes && view.data != nullptr) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", name_, want.name,
                  ToString(want), DTypeName(view.dtype), ShapeToString(given), view.size_bytes));
}

Result<> TfliteSession::CheckInputs(std::span<const TensorView> inputs) const {
  if (inputs.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs, called with {}", name_, spec_.inputs.size(),
                            inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(CheckInput(inputs[i], i));
  }
  return {};
}

Result<std::vector<TensorSpec>> TfliteSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  if (input_shapes.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  bool same = allocated_;
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    const auto elements = ElementCount(input_shapes[i]);
    if (!ShapesCompatible(input_shapes[i], spec_.inputs[i].shape) || !elements ||
        *elements > INT32_MAX) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: input \"{}\" is {}, not {}", name_, spec_.inputs[i].name,
                              ToString(spec_.inputs[i]), ShapeToString(input_shapes[i])));
    }
    same = same && input_shapes[i] == shapes_[i];
  }
  if (!same) KENNING_RETURN_IF_ERROR(Resize(input_shapes));
  std::vector<TensorSpec> outputs = spec_.outputs;
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].shape = ShapeInMemory(
        TfLiteInterpreterGetOutputTensor(interpreter_->get(), static_cast<std::int32_t>(i)));
  }
  return outputs;
}

Result<> TfliteSession::RunOnce(TfLiteInterpreter* interpreter) {
  if (TfLiteInterpreterInvoke(interpreter) == kTfLiteOk) return {};
  return Fail(ErrorCode::kEngineFailure,
              fmt::format("{}: TensorFlow Lite {}: {}", name_, TfLiteVersion(),
                          interpreter_->TakeMessages()));
}

Result<> TfliteSession::Invoke(std::span<const TensorView> inputs,
                               std::span<const MutableTensorView> outputs) {
  KENNING_RETURN_IF_ERROR(CheckInputs(inputs));
  if (outputs.size() != spec_.outputs.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: gives {} outputs, called with {}", name_, spec_.outputs.size(),
                            outputs.size()));
  }
  bool same = allocated_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    same = same && std::ranges::equal(inputs[i].shape, shapes_[i]);
  }
  if (!same) {
    std::vector<Shape> shapes;
    for (const TensorView& input : inputs)
      shapes.emplace_back(input.shape.begin(), input.shape.end());
    KENNING_RETURN_IF_ERROR(Resize(shapes));
  }
  TfLiteInterpreter* interpreter = interpreter_->get();
  return Guard(name_, [&]() -> Result<> {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const TfLiteTensor* tensor =
          TfLiteInterpreterGetInputTensor(interpreter, static_cast<std::int32_t>(i));
      std::memcpy(TfLiteTensorData(tensor), inputs[i].data, inputs[i].size_bytes);
    }
    KENNING_RETURN_IF_ERROR(RunOnce(interpreter));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const TfLiteTensor* tensor =
          TfLiteInterpreterGetOutputTensor(interpreter, static_cast<std::int32_t>(i));
      const MutableTensorView& view = outputs[i];
      if (view.dtype != spec_.outputs[i].dtype || view.data == nullptr ||
          view.size_bytes != TfLiteTensorByteSize(tensor) || !HasShape(tensor, view.shape)) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("{}: output \"{}\" is {}{}, not {}{} in {} bytes", name_,
                                spec_.outputs[i].name, DTypeName(spec_.outputs[i].dtype),
                                ShapeToString(ShapeInMemory(tensor)), DTypeName(view.dtype),
                                ShapeToString(Shape(view.shape.begin(), view.shape.end())),
                                view.size_bytes));
      }
      std::memcpy(view.data, TfLiteTensorData(tensor), view.size_bytes);
    }
    return {};
  });
}

Result<std::vector<OperatorProfile>> TfliteSession::Profile() {
  if (!profiler_) return std::vector<OperatorProfile>{};
  return profiler_->Collect();
}

Result<std::vector<NamedTensor>> TfliteSession::Intermediates(std::span<const TensorView> inputs) {
  KENNING_RETURN_IF_ERROR(CheckInputs(inputs));
  // A second interpreter on the same model with every tensor as an output, as the engine reuses the
  // memory of tensors that nobody asks for.
  std::vector<std::int32_t> tensors;
  const std::string bytes = WithAllOutputs(file_, interpreter_->bytes(), tensors);
  KENNING_ASSIGN_OR_RETURN(ModelFile file, ParseModel(bytes, name_));
  SessionSettings settings = settings_;
  settings.profiling = false;
  std::unique_ptr<TfliteSession> shown(new TfliteSession(name_, settings, std::move(file)));
  KENNING_ASSIGN_OR_RETURN(shown->interpreter_,
                           Interpreter::Create(bytes, name_, settings, nullptr));
  KENNING_RETURN_IF_ERROR(shown->ReadSpec());
  std::vector<Shape> shapes;
  for (const TensorView& input : inputs)
    shapes.emplace_back(input.shape.begin(), input.shape.end());
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> specs, shown->ResolveOutputs(shapes));
  std::vector<Tensor> values;
  std::vector<MutableTensorView> views;
  for (const TensorSpec& spec : specs) {
    KENNING_ASSIGN_OR_RETURN(Tensor value, Tensor::Create(spec.dtype, spec.shape));
    values.push_back(std::move(value));
    views.push_back(values.back().mutable_view());
  }
  KENNING_RETURN_IF_ERROR(shown->Invoke(inputs, views));
  return InOrder(file_.main(), tensors, specs, values);
}

}  // namespace kenning::tflite
