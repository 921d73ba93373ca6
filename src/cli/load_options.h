// SPDX-License-Identifier: Apache-2.0
/// \file
/// The options of a load pattern (docs/howto/load-patterns.md).
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/load_run.h"

namespace kenning {

class LoadFlags {
 public:
  /// The flags' values live in this object.
  void AddTo(CLI::App& app);
  /// After parsing; empty without --load-pattern. \return kInvalidScenario.
  Result<std::optional<LoadSettings>> Collect() const;

 private:
  CLI::Option* pattern_option_ = nullptr;
  std::vector<CLI::Option*> options_;
  std::string pattern_;
  std::optional<double> rate_;
  std::string bound_;
  std::optional<double> percentile_;
  std::string min_duration_;
  std::string max_duration_;
  std::optional<std::uint64_t> min_queries_;
  std::optional<std::uint64_t> max_queries_;
  std::optional<std::uint32_t> streams_;
  std::optional<std::uint32_t> samples_;
  std::optional<std::uint64_t> seed_;
};

/// "250us", "10ms", "1.5s", "2min"; a bare number is seconds. \return kInvalidScenario.
Result<double> ParseSeconds(std::string_view text);

}  // namespace kenning
