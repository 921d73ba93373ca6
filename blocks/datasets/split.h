// SPDX-License-Identifier: Apache-2.0
/// \file
/// Stratified, seeded splits. The same labels and seed give the same split on every machine and
/// standard library: the shuffle is our own, over std::mt19937_64.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "kenning/core/dataset.h"

namespace kenning {

/// Fisher-Yates with an unbiased bounded draw.
void Shuffle(std::vector<SampleId>& ids, std::mt19937_64& generator);

/// Divides `ids` into a first part of about `fraction`, and the rest; each class is divided in the
/// same proportion (largest remainders, so that the total is round(fraction * ids)). Both parts are
/// shuffled. `labels[id]` is the class of an id.
///
/// `groups[id]`, where given, names what an id was made from: ids of one group and class stay
/// together. The sizes are then the nearest that whole groups allow.
std::pair<std::vector<SampleId>, std::vector<SampleId>> StratifiedDivide(
    std::span<const SampleId> ids, std::span<const std::int32_t> labels, double fraction,
    std::uint64_t seed, std::span<const std::uint32_t> groups = {});

}  // namespace kenning
