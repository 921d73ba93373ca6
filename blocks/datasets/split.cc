// SPDX-License-Identifier: Apache-2.0
#include "split.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace kenning {
namespace {

/// Uniform in 0..bound-1, by rejection.
std::uint64_t Draw(std::mt19937_64& generator, std::uint64_t bound) {
  const std::uint64_t limit = generator.max() - generator.max() % bound;
  std::uint64_t value = generator();
  while (value >= limit) value = generator();
  return value % bound;
}

/// How many of each class go into the first part.
std::vector<std::size_t> Quotas(const std::vector<std::size_t>& sizes, double fraction) {
  std::size_t total = 0;
  std::vector<std::size_t> quotas;
  std::vector<std::pair<double, std::size_t>> remainders;
  std::size_t given = 0;
  for (std::size_t c = 0; c < sizes.size(); ++c) {
    const double exact = static_cast<double>(sizes[c]) * fraction;
    quotas.push_back(static_cast<std::size_t>(exact));
    remainders.emplace_back(-(exact - std::floor(exact)), c);
    given += quotas.back();
    total += sizes[c];
  }
  const auto wanted = static_cast<std::size_t>(std::llround(static_cast<double>(total) * fraction));
  std::ranges::sort(remainders);
  for (std::size_t i = 0; given < wanted && i < remainders.size(); ++i) {
    const std::size_t c = remainders[i].second;
    if (quotas[c] < sizes[c]) {
      ++quotas[c];
      ++given;
    }
  }
  return quotas;
}

using IdsOfGroup = std::map<std::uint32_t, std::vector<SampleId>>;

/// Takes shuffled groups as long as that brings the first part nearer to `quota` ids; a group that
/// is too large is passed over.
void DivideGroups(const std::vector<std::uint32_t>& order, const IdsOfGroup& groups,
                  std::size_t quota, std::vector<SampleId>& first, std::vector<SampleId>& rest) {
  std::size_t taken = 0;
  for (const std::uint32_t group : order) {
    const std::vector<SampleId>& ids = groups.at(group);
    const bool nearer = taken < quota && ids.size() < 2 * (quota - taken);
    std::vector<SampleId>& part = nearer ? first : rest;
    part.insert(part.end(), ids.begin(), ids.end());
    if (nearer) taken += ids.size();
  }
}

}  // namespace

void Shuffle(std::vector<SampleId>& ids, std::mt19937_64& generator) {
  for (std::size_t i = ids.size(); i > 1; --i) {
    std::swap(ids[i - 1], ids[Draw(generator, i)]);
  }
}

std::pair<std::vector<SampleId>, std::vector<SampleId>> StratifiedDivide(
    std::span<const SampleId> ids, std::span<const std::int32_t> labels, double fraction,
    std::uint64_t seed, std::span<const std::uint32_t> groups) {
  std::map<std::int32_t, std::vector<SampleId>> classes;
  for (const SampleId id : ids) classes[labels[id]].push_back(id);
  std::vector<std::size_t> sizes;
  for (const auto& [label, members] : classes) sizes.push_back(members.size());
  const std::vector<std::size_t> quotas = Quotas(sizes, std::clamp(fraction, 0.0, 1.0));
  std::mt19937_64 generator(seed);
  std::vector<SampleId> first;
  std::vector<SampleId> rest;
  std::size_t c = 0;
  for (auto& [label, members] : classes) {
    const std::size_t quota = quotas[c++];
    if (!groups.empty()) {
      IdsOfGroup ids_of_group;
      for (const SampleId id : members) ids_of_group[groups[id]].push_back(id);
      std::vector<std::uint32_t> order;
      for (const auto& [group, ids_in_it] : ids_of_group) order.push_back(group);
      Shuffle(order, generator);
      DivideGroups(order, ids_of_group, quota, first, rest);
      continue;
    }
    Shuffle(members, generator);
    const auto middle = members.begin() + static_cast<std::ptrdiff_t>(quota);
    first.insert(first.end(), members.begin(), middle);
    rest.insert(rest.end(), middle, members.end());
  }
  Shuffle(first, generator);
  Shuffle(rest, generator);
  return {std::move(first), std::move(rest)};
}

}  // namespace kenning
