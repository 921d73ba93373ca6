// SPDX-License-Identifier: Apache-2.0
#include "tvm_session.h"

#include <fmt/format.h>
#include <tvm/ffi/container/array.h>

#include <algorithm>
#include <cstring>
#include <iostream>
#include <mutex>
#include <streambuf>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/toolchain/worker.h"
#include "tvm_threads.h"

namespace kenning::tvm_engine {
namespace {

namespace ffi = tvm::ffi;

/// What TVM's generated code expects of the memory it is given.
constexpr std::size_t kAlignment = 64;
constexpr int kPooledMemory = 2;

DLDataType ToDlType(DType dtype) {
  DLDataType type{kDLFloat, static_cast<std::uint8_t>(DTypeSize(dtype) * 8), 1};
  switch (dtype) {
    case DType::kBFloat16:
      type.code = kDLBfloat;
      break;
    case DType::kInt8:
    case DType::kInt16:
    case DType::kInt32:
    case DType::kInt64:
      type.code = kDLInt;
      break;
    case DType::kUint8:
    case DType::kUint16:
    case DType::kUint32:
    case DType::kUint64:
      type.code = kDLUInt;
      break;
    case DType::kBool:
      type.code = kDLBool;
      break;
    default:
      break;
  }
  return type;
}

/// While one lives, std::cerr is silent: TVM warns of every constant that it loads. Kenning's own
/// log does not go through std::cerr.
class QuietLoading {
 public:
  QuietLoading() : lock_(mutex_), before_(std::cerr.rdbuf(&nowhere_)) {}
  QuietLoading(const QuietLoading&) = delete;
  QuietLoading& operator=(const QuietLoading&) = delete;
  ~QuietLoading() { std::cerr.rdbuf(before_); }

 private:
  class Nowhere final : public std::streambuf {
    int_type overflow(int_type character) override { return traits_type::not_eof(character); }
  };
  inline static std::mutex mutex_;
  std::scoped_lock<std::mutex> lock_;
  Nowhere nowhere_;
  std::streambuf* before_;
};

/// Runs `body`; TVM's errors become Errors here and nowhere else.
template <typename Body>
auto Guard(const std::filesystem::path& path, ErrorCode code, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::exception& exception) {
    return Fail(code, fmt::format("{}: TVM {}: {}", path.string(), Version(), exception.what()));
  }
}

/// A tensor of TVM's over memory that outlives it.
ffi::Tensor Wrap(const TensorSpec& spec, void* data) {
  struct Holder {
    DLManagedTensor managed{};
    Shape shape;
  };
  auto holder = std::make_unique<Holder>();
  holder->shape = spec.shape;
  DLTensor& tensor = holder->managed.dl_tensor;
  tensor.data = data;
  tensor.device = {kDLCPU, 0};
  tensor.ndim = static_cast<int>(holder->shape.size());
  tensor.dtype = ToDlType(spec.dtype);
  tensor.shape = holder->shape.data();
  holder->managed.manager_ctx = holder.get();
  holder->managed.deleter = [](DLManagedTensor* self) {
    delete static_cast<Holder*>(self->manager_ctx);
  };
  return ffi::Tensor::FromDLPack(&holder.release()->managed);
}

Result<> CheckTensor(const TensorSpec& want, const void* data, std::size_t size_bytes, DType dtype,
                     std::span<const std::int64_t> shape) {
  if (data != nullptr && dtype == want.dtype && std::ranges::equal(shape, want.shape) &&
      size_bytes == *ElementCount(want.shape) * DTypeSize(dtype)) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("tensor \"{}\" must be {}, not {}{} in {} bytes", want.name, ToString(want),
                  DTypeName(dtype), ShapeToString(Shape(shape.begin(), shape.end())), size_bytes));
}

}  // namespace

TvmSession::TvmSession(std::filesystem::path path, ModelSpec spec, const SessionSettings& settings)
    : path_(std::move(path)),
      spec_(std::move(spec)),
      threads_(settings.num_threads > 0 ? settings.num_threads : AvailableProcessors()),
      profiling_(settings.profiling),
      bindings_(spec_.inputs.size()),
      arguments_(spec_.inputs.size()) {}

TvmSession::~TvmSession() {
  // What the machine made must go before the library that holds its code.
  arguments_.clear();
  bindings_.clear();
  main_ = ffi::Function();
  machine_ = std::nullopt;
  library_ = std::nullopt;
}

Result<std::unique_ptr<Session>> TvmSession::Load(const std::filesystem::path& path,
                                                  const SessionSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(const TvmArtifact artifact, ReadTvmArtifact(path));
  KENNING_RETURN_IF_ERROR(CheckCpuFeatures(artifact), path.string());
  PrepareThreads();
  std::unique_ptr<TvmSession> session(new TvmSession(path, artifact.spec, settings));
  KENNING_RETURN_IF_ERROR(
      Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<> { return session->Open(artifact); }));
  return session;
}

/// Each session has a copy of the code of its own: TVM keeps a session's state inside the library,
/// and the system gives the same library for the same file.
Result<> TvmSession::Open(const TvmArtifact& artifact) {
  KENNING_ASSIGN_OR_RETURN(const ScratchFolder folder, ScratchFolder::Create());
  const std::filesystem::path file = folder.path() / "model.so";
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(file, artifact.library));
  {
    const QuietLoading quiet;
    library_ = ffi::Module::LoadFromFile(file.string());
  }
  const auto load = (*library_)->GetFunction("vm_load_executable");
  if (!load.has_value()) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: holds no program of TVM's virtual machine", path_.string()));
  }
  machine_ = (*load)().cast<ffi::Module>();
  (*machine_)->GetFunction("vm_initialization").value()(static_cast<int>(kDLCPU), 0, kPooledMemory);
  main_ = (*machine_)->GetFunction("main").value();
  if (profiling_) StartProfiling();
  return {};
}

void TvmSession::StartProfiling() {
  const ffi::Function instrument = ffi::Function::FromPacked(
      [this](const ffi::AnyView* args, std::int32_t count, ffi::Any* result) {
        *result = 0;  // Go on.
        if (count < 3) return;
        if (args[2].cast<bool>()) {
          call_started_ns_ = MonotonicNowNs();
          return;
        }
        const std::int64_t now = MonotonicNowNs();
        OperatorProfile& entry = profile_[args[1].cast<std::string>()];
        entry.total_ns += now - call_started_ns_;
        ++entry.calls;
      });
  (*machine_)->GetFunction("set_instrument").value()(instrument);
}

Result<> TvmSession::CheckTensors(std::span<const TensorView> inputs,
                                  std::span<const MutableTensorView> outputs) const {
  if (inputs.size() != spec_.inputs.size() || outputs.size() != spec_.outputs.size()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("the model takes {} tensors and gives {}, not {} and {}", spec_.inputs.size(),
                    spec_.outputs.size(), inputs.size(), outputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(CheckTensor(spec_.inputs[i], inputs[i].data, inputs[i].size_bytes,
                                        inputs[i].dtype, inputs[i].shape));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(CheckTensor(spec_.outputs[i], outputs[i].data, outputs[i].size_bytes,
                                        outputs[i].dtype, outputs[i].shape));
  }
  return {};
}

Result<> TvmSession::Bind(std::size_t index, const TensorView& input) {
  Binding& binding = bindings_[index];
  const bool aligned = reinterpret_cast<std::uintptr_t>(input.data) % kAlignment == 0;
  if (binding.data != input.data) {
    const TensorSpec& spec = spec_.inputs[index];
    if (!aligned && binding.copy.data() == nullptr) {
      KENNING_ASSIGN_OR_RETURN(binding.copy, Tensor::Create(spec.dtype, spec.shape));
    }
    // TVM has no tensor of constant elements; it does not write to inputs.
    void* data = aligned ? const_cast<std::byte*>(input.data) : binding.copy.data();
    binding.tensor = Wrap(spec, data);
    binding.data = input.data;
    arguments_[index] = binding.tensor;
  }
  if (!aligned) std::memcpy(binding.copy.data(), input.data, input.size_bytes);
  return {};
}

Result<> TvmSession::CopyOut(const ffi::Any& returned,
                             std::span<const MutableTensorView> outputs) const {
  const auto copy = [&](const ffi::Tensor& tensor, std::size_t index) -> Result<> {
    const MutableTensorView& output = outputs[index];
    if (tensor.shape().size() != output.shape.size() ||
        !std::equal(output.shape.begin(), output.shape.end(), tensor.shape().begin()) ||
        tensor.dtype() != ToDlType(output.dtype)) {
      return Fail(ErrorCode::kEngineFailure,
                  fmt::format("{}: output \"{}\" is not what the file's description says",
                              path_.string(), spec_.outputs[index].name));
    }
    std::memcpy(output.data,
                static_cast<const std::byte*>(tensor.data_ptr()) + tensor.byte_offset(),
                output.size_bytes);
    return {};
  };
  if (const auto tensor = returned.as<ffi::Tensor>()) {
    if (outputs.size() == 1) return copy(*tensor, 0);
  } else if (const auto list = returned.as<ffi::Array<ffi::Tensor>>()) {
    if (list->size() == outputs.size()) {
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        KENNING_RETURN_IF_ERROR(copy((*list)[static_cast<std::int64_t>(i)], i));
      }
      return {};
    }
  }
  return Fail(ErrorCode::kEngineFailure, fmt::format("{}: the program does not give {} tensors",
                                                     path_.string(), outputs.size()));
}

Result<> TvmSession::Invoke(std::span<const TensorView> inputs,
                            std::span<const MutableTensorView> outputs) {
  KENNING_RETURN_IF_ERROR(CheckTensors(inputs, outputs));
  return Guard(path_, ErrorCode::kEngineFailure, [&]() -> Result<> {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      KENNING_RETURN_IF_ERROR(Bind(i, inputs[i]));
    }
    UseThreads(threads_);
    ffi::Any returned;
    main_.CallPacked(arguments_.data(), static_cast<std::int32_t>(arguments_.size()), &returned);
    return CopyOut(returned, outputs);
  });
}

Result<std::vector<TensorSpec>> TvmSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  if (input_shapes.size() != spec_.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    if (input_shapes[i] == spec_.inputs[i].shape) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: \"{}\" has the fixed shape {}, not {}; compile the model for that "
                            "shape",
                            path_.string(), spec_.inputs[i].name,
                            ShapeToString(spec_.inputs[i].shape), ShapeToString(input_shapes[i])));
  }
  return spec_.outputs;
}

Result<std::vector<OperatorProfile>> TvmSession::Profile() {
  std::vector<OperatorProfile> all;
  for (const auto& [name, entry] : profile_) {
    // The machine's own bookkeeping.
    if (name.starts_with("vm.builtin.")) continue;
    OperatorProfile profile = entry;
    profile.name = name;
    profile.op_type = name;
    profile.kernel = "TVM";
    all.push_back(std::move(profile));
  }
  std::ranges::sort(all, [](const OperatorProfile& a, const OperatorProfile& b) {
    return a.total_ns > b.total_ns;
  });
  return all;
}

}  // namespace kenning::tvm_engine
