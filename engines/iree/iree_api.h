// SPDX-License-Identifier: Apache-2.0
/// \file
/// IREE's C interface: owners of its objects, its errors and its types as kenning's.
#pragma once

#include <iree/hal/api.h>
#include <iree/runtime/api.h>
#include <iree/vm/api.h>

#include <memory>
#include <optional>
#include <string>

#include "kenning/base/result.h"
#include "kenning/core/dtype.h"

namespace kenning::iree {

/// "3.13.0".
std::string Version();

template <auto kRelease>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    kRelease(object);
  }
};
/// Owns one reference to a counted object of IREE.
template <typename T, auto kRelease>
using Owner = std::unique_ptr<T, Releaser<kRelease>>;

using InstancePtr = Owner<iree_runtime_instance_t, iree_runtime_instance_release>;
using SessionPtr = Owner<iree_runtime_session_t, iree_runtime_session_release>;
using ModulePtr = Owner<iree_vm_module_t, iree_vm_module_release>;
using DevicePtr = Owner<iree_hal_device_t, iree_hal_device_release>;
using ListPtr = Owner<iree_vm_list_t, iree_vm_list_release>;
using BufferPtr = Owner<iree_hal_buffer_t, iree_hal_buffer_release>;
using BufferViewPtr = Owner<iree_hal_buffer_view_t, iree_hal_buffer_view_release>;

/// Consumes `status`. Its text without the places in IREE's sources, which tell a user nothing.
std::string StatusText(iree_status_t status);
/// Consumes `status`: success, or an error with `code` and "<where>: IREE 3.13.0: <text>".
Result<> ToResult(iree_status_t status, ErrorCode code, const std::string& where);

inline std::string_view ToView(iree_string_view_t view) { return {view.data, view.size}; }
inline iree_string_view_t ToIree(std::string_view view) { return {view.data(), view.size()}; }

/// Strings have none.
std::optional<iree_hal_element_type_t> ToElementType(DType dtype);

}  // namespace kenning::iree
