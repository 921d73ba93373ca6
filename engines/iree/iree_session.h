// SPDX-License-Identifier: Apache-2.0
/// \file
/// A module loaded in IREE.
#pragma once

#include <vector>

#include "iree_api.h"
#include "iree_device.h"
#include "kenning/core/runtime.h"
#include "module_spec.h"
#include "vmfb_file.h"

namespace kenning::iree {

/// Inputs at addresses that are a multiple of 64 (kenning's tensors are) are read by IREE where
/// they are; others are copied. The wrapping is kept while the caller passes the same memory.
/// Outputs lie in memory of IREE's and are copied once.
class IreeSession final : public Session {
 public:
  static Result<std::unique_ptr<Session>> Load(const std::filesystem::path& path,
                                               const DeviceSettings& settings);

  const ModelSpec& spec() const override { return entry_.spec; }
  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override;
  Result<std::vector<OperatorProfile>> Profile() override { return std::vector<OperatorProfile>{}; }

  /// The IO specification of a module alone, without a device.
  static Result<ModelSpec> Inspect(const std::filesystem::path& path);

 private:
  /// A caller's memory as IREE sees it.
  struct Binding {
    const void* data = nullptr;
    std::size_t size_bytes = 0;
    Shape shape;
    Tensor staging;  ///< Used where the memory is not aligned.
    BufferViewPtr view;
  };

  explicit IreeSession(std::filesystem::path path) : path_(std::move(path)) {}
  Result<> Open(const DeviceSettings& settings);
  Result<> CheckTensor(const TensorSpec& want, const void* data, std::size_t size_bytes,
                       DType dtype, std::span<const std::int64_t> shape) const;
  Result<> Bind(Binding& binding, const TensorSpec& want, const TensorView& view) const;
  Result<BufferViewPtr> Wrap(const void* data, std::size_t size_bytes, DType dtype,
                             const Shape& shape) const;
  Result<> SetInput(std::size_t index, const TensorView& view);
  Result<> Run();
  /// Output `index` of the last run.
  Result<iree_hal_buffer_view_t*> Output(std::size_t index) const;
  Result<> CopyOutput(std::size_t index, const MutableTensorView& view) const;

  std::filesystem::path path_;
  AlignedBytes bytes_;  ///< The module reads its constants and code here: it must go last.
  InstancePtr instance_;
  DevicePtr device_;
  SessionPtr session_;
  ModulePtr module_;
  ModuleEntry entry_;
  std::vector<Binding> inputs_;
  ListPtr arguments_;
  ListPtr results_;
};

}  // namespace kenning::iree
