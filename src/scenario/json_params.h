// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameter values as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <type_traits>

#include "kenning/registry/param_schema.h"

namespace kenning::scenario {

template <typename Json>
Json ToJson(const ParamValue& value) {
  return std::visit(
      [](const auto& held) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::monostate>) {
          return nullptr;
        } else {
          return held;
        }
      },
      value);
}

}  // namespace kenning::scenario
