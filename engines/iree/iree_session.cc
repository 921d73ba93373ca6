// SPDX-License-Identifier: Apache-2.0
#include "iree_session.h"

#include <fmt/format.h>
#include <iree/modules/hal/module.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "cpu_check.h"

// The header that declares it, iree/vm/bytecode/module.h, needs generated ones.
extern "C" iree_status_t iree_vm_bytecode_module_create(
    iree_vm_instance_t* instance, std::uint32_t flags, iree_const_byte_span_t contents,
    iree_allocator_t contents_allocator, iree_allocator_t allocator, iree_vm_module_t** module);

namespace kenning::iree {
namespace {

constexpr std::size_t kMaxRank = 32;

Result<InstancePtr> MakeInstance() {
  iree_runtime_instance_options_t options;
  iree_runtime_instance_options_initialize(&options);
  iree_runtime_instance_t* instance = nullptr;
  KENNING_RETURN_IF_ERROR(
      ToResult(iree_runtime_instance_create(&options, iree_allocator_system(), &instance),
               ErrorCode::kEngineFailure, "starting"));
  return InstancePtr(instance);
}

/// `bytes` must outlive the module.
Result<ModulePtr> MakeModule(iree_runtime_instance_t* instance, const AlignedBytes& bytes,
                             const std::filesystem::path& path) {
  iree_vm_module_t* module = nullptr;
  const iree_const_byte_span_t span = iree_make_const_byte_span(
      reinterpret_cast<const std::uint8_t*>(bytes.span().data()), bytes.span().size());
  KENNING_RETURN_IF_ERROR(ToResult(
      iree_vm_bytecode_module_create(iree_runtime_instance_vm_instance(instance), 0, span,
                                     iree_allocator_null(), iree_allocator_system(), &module),
      ErrorCode::kInvalidModel, path.string()));
  return ModulePtr(module);
}

Result<ListPtr> MakeList(std::size_t capacity) {
  iree_vm_list_t* list = nullptr;
  KENNING_RETURN_IF_ERROR(ToResult(iree_vm_list_create(iree_vm_make_undefined_type_def(), capacity,
                                                       iree_allocator_system(), &list),
                                   ErrorCode::kEngineFailure, "making a list"));
  return ListPtr(list);
}

Result<> CheckThisCpu(const AlignedBytes& bytes) {
  const CodeTarget target = FindCodeTarget(FlatBufferOf(bytes.span()));
  if (target.features.empty()) return {};
  std::ifstream file("/proc/cpuinfo");
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) {
      text = line + "\n";
      break;
    }
  }
  const std::set<std::string> flags = CpuFlags(text);
  return flags.empty() ? Result<>() : CheckCpu(target, flags);
}

bool SameShape(const iree_hal_buffer_view_t* view, std::span<const std::int64_t> shape) {
  const std::span<const iree_hal_dim_t> dims(iree_hal_buffer_view_shape_dims(view),
                                             iree_hal_buffer_view_shape_rank(view));
  return std::ranges::equal(dims, shape, [](iree_hal_dim_t a, std::int64_t b) {
    return static_cast<std::int64_t>(a) == b;
  });
}

}  // namespace

Result<std::unique_ptr<Session>> IreeSession::Load(const std::filesystem::path& path,
                                                   const DeviceSettings& settings) {
  std::unique_ptr<IreeSession> session(new IreeSession(path));
  KENNING_RETURN_IF_ERROR(session->Open(settings));
  return session;
}

Result<ModelSpec> IreeSession::Inspect(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const AlignedBytes bytes, ReadVmfb(path));
  KENNING_ASSIGN_OR_RETURN(const InstancePtr instance, MakeInstance(), path.string());
  // The types of tensors must be known for the module to be read at all.
  KENNING_RETURN_IF_ERROR(ToResult(
      iree_hal_module_register_all_types(iree_runtime_instance_vm_instance(instance.get())),
      ErrorCode::kEngineFailure, path.string()));
  KENNING_ASSIGN_OR_RETURN(const ModulePtr module, MakeModule(instance.get(), bytes, path));
  KENNING_ASSIGN_OR_RETURN(ModuleEntry entry, FindEntry(module.get(), path));
  return std::move(entry.spec);
}

Result<> IreeSession::Open(const DeviceSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(bytes_, ReadVmfb(path_));
  KENNING_RETURN_IF_ERROR(CheckThisCpu(bytes_), path_.string());
  KENNING_ASSIGN_OR_RETURN(instance_, MakeInstance(), path_.string());
  KENNING_ASSIGN_OR_RETURN(device_, MakeDevice(settings), path_.string());
  iree_runtime_session_options_t options;
  iree_runtime_session_options_initialize(&options);
  iree_runtime_session_t* session = nullptr;
  KENNING_RETURN_IF_ERROR(
      ToResult(iree_runtime_session_create_with_device(instance_.get(), &options, device_.get(),
                                                       iree_allocator_system(), &session),
               ErrorCode::kEngineFailure, path_.string()));
  session_.reset(session);
  KENNING_ASSIGN_OR_RETURN(module_, MakeModule(instance_.get(), bytes_, path_));
  KENNING_ASSIGN_OR_RETURN(entry_, FindEntry(module_.get(), path_));
  // Here the module's machine code is loaded, and its constants are made.
  KENNING_RETURN_IF_ERROR(
      ToResult(iree_runtime_session_append_module(session_.get(), module_.get()),
               ErrorCode::kInvalidModel, path_.string()),
      "the module may be compiled for another kind of CPU, or for a GPU");
  inputs_.resize(entry_.spec.inputs.size());
  KENNING_ASSIGN_OR_RETURN(arguments_, MakeList(inputs_.size()));
  KENNING_RETURN_IF_ERROR(ToResult(iree_vm_list_resize(arguments_.get(), inputs_.size()),
                                   ErrorCode::kEngineFailure, path_.string()));
  KENNING_ASSIGN_OR_RETURN(results_, MakeList(entry_.spec.outputs.size()));
  return {};
}

Result<> IreeSession::CheckTensor(const TensorSpec& want, const void* data, std::size_t size_bytes,
                                  DType dtype, std::span<const std::int64_t> shape) const {
  const Shape given(shape.begin(), shape.end());
  const auto elements = ElementCount(given);
  if (dtype == want.dtype && ShapesCompatible(given, want.shape) && given.size() <= kMaxRank &&
      elements && *elements * DTypeSize(dtype) == size_bytes && data != nullptr) {
    return {};
  }
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("{}: tensor \"{}\" must be {}, not {}{} in {} bytes", path_.string(), want.name,
                  ToString(want), DTypeName(dtype), ShapeToString(given), size_bytes));
}

Result<BufferViewPtr> IreeSession::Wrap(const void* data, std::size_t size_bytes, DType dtype,
                                        const Shape& shape) const {
  iree_hal_buffer_params_t params = {};
  params.type = IREE_HAL_MEMORY_TYPE_HOST_LOCAL | IREE_HAL_MEMORY_TYPE_DEVICE_VISIBLE;
  params.usage = IREE_HAL_BUFFER_USAGE_DEFAULT | IREE_HAL_BUFFER_USAGE_MAPPING;
  params.access = IREE_HAL_MEMORY_ACCESS_READ;
  iree_hal_external_buffer_t memory = {};
  memory.type = IREE_HAL_EXTERNAL_BUFFER_TYPE_HOST_ALLOCATION;
  memory.size = size_bytes;
  // IREE does not write to memory that it may only read.
  memory.handle.host_allocation.ptr = const_cast<void*>(data);
  iree_hal_buffer_t* buffer = nullptr;
  KENNING_RETURN_IF_ERROR(ToResult(
      iree_hal_allocator_import_buffer(iree_hal_device_allocator(device_.get()), params, &memory,
                                       iree_hal_buffer_release_callback_null(), &buffer),
      ErrorCode::kEngineFailure, path_.string()));
  const BufferPtr owned(buffer);
  std::vector<iree_hal_dim_t> dims;
  for (const std::int64_t dim : shape) dims.push_back(static_cast<iree_hal_dim_t>(dim));
  iree_hal_buffer_view_t* view = nullptr;
  KENNING_RETURN_IF_ERROR(
      ToResult(iree_hal_buffer_view_create(buffer, dims.size(), dims.data(), *ToElementType(dtype),
                                           IREE_HAL_ENCODING_TYPE_DENSE_ROW_MAJOR,
                                           iree_allocator_system(), &view),
               ErrorCode::kEngineFailure, path_.string()));
  return BufferViewPtr(view);
}

Result<> IreeSession::Bind(Binding& binding, const TensorSpec& want, const TensorView& view) const {
  KENNING_RETURN_IF_ERROR(CheckTensor(want, view.data, view.size_bytes, view.dtype, view.shape));
  Shape shape(view.shape.begin(), view.shape.end());
  const void* data = view.data;
  if (reinterpret_cast<std::uintptr_t>(data) % IREE_HAL_HEAP_BUFFER_ALIGNMENT != 0) {
    KENNING_ASSIGN_OR_RETURN(binding.staging, Tensor::Create(view.dtype, shape));
    data = binding.staging.data();
  } else {
    binding.staging = Tensor();
  }
  KENNING_ASSIGN_OR_RETURN(binding.view, Wrap(data, view.size_bytes, view.dtype, shape));
  binding.data = view.data;
  binding.size_bytes = view.size_bytes;
  binding.shape = std::move(shape);
  return {};
}

Result<> IreeSession::SetInput(std::size_t index, const TensorView& view) {
  Binding& binding = inputs_[index];
  const TensorSpec& want = entry_.spec.inputs[index];
  if (view.data == nullptr || view.data != binding.data || view.size_bytes != binding.size_bytes ||
      view.dtype != want.dtype || !std::ranges::equal(view.shape, binding.shape)) {
    KENNING_RETURN_IF_ERROR(Bind(binding, want, view));
    const iree_vm_ref_t reference = iree_hal_buffer_view_retain_ref(binding.view.get());
    iree_vm_ref_t moved = reference;
    KENNING_RETURN_IF_ERROR(ToResult(iree_vm_list_set_ref_move(arguments_.get(), index, &moved),
                                     ErrorCode::kEngineFailure, path_.string()));
  }
  if (binding.staging.data() != nullptr) {
    std::memcpy(binding.staging.data(), view.data, view.size_bytes);
  }
  return {};
}

Result<> IreeSession::Run() {
  iree_vm_list_clear(results_.get());
  return ToResult(
      iree_runtime_session_call(session_.get(), &entry_.function, arguments_.get(), results_.get()),
      ErrorCode::kEngineFailure, path_.string());
}

Result<iree_hal_buffer_view_t*> IreeSession::Output(std::size_t index) const {
  auto* view = static_cast<iree_hal_buffer_view_t*>(
      iree_vm_list_get_ref_deref(results_.get(), index, iree_hal_buffer_view_type()));
  if (view == nullptr) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("{}: output {} is not a tensor", path_.string(), index));
  }
  return view;
}

Result<> IreeSession::CopyOutput(std::size_t index, const MutableTensorView& view) const {
  KENNING_ASSIGN_OR_RETURN(const iree_hal_buffer_view_t* result, Output(index));
  if (!SameShape(result, view.shape)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: output \"{}\" has another shape than the given {}", path_.string(),
                            entry_.spec.outputs[index].name,
                            ShapeToString(Shape(view.shape.begin(), view.shape.end()))));
  }
  if (iree_hal_buffer_view_byte_length(result) != view.size_bytes) {
    return Fail(
        ErrorCode::kEngineFailure,
        fmt::format("{}: output \"{}\" is not {} as the IO specification says", path_.string(),
                    entry_.spec.outputs[index].name, ToString(entry_.spec.outputs[index])));
  }
  return ToResult(
      iree_hal_buffer_map_read(iree_hal_buffer_view_buffer(result), 0, view.data, view.size_bytes),
      ErrorCode::kEngineFailure, path_.string());
}

Result<> IreeSession::Invoke(std::span<const TensorView> inputs,
                             std::span<const MutableTensorView> outputs) {
  const ModelSpec& spec = entry_.spec;
  if (inputs.size() != spec.inputs.size() || outputs.size() != spec.outputs.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: takes {} inputs and gives {} outputs, called with {} and {}",
                            path_.string(), spec.inputs.size(), spec.outputs.size(), inputs.size(),
                            outputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(SetInput(i, inputs[i]));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const MutableTensorView& view = outputs[i];
    KENNING_RETURN_IF_ERROR(
        CheckTensor(spec.outputs[i], view.data, view.size_bytes, view.dtype, view.shape));
  }
  KENNING_RETURN_IF_ERROR(Run());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    KENNING_RETURN_IF_ERROR(CopyOutput(i, outputs[i]));
  }
  return {};
}

Result<std::vector<TensorSpec>> IreeSession::ResolveOutputs(std::span<const Shape> input_shapes) {
  std::vector<TensorSpec> resolved = entry_.spec.outputs;
  const bool is_static = std::ranges::all_of(
      resolved, [](const TensorSpec& spec) { return ElementCount(spec.shape).has_value(); });
  if (is_static) return resolved;
  if (input_shapes.size() != entry_.spec.inputs.size()) {
    return Fail(ErrorCode::kInvalidArgument, "one shape for each input is needed");
  }
  // Dynamic shapes: run once on zeros.
  std::vector<Tensor> zeros;
  for (std::size_t i = 0; i < input_shapes.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Tensor zero,
                             Tensor::Create(entry_.spec.inputs[i].dtype, input_shapes[i]));
    std::fill_n(zero.data(), zero.size_bytes(), std::byte{0});
    zeros.push_back(std::move(zero));
    KENNING_RETURN_IF_ERROR(SetInput(i, zeros[i].view()));
  }
  const auto run = Run();
  // The zeros go: nothing may point at them.
  for (Binding& binding : inputs_) binding.data = nullptr;
  KENNING_RETURN_IF_ERROR(run);
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(const iree_hal_buffer_view_t* view, Output(i));
    const iree_hal_dim_t* dims = iree_hal_buffer_view_shape_dims(view);
    resolved[i].shape.assign(dims, dims + iree_hal_buffer_view_shape_rank(view));
  }
  return resolved;
}

}  // namespace kenning::iree
