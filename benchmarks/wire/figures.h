// SPDX-License-Identifier: Apache-2.0
/// \file
/// The table: what was measured, against which bar, beside which rival.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace kenning::bench {

/// A value with a 95 % interval (order statistics of the rounds' medians) where there are enough
/// rounds.
struct Estimate {
  double value = 0;
  std::optional<double> low;
  std::optional<double> high;
};
/// Of the medians of rounds, whatever their unit.
Estimate MedianOfRounds(const std::vector<double>& rounds);

struct Figure {
  std::string name;
  std::string unit;
  Estimate measured;
  std::optional<double> bar;  ///< Empty: none was set.
  bool at_most = true;        ///< The bar is an upper limit.
  std::string rival;          ///< Named rival of the same run; empty: none.
  std::optional<Estimate> rival_measured;
  std::optional<Estimate> ratio;  ///< Measured over rival's, round by round.
  std::string peer;               ///< Kenning 0.8.2, measured elsewhere.
  std::string note;

  /// Empty where there is no bar.
  std::optional<bool> met() const;
};

std::string ToMarkdown(const std::vector<Figure>& figures);
std::string ToJson(const std::vector<Figure>& figures);

}  // namespace kenning::bench
