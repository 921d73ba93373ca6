// SPDX-License-Identifier: Apache-2.0
/// \file
/// Distribution functions that the statistics need.
#pragma once

#include <cstdint>

namespace kenning {

/// P[B <= k] for B ~ Binomial(n, p), by the regularised incomplete beta function; constant time, so
/// that a million samples cost no more than ten.
double BinomialCdf(std::int64_t k, std::uint64_t n, double p);

/// x with P[Z <= x] = p for a standard normal Z, 0 < p < 1.
double NormalQuantile(double p);

/// x with P[T <= x] = p for Student's T with `degrees` >= 5 (Cornish-Fisher; four digits).
double StudentQuantile(double p, double degrees);

}  // namespace kenning
