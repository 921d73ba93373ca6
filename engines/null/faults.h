// SPDX-License-Identifier: Apache-2.0
/// \file
/// Faults on order, so that tests can see what becomes of a session whose model misbehaves.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::null_engine {

/// What the object "faults" of a model asks for; nothing where there is none (README.md).
class Faults {
 public:
  /// \return kInvalidModel for an unknown fault.
  static Result<Faults> FromModel(const nlohmann::json& model, const std::string& file);
  Result<> WhileLoading();
  Result<> BeforeInvoke();

 private:
  Result<> Call() const;

  bool crash_on_load_ = false;
  bool hang_on_load_ = false;
  std::optional<std::int64_t> crash_after_;
  std::optional<std::int64_t> hang_after_;
  std::uint64_t allocate_bytes_ = 0;
  std::uint64_t sleep_ms_ = 0;
  std::string call_;
  std::int64_t invokes_ = 0;
  std::vector<std::vector<char>> memory_;
};

}  // namespace kenning::null_engine
