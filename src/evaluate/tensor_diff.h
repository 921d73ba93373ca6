// SPDX-License-Identifier: Apache-2.0
/// \file
/// How far two tensors are apart, and which tensors of two models belong together. Pure: no
/// engines, no files.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/core/tensor_spec.h"

namespace kenning {

/// Differences of b from a, over all elements where both are finite.
struct TensorDiff {
  std::uint64_t elements = 0;
  std::uint64_t non_finite = 0;  ///< Elements that are NaN or infinite in a or b and not equal.
  double max_abs = 0;
  double mean_abs = 0;
  /// Euclidean length of b - a over that of a. 0 for equal tensors, infinity where only a is zero.
  double relative = 0;
  /// Of the angle between a and b; 1 for equal tensors, 0 where only one of them is zero.
  double cosine = 1;
  /// Signal-to-quantisation-noise ratio in dB: 10 log10(sum a^2 / sum (b - a)^2); infinity for
  /// equal tensors.
  double sqnr_db = 0;
};

/// Collects pairs of tensors of equal size; sums are doubles. Not thread-safe.
class TensorDiffSum {
 public:
  void Add(std::span<const float> a, std::span<const float> b);
  TensorDiff Finish() const;

 private:
  std::uint64_t elements_ = 0;
  std::uint64_t non_finite_ = 0;
  double max_abs_ = 0;
  double sum_abs_ = 0;
  double sum_aa_ = 0;
  double sum_bb_ = 0;
  double sum_ab_ = 0;
  double sum_ee_ = 0;
};

/// Index of the largest element; the lowest of equals. Empty: 0.
std::size_t ArgMax(std::span<const float> values);

/// The permutation that makes `to` of `from`, both with a batch dimension: {0,2,3,1} from channels
/// first to channels last. Empty: none is needed or none is known, elements keep their order.
/// `layouts_differ`: decides where the shapes alone do not (equal shapes).
std::vector<int> LayoutPermutation(const Shape& from, const Shape& to, bool layouts_differ);
/// Permutes the dimensions of a dense tensor.
std::vector<float> Transpose(std::span<const float> values, const Shape& shape,
                             std::span<const int> permutation);

/// The names that a tensor may go by in another model of the same origin: parts of names that
/// TensorFlow Lite joins with ";", without the endings that quantisers and converters append.
std::vector<std::string> PlainTensorNames(std::string_view name);

enum class MatchKind : std::uint8_t { kName, kPlainName, kOrder };

/// A tensor of model a and the one of model b that it is compared with.
struct TensorMatch {
  std::size_t a = 0;
  std::size_t b = 0;
  MatchKind kind = MatchKind::kName;
};

/// A tensor as matching sees it.
struct MatchCandidate {
  std::string name;
  Shape shape;
};

/// How alike the tensors a and b are by their values, 1 for equal ones.
using Similarity = std::function<double(std::size_t a, std::size_t b)>;
/// Tensors without a common name are paired only where they are at least so alike.
inline constexpr double kAlike = 0.9;

/// Pairs tensors of two models, in order of a: by equal names, then by plain names, then, between
/// pairs that were found so far, by order among tensors of equal dimensions (in any order of
/// dimensions): the most alike one, if it is alike at all; without `similarity` the first. Each
/// tensor is in at most one pair.
std::vector<TensorMatch> MatchTensors(std::span<const MatchCandidate> a,
                                      std::span<const MatchCandidate> b,
                                      const Similarity& similarity = nullptr);

}  // namespace kenning
