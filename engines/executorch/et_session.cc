// SPDX-License-Identifier: Apache-2.0
#include "et_session.h"

#include <executorch/extension/data_loader/buffer_data_loader.h>
#include <executorch/extension/memory_allocator/malloc_memory_allocator.h>
#include <executorch/extension/threadpool/threadpool_guard.h>
#include <executorch/runtime/executor/method.h>
#include <executorch/runtime/executor/program.h>
#include <executorch/runtime/platform/platform.h>
#include <executorch/runtime/platform/runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "et_runtime.h"
#include "kenning/base/log.h"
#include "pte_file.h"
#include "trial.h"

// The package has the library and not the header. Only what is called is declared.
namespace executorch::extension::threadpool {
class ThreadPool {
 public:
  bool _unsafe_reset_threadpool(std::uint32_t threads);
};
ThreadPool* get_threadpool();
}  // namespace executorch::extension::threadpool

namespace kenning::executorch_engine {
namespace {

namespace et = ::executorch::runtime;
namespace threadpool = ::executorch::extension::threadpool;
using ::executorch::aten::ScalarType;

constexpr std::int64_t kMaxPlannedBytes = std::int64_t{1} << 34;

struct TypeCode {
  ScalarType et;
  DType dtype;
};
constexpr TypeCode kTypes[] = {
    {ScalarType::Float, DType::kFloat32}, {ScalarType::Double, DType::kFloat64},
    {ScalarType::Half, DType::kFloat16},  {ScalarType::BFloat16, DType::kBFloat16},
    {ScalarType::Char, DType::kInt8},     {ScalarType::Byte, DType::kUint8},
    {ScalarType::Short, DType::kInt16},   {ScalarType::Int, DType::kInt32},
    {ScalarType::Long, DType::kInt64},    {ScalarType::Bool, DType::kBool},
};

/// What ExecuTorch logged last in this thread as an error: it has the reasons, its codes have none.
std::string& LastComplaint() {
  thread_local std::string text;
  return text;
}

/// True in the child of a trial: the log's lock may be held by a thread that is not there.
bool log_is_off = false;

void TakeLog(et_timestamp_t /*time*/, et_pal_log_level_t level, const char* file,
             const char* /*function*/, std::size_t line, const char* message, std::size_t length) {
  const std::string_view text(message, length);
  if (!log_is_off) LogDebug("executorch: {}:{}: {}", file, line, text);
  if (level == et_pal_log_level_t::kError || level == et_pal_log_level_t::kFatal) {
    LastComplaint() = text;
  }
}

void StartExecuTorch() {
  [[maybe_unused]] static const bool started = [] {
    et::register_pal(et::PalImpl::create(TakeLog, __FILE__));
    et::runtime_init();
    return true;
  }();
}

tl::unexpected<Error> EtFail(ErrorCode code, const std::filesystem::path& path,
                             std::string_view what, et::Error error) {
  const std::string complaint = std::exchange(LastComplaint(), {});
  return Fail(code, fmt::format("{}: ExecuTorch {}: {} ({}{}{})", path.string(), kVersion, what,
                                et::to_string(error), complaint.empty() ? "" : ": ", complaint));
}

/// The threads belong to the process: they change only while nothing runs in them.
class SharedThreads {
 public:
  static Result<> Take(int threads) {
    const std::lock_guard lock(Mutex());
    State& state = Get();
    if (threads != state.threads && state.sessions > 0) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("ExecuTorch's threads are shared by the process: a session with "
                              "num_threads {} is open, {} cannot be had beside it",
                              state.threads, threads));
    }
    if (threads != state.threads && threads > 0) {
      threadpool::get_threadpool()->_unsafe_reset_threadpool(static_cast<std::uint32_t>(threads));
    }
    state.threads = threads;
    ++state.sessions;
    return {};
  }
  static void GiveBack() {
    const std::lock_guard lock(Mutex());
    --Get().sessions;
  }

 private:
  struct State {
    int threads = 0;
    int sessions = 0;
  };
  static std::mutex& Mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static State& Get() {
    static State state;
    return state;
  }
};

Result<TensorSpec> SpecOf(const et::Result<et::TensorInfo>& info, std::string fallback) {
  if (!info.ok()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("{} is not a tensor", fallback));
  }
  TensorSpec spec;
  spec.name = info->name().empty() ? std::move(fallback) : std::string(info->name());
  const auto* type = std::ranges::find(kTypes, info->scalar_type(), &TypeCode::et);
  if (type == std::end(kTypes)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has an element type that kenning does not carry", spec.name));
  }
  spec.dtype = type->dtype;
  for (const std::int32_t size : info->sizes()) spec.shape.push_back(size);
  std::uint8_t place = 0;
  for (const std::uint8_t dim : info->dim_order()) {
    if (dim != place++) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("\"{}\" is not stored in the order of its dimensions; export the "
                              "model with contiguous inputs and outputs",
                              spec.name));
    }
  }
  const auto elements = ElementCount(spec.shape);
  if (!elements || *elements * DTypeSize(spec.dtype) != info->nbytes()) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("\"{}\" has a size that is not that of its "
                                                      "shape",
                                                      spec.name));
  }
  return spec;
}

Result<ModelSpec> SpecOf(const et::MethodMeta& meta) {
  ModelSpec spec;
  for (std::size_t i = 0; i < meta.num_inputs(); ++i) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor,
                             SpecOf(meta.input_tensor_meta(i), fmt::format("input{}", i)));
    spec.inputs.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < meta.num_outputs(); ++i) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor,
                             SpecOf(meta.output_tensor_meta(i), fmt::format("output{}", i)));
    spec.outputs.push_back(std::move(tensor));
  }
  return spec;
}

/// The program with the bytes that it reads from.
struct LoadedProgram {
  AlignedBytes bytes;
  std::unique_ptr<::executorch::extension::BufferDataLoader> loader;
  std::optional<et::Program> program;
  std::string method;
};

Result<std::unique_ptr<LoadedProgram>> LoadProgram(const std::filesystem::path& path) {
  StartExecuTorch();
  auto loaded = std::make_unique<LoadedProgram>();
  KENNING_ASSIGN_OR_RETURN(loaded->bytes, ReadPte(path));
  loaded->loader = std::make_unique<::executorch::extension::BufferDataLoader>(
      loaded->bytes.span().data(), loaded->bytes.span().size());
  auto program =
      et::Program::load(loaded->loader.get(), et::Program::Verification::InternalConsistency);
  if (!program.ok()) {
    return EtFail(ErrorCode::kInvalidModel, path, "not a program that it can read",
                  program.error());
  }
  loaded->program.emplace(std::move(program.get()));
  loaded->method = "forward";
  if (loaded->program->num_methods() == 1) {
    const auto name = loaded->program->get_method_name(0);
    if (name.ok()) loaded->method = *name;
  }
  return loaded;
}

Result<et::MethodMeta> MetaOf(const LoadedProgram& loaded, const std::filesystem::path& path) {
  auto meta = loaded.program->method_meta(loaded.method.c_str());
  if (!meta.ok()) {
    return EtFail(ErrorCode::kUnsupported, path,
                  fmt::format("the program has no method \"{}\"", loaded.method), meta.error());
  }
  return meta.get();
}

class SessionImpl final : public Session {
 public:
  SessionImpl(std::filesystem::path path, std::unique_ptr<LoadedProgram> loaded, bool one_thread)
      : path_(std::move(path)), loaded_(std::move(loaded)), one_thread_(one_thread) {}
  ~SessionImpl() override {
    method_.reset();
    if (!one_thread_) SharedThreads::GiveBack();
  }

  Result<> Open();
  const ModelSpec& spec() const override { return spec_; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> /*shapes*/) override {
    return spec_.outputs;
  }
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override { return std::vector<OperatorProfile>{}; }

 private:
  using TensorImpl = et::etensor::TensorImpl;
  /// An input as ExecuTorch wants it described.
  struct Input {
    std::vector<TensorImpl::SizesType> sizes;
    std::vector<TensorImpl::DimOrderType> order;
    std::vector<TensorImpl::StridesType> strides;
    std::unique_ptr<TensorImpl> tensor;
  };

  Result<> PlanMemory(const et::MethodMeta& meta);
  Result<> Check(const TensorSpec& want, const void* data, std::size_t size_bytes, DType dtype,
                 std::span<const std::int64_t> shape) const;
  Result<> Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs);

  std::filesystem::path path_;
  std::unique_ptr<LoadedProgram> loaded_;
  bool one_thread_;
  ModelSpec spec_;
  std::vector<bool> output_planned_;
  std::vector<AlignedBytes> planned_;
  std::vector<et::Span<std::uint8_t>> planned_spans_;
  ::executorch::extension::MallocMemoryAllocator method_allocator_;
  ::executorch::extension::MallocMemoryAllocator temp_allocator_;
  std::optional<et::HierarchicalAllocator> planned_allocator_;
  std::optional<et::MemoryManager> memory_;
  std::optional<et::Method> method_;
  std::vector<Input> inputs_;
};

Result<> SessionImpl::PlanMemory(const et::MethodMeta& meta) {
  for (std::size_t i = 0; i < meta.num_memory_planned_buffers(); ++i) {
    const auto size = meta.memory_planned_buffer_size(i);
    if (!size.ok() || *size < 0 || *size > kMaxPlannedBytes) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: the size of its memory makes no sense", path_.string()));
    }
    KENNING_ASSIGN_OR_RETURN(AlignedBytes bytes,
                             AlignedBytes::Create(static_cast<std::size_t>(*size)), path_.string());
    planned_.push_back(std::move(bytes));
  }
  for (AlignedBytes& bytes : planned_) {
    planned_spans_.emplace_back(reinterpret_cast<std::uint8_t*>(bytes.span().data()),
                                bytes.span().size());
  }
  planned_allocator_.emplace(
      et::Span<et::Span<std::uint8_t>>(planned_spans_.data(), planned_spans_.size()));
  memory_.emplace(&method_allocator_, &*planned_allocator_, &temp_allocator_);
  return {};
}

Result<> SessionImpl::Open() {
  KENNING_ASSIGN_OR_RETURN(const et::MethodMeta meta, MetaOf(*loaded_, path_));
  KENNING_ASSIGN_OR_RETURN(spec_, SpecOf(meta), path_.string());
  KENNING_RETURN_IF_ERROR(PlanMemory(meta));
  std::optional<threadpool::NoThreadPoolGuard> guard;
  if (one_thread_) guard.emplace();
  auto method = loaded_->program->load_method(loaded_->method.c_str(), &*memory_);
  if (!method.ok()) {
    return EtFail(method.error() == et::Error::MemoryAllocationFailed
                      ? ErrorCode::kResourceExhausted
                      : ErrorCode::kInvalidModel,
                  path_, "the method cannot be loaded; does it use another delegate than XNNPACK?",
                  method.error());
  }
  method_.emplace(std::move(method.get()));
  for (std::size_t i = 0; i < spec_.outputs.size(); ++i) {
    output_planned_.push_back(meta.output_tensor_meta(i)->is_memory_planned());
  }
  for (const TensorSpec& spec : spec_.inputs) {
    Input input;
    TensorImpl::StridesType stride = 1;
    input.strides.resize(spec.shape.size());
    for (std::size_t dim = spec.shape.size(); dim-- > 0;) {
      input.strides[dim] = stride;
      stride *= static_cast<TensorImpl::StridesType>(std::max<std::int64_t>(spec.shape[dim], 1));
    }
    for (const std::int64_t size : spec.shape) {
      input.order.push_back(static_cast<TensorImpl::DimOrderType>(input.sizes.size()));
      input.sizes.push_back(static_cast<TensorImpl::SizesType>(size));
    }
    const auto* type = std::ranges::find(kTypes, spec.dtype, &TypeCode::dtype);
    input.tensor = std::make_unique<TensorImpl>(type->et, static_cast<ssize_t>(input.sizes.size()),
                                                input.sizes.data(), nullptr, input.order.data(),
                                                input.strides.data());
    inputs_.push_back(std::move(input));
  }
  return {};
}

Result<> SessionImpl::Check(const TensorSpec& want, const void* data, std::size_t size_bytes,
                            DType dtype, std::span<const std::int64_t> shape) const {
  const auto elements = ElementCount(want.shape);
  if (dtype == want.dtype && std::ranges::equal(shape, want.shape) && elements &&
      *elements * DTypeSize(dtype) == size_bytes && data != nullptr) {
    return {};
  }
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(),
                          want.name, ToString(want), DTypeName(dtype),
                          ShapeToString(Shape(shape.begin(), shape.end())), size_bytes));
}

Result<> SessionImpl::Run(std::span<const TensorView> inputs,
                          std::span<const MutableTensorView> outputs) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    // Inputs are read, though the interface takes mutable memory.
    inputs_[i].tensor->set_data(const_cast<std::byte*>(inputs[i].data));
    const et::Error error =
        method_->set_input(et::EValue(et::etensor::Tensor(inputs_[i].tensor.get())), i);
    if (error != et::Error::Ok) {
      return EtFail(ErrorCode::kEngineFailure, path_, "an input is not taken", error);
    }
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    if (output_planned_[i]) continue;
    const et::Error error = method_->set_output_data_ptr(outputs[i].data, outputs[i].size_bytes, i);
    if (error != et::Error::Ok) {
      return EtFail(ErrorCode::kEngineFailure, path_, "an output is not taken", error);
    }
  }
  const et::Error error = method_->execute();
  if (error != et::Error::Ok) {
    return EtFail(ErrorCode::kEngineFailure, path_, "the method failed", error);
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const et::EValue& value = method_->get_output(i);
    if (!value.isTensor() || value.toTensor().nbytes() != outputs[i].size_bytes) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("{}: output \"{}\" has another size than the program says",
                              path_.string(), spec_.outputs[i].name));
    }
    const void* data = value.toTensor().const_data_ptr();
    if (data != outputs[i].data) std::memcpy(outputs[i].data, data, outputs[i].size_bytes);
  }
  return {};
}

Result<> SessionImpl::Invoke(std::span<const TensorView> inputs,
                             std::span<const MutableTensorView> outputs) {
  if (inputs.size() != spec_.inputs.size() || outputs.size() != spec_.outputs.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), spec_.inputs.size(), spec_.outputs.size(),
                            inputs.size(), outputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const TensorView& view = inputs[i];
    KENNING_RETURN_IF_ERROR(
        Check(spec_.inputs[i], view.data, view.size_bytes, view.dtype, view.shape));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const MutableTensorView& view = outputs[i];
    KENNING_RETURN_IF_ERROR(
        Check(spec_.outputs[i], view.data, view.size_bytes, view.dtype, view.shape));
  }
  if (!one_thread_) return Run(inputs, outputs);
  const threadpool::NoThreadPoolGuard guard;
  return Run(inputs, outputs);
}

/// Loads the program and runs it once on zeros, in one thread. What fails here fails again later.
void TryProgram(const std::filesystem::path& path) {
  log_is_off = true;
  auto loaded = LoadProgram(path);
  if (!loaded) return;
  SessionImpl session(path, *std::move(loaded), true);
  if (!session.Open()) return;
  std::vector<Tensor> tensors;
  const ModelSpec& spec = session.spec();
  for (const auto* specs : {&spec.inputs, &spec.outputs}) {
    for (const TensorSpec& tensor : *specs) {
      auto made = Tensor::Create(tensor.dtype, tensor.shape);
      if (!made) return;
      std::memset(made->data(), 0, made->size_bytes());
      tensors.push_back(*std::move(made));
    }
  }
  std::vector<TensorView> inputs;
  std::vector<MutableTensorView> outputs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (i < spec.inputs.size()) {
      inputs.push_back(tensors[i].view());
    } else {
      outputs.push_back(tensors[i].mutable_view());
    }
  }
  static_cast<void>(session.Invoke(inputs, outputs).has_value());
}

}  // namespace

Result<std::unique_ptr<Session>> EtSession::Load(const std::filesystem::path& path,
                                                 int num_threads) {
  KENNING_RETURN_IF_ERROR(TryInChild(path, [&path] { TryProgram(path); }));
  KENNING_ASSIGN_OR_RETURN(std::unique_ptr<LoadedProgram> loaded, LoadProgram(path));
  const bool one_thread = num_threads == 1;
  if (!one_thread) KENNING_RETURN_IF_ERROR(SharedThreads::Take(num_threads), path.string());
  auto session = std::make_unique<SessionImpl>(path, std::move(loaded), one_thread);
  KENNING_RETURN_IF_ERROR(session->Open());
  return session;
}

Result<ModelSpec> EtSession::Inspect(const std::filesystem::path& path) {
  KENNING_RETURN_IF_ERROR(TryInChild(path, [&path] { TryProgram(path); }));
  KENNING_ASSIGN_OR_RETURN(const std::unique_ptr<LoadedProgram> loaded, LoadProgram(path));
  KENNING_ASSIGN_OR_RETURN(const et::MethodMeta meta, MetaOf(*loaded, path));
  auto spec = SpecOf(meta);
  if (!spec) return Fail(std::move(spec.error()).AddContext(path.string()));
  return spec;
}

}  // namespace kenning::executorch_engine
