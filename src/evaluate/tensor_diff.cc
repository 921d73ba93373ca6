// SPDX-License-Identifier: Apache-2.0
#include "evaluate/tensor_diff.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <unordered_map>

namespace kenning {
namespace {

constexpr std::size_t kUnmatched = std::numeric_limits<std::size_t>::max();

/// What converters and quantisers append to a tensor's name. Longer ones first.
constexpr std::array<std::string_view, 9> kEndings = {"_DequantizeLinear_Output",
                                                      "_QuantizeLinear_Output",
                                                      "_DequantizeLinear",
                                                      "_QuantizeLinear",
                                                      "_dequantized",
                                                      "_quantized",
                                                      "_output_0",
                                                      "_output",
                                                      ":0"};

std::string WithoutEndings(std::string name) {
  for (bool again = true; again;) {
    again = false;
    for (const std::string_view ending : kEndings) {
      if (name.size() <= ending.size() || !name.ends_with(ending)) continue;
      name.resize(name.size() - ending.size());
      again = true;
    }
  }
  return name;
}

/// Dimensions above 1, sorted: equal for any layout of the same data.
Shape SortedDims(const Shape& shape) {
  Shape dims;
  std::ranges::copy_if(shape, std::back_inserter(dims), [](std::int64_t d) { return d != 1; });
  std::ranges::sort(dims);
  return dims;
}

/// Gives each tensor of a at most one partner of b.
class Matcher {
 public:
  Matcher(std::span<const MatchCandidate> a, std::span<const MatchCandidate> b,
          const Similarity& similarity)
      : a_(a),
        b_(b),
        similarity_(similarity),
        partner_(a.size(), kUnmatched),
        kind_(a.size()),
        taken_(b.size(), false) {}

  std::vector<TensorMatch> Run() {
    ByNames(MatchKind::kName, [](const std::string& name) { return std::vector{name}; });
    ByNames(MatchKind::kPlainName, PlainTensorNames);
    ByOrder();
    std::vector<TensorMatch> matches;
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (partner_[i] != kUnmatched) matches.push_back({i, partner_[i], kind_[i]});
    }
    return matches;
  }

 private:
  bool SameData(std::size_t i, std::size_t k) const {
    return SortedDims(a_[i].shape) == SortedDims(b_[k].shape);
  }
  void Pair(std::size_t i, std::size_t k, MatchKind kind) {
    partner_[i] = k;
    kind_[i] = kind;
    taken_[k] = true;
  }

  template <typename Names>
  void ByNames(MatchKind kind, Names names) {
    std::unordered_multimap<std::string, std::size_t> places;
    for (std::size_t k = 0; k < b_.size(); ++k) {
      if (taken_[k]) continue;
      for (std::string& name : names(b_[k].name)) places.emplace(std::move(name), k);
    }
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (partner_[i] != kUnmatched) continue;
      if (const auto k = FindFree(i, names(a_[i].name), places)) Pair(i, *k, kind);
    }
  }

  /// The last of the free tensors of that name: after its conversions, not before them.
  std::optional<std::size_t> FindFree(
      std::size_t i, const std::vector<std::string>& names,
      const std::unordered_multimap<std::string, std::size_t>& places) const {
    std::optional<std::size_t> found;
    for (const std::string& name : names) {
      const auto [begin, end] = places.equal_range(name);
      for (auto it = begin; it != end; ++it) {
        if (taken_[it->second] || !SameData(i, it->second)) continue;
        if (!found || it->second > *found) found = it->second;
      }
    }
    return found;
  }

  void ByOrder() {
    std::size_t from = 0;
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (partner_[i] != kUnmatched) {
        from = std::max(from, partner_[i] + 1);
        continue;
      }
      // Not beyond the partner of a later tensor of a.
      std::size_t end = b_.size();
      for (std::size_t later = i + 1; later < a_.size(); ++later) {
        if (partner_[later] != kUnmatched && partner_[later] >= from) {
          end = std::min(end, partner_[later]);
        }
      }
      if (const auto k = MostAlike(i, from, end)) {
        Pair(i, *k, MatchKind::kOrder);
        from = *k + 1;
      }
    }
  }

  std::optional<std::size_t> MostAlike(std::size_t i, std::size_t from, std::size_t end) const {
    std::optional<std::size_t> best;
    double best_similarity = kAlike;
    for (std::size_t k = from; k < end; ++k) {
      if (taken_[k] || !SameData(i, k)) continue;
      if (!similarity_) return k;
      const double similarity = similarity_(i, k);
      if (similarity < best_similarity) continue;
      best = k;
      best_similarity = similarity;
    }
    return best;
  }

  std::span<const MatchCandidate> a_;
  std::span<const MatchCandidate> b_;
  const Similarity& similarity_;
  std::vector<std::size_t> partner_;
  std::vector<MatchKind> kind_;
  std::vector<bool> taken_;
};

}  // namespace

void TensorDiffSum::Add(std::span<const float> a, std::span<const float> b) {
  const std::size_t count = std::min(a.size(), b.size());
  elements_ += count;
  for (std::size_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(a[i]);
    const auto y = static_cast<double>(b[i]);
    if (!std::isfinite(x) || !std::isfinite(y)) {
      const bool equal = x == y || (std::isnan(x) && std::isnan(y));
      if (!equal) ++non_finite_;
      continue;
    }
    const double error = y - x;
    max_abs_ = std::max(max_abs_, std::abs(error));
    sum_abs_ += std::abs(error);
    sum_ee_ += error * error;
    sum_aa_ += x * x;
    sum_bb_ += y * y;
    sum_ab_ += x * y;
  }
}

TensorDiff TensorDiffSum::Finish() const {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  TensorDiff diff;
  diff.elements = elements_;
  diff.non_finite = non_finite_;
  diff.max_abs = max_abs_;
  if (elements_ > 0) diff.mean_abs = sum_abs_ / static_cast<double>(elements_);
  if (sum_ee_ > 0) {
    diff.relative = sum_aa_ > 0 ? std::sqrt(sum_ee_ / sum_aa_) : kInfinity;
    diff.sqnr_db = sum_aa_ > 0 ? 10 * std::log10(sum_aa_ / sum_ee_) : -kInfinity;
    const double lengths = std::sqrt(sum_aa_) * std::sqrt(sum_bb_);
    diff.cosine = lengths > 0 ? sum_ab_ / lengths : 0;
  } else {
    diff.sqnr_db = kInfinity;
  }
  return diff;
}

std::size_t ArgMax(std::span<const float> values) {
  return static_cast<std::size_t>(std::ranges::max_element(values) - values.begin());
}

std::vector<int> LayoutPermutation(const Shape& from, const Shape& to, bool layouts_differ) {
  if (from.size() != to.size() || from.size() < 3) return {};
  if (from == to && !layouts_differ) return {};
  const auto rank = static_cast<int>(from.size());
  std::vector<int> to_last = {0};  // The channel, second, becomes the last.
  for (int i = 2; i < rank; ++i) to_last.push_back(i);
  to_last.push_back(1);
  std::vector<int> to_second = {0, rank - 1};
  for (int i = 1; i < rank - 1; ++i) to_second.push_back(i);
  for (const std::vector<int>& permutation : {to_last, to_second}) {
    bool fits = true;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const std::int64_t dim = from[static_cast<std::size_t>(permutation[i])];
      fits = fits && (dim == to[i] || dim == kAnyDim || to[i] == kAnyDim);
    }
    if (fits) return permutation;
  }
  return {};
}

std::vector<float> Transpose(std::span<const float> values, const Shape& shape,
                             std::span<const int> permutation) {
  const std::size_t rank = shape.size();
  std::vector<std::size_t> strides(rank, 1);
  for (std::size_t i = rank - 1; i > 0; --i) {
    strides[i - 1] = strides[i] * static_cast<std::size_t>(shape[i]);
  }
  std::vector<float> out;
  out.reserve(values.size());
  std::vector<std::size_t> at(rank, 0);
  while (out.size() < values.size()) {
    std::size_t offset = 0;
    for (std::size_t i = 0; i < rank; ++i) {
      offset += at[i] * strides[static_cast<std::size_t>(permutation[i])];
    }
    out.push_back(values[offset]);
    for (std::size_t i = rank; i-- > 0;) {
      if (++at[i] < static_cast<std::size_t>(shape[static_cast<std::size_t>(permutation[i])]))
        break;
      at[i] = 0;
    }
  }
  return out;
}

std::vector<std::string> PlainTensorNames(std::string_view name) {
  std::vector<std::string> names;
  while (!name.empty()) {
    const std::size_t end = name.find(';');
    const std::string_view part = name.substr(0, end);
    if (!part.empty()) names.push_back(WithoutEndings(std::string(part)));
    if (end == std::string_view::npos) break;
    name.remove_prefix(end + 1);
  }
  return names;
}

std::vector<TensorMatch> MatchTensors(std::span<const MatchCandidate> a,
                                      std::span<const MatchCandidate> b,
                                      const Similarity& similarity) {
  return Matcher(a, b, similarity).Run();
}

}  // namespace kenning
