// SPDX-License-Identifier: Apache-2.0
/// \file
/// Result<T>: a value or an Error. Every fallible call of a public interface returns one; no
/// exception crosses an interface.
///
/// \code
///   Result<Model> Load(const std::string& path) {
///     KENNING_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path), "loading the model");
///     KENNING_RETURN_IF_ERROR(Validate(bytes));
///     return Parse(bytes);
///   }
/// \endcode
///
/// A Result that is not looked at is a compiler warning, and an error in our own builds.
#pragma once

// Before the library's own declaration, which lacks the attribute.
namespace tl {
template <class T, class E>
class [[nodiscard]] expected;
}  // namespace tl

#include <tl/expected.hpp>
#include <utility>

#include "kenning/base/error.h"

namespace kenning {

template <typename T = void>
using Result = tl::expected<T, Error>;

/// Makes the failed Result: `return Fail(ErrorCode::kIo, "…")`.
inline tl::unexpected<Error> Fail(ErrorCode code, std::string message,
                                  std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error(code, std::move(message), where));
}
inline tl::unexpected<Error> Fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

namespace internal {
inline Error WithContext(Error error) { return error; }
inline Error WithContext(Error error, std::string context) {
  return std::move(error).AddContext(std::move(context));
}
}  // namespace internal

}  // namespace kenning

#define KENNING_INTERNAL_CONCAT2(a, b) a##b
#define KENNING_INTERNAL_CONCAT(a, b) KENNING_INTERNAL_CONCAT2(a, b)

/// Returns the error of `expr` from this function, with an optional context sentence.
#define KENNING_RETURN_IF_ERROR(expr, ...)                                        \
  do {                                                                            \
    if (auto kenning_result = (expr); !kenning_result) {                          \
      return ::tl::unexpected<::kenning::Error>(::kenning::internal::WithContext( \
          std::move(kenning_result).error() __VA_OPT__(, ) __VA_ARGS__));         \
    }                                                                             \
  } while (false)

/// Declares or assigns `lhs` from the value of `expr`, or returns its error.
#define KENNING_ASSIGN_OR_RETURN(lhs, expr, ...)                                \
  KENNING_INTERNAL_ASSIGN(KENNING_INTERNAL_CONCAT(kenning_tmp_, __LINE__), lhs, \
                          expr __VA_OPT__(, ) __VA_ARGS__)
#define KENNING_INTERNAL_ASSIGN(tmp, lhs, expr, ...)                                          \
  auto tmp = (expr);                                                                          \
  if (!tmp) {                                                                                 \
    return ::tl::unexpected<::kenning::Error>(                                                \
        ::kenning::internal::WithContext(std::move(tmp).error() __VA_OPT__(, ) __VA_ARGS__)); \
  }                                                                                           \
  lhs = *std::move(tmp)
