// SPDX-License-Identifier: Apache-2.0
/// \file
/// The border to LibTorch: its exceptions become Errors here and nowhere else.
#pragma once

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include <filesystem>
#include <optional>
#include <string>
#include <utility>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::libtorch {

/// "2.15.0".
std::string Version();

/// float32 <-> at::kFloat, …; empty for types that one of the two lacks.
std::optional<DType> FromTorchType(at::ScalarType type);
std::optional<at::ScalarType> ToTorchType(DType dtype);

/// The threads of this thread's operators, set where they differ; 0 leaves LibTorch's own number.
/// OpenMP keeps the number by calling thread, MKL one for the process: sessions of different
/// numbers can run side by side, though matrix products then take the number set last.
void UseThreads(int num_threads);

/// LibTorch's message without its stack of C++ calls, cut to a length for people.
std::string ShortMessage(const char* what);

/// Calls `function`; an exception becomes an Error of `code` that names `file`.
template <typename Function>
auto Guard(const std::filesystem::path& file, ErrorCode code, Function&& function)
    -> decltype(std::forward<Function>(function)()) {
  try {
    return std::forward<Function>(function)();
  } catch (const c10::OutOfMemoryError&) {
    return Fail(ErrorCode::kResourceExhausted, file.string() + ": out of memory in LibTorch");
  } catch (const c10::Error& error) {
    return Fail(code,
                file.string() + ": LibTorch: " + ShortMessage(error.what_without_backtrace()));
  } catch (const std::bad_alloc&) {
    return Fail(ErrorCode::kResourceExhausted, file.string() + ": out of memory in LibTorch");
  } catch (const std::exception& error) {
    return Fail(code, file.string() + ": LibTorch: " + ShortMessage(error.what()));
  }
}

}  // namespace kenning::libtorch
