// SPDX-License-Identifier: Apache-2.0
#include "app/model_diff.h"

#include <fmt/format.h>

#include <algorithm>

namespace kenning {
namespace {

DiffSide SideOf(const LoadedModel& model) {
  return {model.artifact.path.string(), model.artifact.format, model.runtime_info->name,
          model.runtime->engine(), model.artifact.size_bytes};
}

/// For each tensor of a its partner in b: by name where all have one, else by position.
Result<std::vector<std::size_t>> Partners(const std::vector<TensorSpec>& a,
                                          const std::vector<TensorSpec>& b, const char* what) {
  if (a.size() != b.size()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the first model has {} {}, the second {}: they cannot be compared",
                            a.size(), what, b.size()));
  }
  std::vector<std::size_t> by_name;
  std::vector<std::size_t> by_position;
  for (std::size_t i = 0; i < a.size(); ++i) {
    by_position.push_back(i);
    for (std::size_t k = 0; k < b.size(); ++k) {
      if (PlainTensorNames(a[i].name) == PlainTensorNames(b[k].name)) by_name.push_back(k);
    }
  }
  std::vector<std::size_t> sorted = by_name;
  std::ranges::sort(sorted);
  return sorted == by_position ? by_name : by_position;
}

/// b's values in the order of a's.
std::vector<float> InLayoutOf(const Shape& a, const FloatTensor& b, bool layouts_differ) {
  const std::vector<int> permutation = LayoutPermutation(b.shape, a, layouts_differ);
  return permutation.empty() ? b.values : Transpose(b.values, b.shape, permutation);
}

/// Scores of classes: one dimension besides ones.
bool IsScores(const Shape& shape) {
  return std::ranges::count_if(shape, [](std::int64_t dim) { return dim != 1; }) == 1;
}

bool LayoutsDiffer(const std::vector<TensorSpec>& a, const std::vector<TensorSpec>& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!a[i].layout.empty() && !b[i].layout.empty() && a[i].layout != b[i].layout) return true;
  }
  return false;
}

class Comparison {
 public:
  Comparison(const LoadedModel& a, const LoadedModel& b, SampleSource& samples,
             const DiffOptions& options, AppContext& context)
      : a_(a), b_(b), samples_(samples), options_(options), context_(context) {
    diff_.a = SideOf(a);
    diff_.b = SideOf(b);
    diff_.samples = samples.description();
    diff_.threshold = options.threshold;
    layouts_a_ = samples.layouts();
    layouts_a_.resize(a_.inputs().size());
    layouts_differ_ = LayoutsDiffer(a_.inputs(), b_.inputs());
  }

  Result<ModelDiff> Run() {
    KENNING_ASSIGN_OR_RETURN(inputs_b_, Partners(a_.inputs(), b_.inputs(), "inputs"));
    KENNING_ASSIGN_OR_RETURN(outputs_b_, Partners(a_.outputs(), b_.outputs(), "outputs"));
    PrepareOutputs();
    context_.progress.Begin("compare", samples_.size(), "samples");
    const Result<> compared = CompareAll();
    context_.progress.End();
    KENNING_RETURN_IF_ERROR(compared);
    KENNING_RETURN_IF_ERROR(CompareLayers());
    return std::move(diff_);
  }

 private:
  void PrepareOutputs() {
    for (std::size_t i = 0; i < outputs_b_.size(); ++i) {
      OutputDiff output;
      output.spec_a = a_.outputs()[i];
      output.spec_b = b_.outputs()[outputs_b_[i]];
      output.name_a = output.spec_a.name;
      output.name_b = output.spec_b.name;
      diff_.outputs.push_back(std::move(output));
    }
    sums_.resize(outputs_b_.size());
  }

  /// Gives the sample in the order of each model's inputs.
  Result<> GetSample(std::size_t index) {
    KENNING_ASSIGN_OR_RETURN(sample_a_, samples_.Get(index));
    if (sample_a_.size() != inputs_b_.size()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("samples have {} tensors, the models {} inputs", sample_a_.size(),
                              inputs_b_.size()));
    }
    sample_b_.resize(sample_a_.size());
    layouts_b_.resize(sample_a_.size());
    for (std::size_t i = 0; i < sample_a_.size(); ++i) {
      sample_b_[inputs_b_[i]] = sample_a_[i];
      layouts_b_[inputs_b_[i]] = layouts_a_[i];
    }
    return {};
  }

  Result<> CompareAll() {
    for (std::size_t index = 0; index < samples_.size(); ++index) {
      if (context_.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
      KENNING_RETURN_IF_ERROR(GetSample(index), fmt::format("sample {}", samples_.Name(index)));
      KENNING_ASSIGN_OR_RETURN(const std::vector<FloatTensor> a, a_.Run(sample_a_, layouts_a_));
      KENNING_ASSIGN_OR_RETURN(const std::vector<FloatTensor> b, b_.Run(sample_b_, layouts_b_));
      KENNING_RETURN_IF_ERROR(AddSample(index, a, b));
      context_.progress.Update(index + 1);
    }
    diff_.sample_count = samples_.size();
    for (std::size_t i = 0; i < sums_.size(); ++i) diff_.outputs[i].diff = sums_[i].Finish();
    return {};
  }

  Result<> AddSample(std::size_t index, const std::vector<FloatTensor>& a,
                     const std::vector<FloatTensor>& b) {
    SampleDiff sample;
    sample.name = samples_.Name(index);
    TensorDiffSum whole;
    for (std::size_t i = 0; i < a.size(); ++i) {
      const FloatTensor& other = b[outputs_b_[i]];
      if (a[i].values.size() != other.values.size()) {
        return Fail(ErrorCode::kInvalidArgument,
                    fmt::format("the outputs \"{}\" {} and \"{}\" {} differ in size",
                                diff_.outputs[i].name_a, ShapeToString(a[i].shape),
                                diff_.outputs[i].name_b, ShapeToString(other.shape)));
      }
      const std::vector<float> values = InLayoutOf(a[i].shape, other, layouts_differ_);
      sums_[i].Add(a[i].values, values);
      whole.Add(a[i].values, values);
      if (!IsScores(a[i].shape)) continue;
      const std::size_t top_a = ArgMax(a[i].values);
      const std::size_t top_b = ArgMax(values);
      auto& same = diff_.outputs[i].same_top1;
      same = same.value_or(0) + (top_a == top_b ? 1 : 0);
      if (top_a != top_b && !sample.top1) sample.top1 = {top_a, top_b};
    }
    sample.diff = whole.Finish();
    KeepWorst(std::move(sample));
    return {};
  }

  void KeepWorst(SampleDiff sample) {
    auto& worst = diff_.worst;
    const auto place =
        std::ranges::upper_bound(worst, sample.diff.relative, std::greater<>(),
                                 [](const SampleDiff& one) { return one.diff.relative; });
    worst.insert(place, std::move(sample));
    if (worst.size() > options_.worst_samples) worst.pop_back();
  }

  Result<> CompareLayers() {
    if (options_.layer_samples == 0) {
      diff_.layers_note = "not asked for";
      return {};
    }
    const std::size_t count = std::min(options_.layer_samples, samples_.size());
    std::vector<TensorDiffSum> sums;
    context_.progress.Begin("compare layers", count, "samples");
    Result<> done = [&]() -> Result<> {
      for (std::size_t index = 0; index < count; ++index) {
        if (context_.cancel.cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
        KENNING_RETURN_IF_ERROR(GetSample(index));
        KENNING_ASSIGN_OR_RETURN(const bool shown, AddLayers(sums));
        if (!shown) return {};
        context_.progress.Update(index + 1);
      }
      return {};
    }();
    context_.progress.End();
    KENNING_RETURN_IF_ERROR(done);
    if (!diff_.layers_note.empty()) return {};
    diff_.layer_samples = count;
    for (std::size_t i = 0; i < sums.size(); ++i) diff_.layers[i].diff = sums[i].Finish();
    FindDivergence();
    return {};
  }

  void FindDivergence() {
    for (std::size_t i = 0; i < diff_.layers.size(); ++i) {
      const TensorDiff& one = diff_.layers[i].diff;
      const bool diverged = one.relative > options_.threshold || one.non_finite > 0;
      if (diverged && !diff_.first_diverged) diff_.first_diverged = i;
      if (!diverged && diff_.first_diverged && !diff_.agrees_again) diff_.agrees_again = i;
    }
  }

  /// false: an engine shows no tensors; the note says which.
  Result<std::optional<std::vector<FloatRunner::Inner>>> InnerOf(
      FloatRunner& runner, const DiffSide& side, std::span<const FloatTensor> sample,
      std::span<const std::string> layouts) {
    auto inner = runner.Intermediates(sample, layouts);
    if (inner) return std::optional(*std::move(inner));
    if (inner.error().code() != ErrorCode::kUnsupported) return Fail(std::move(inner).error());
    diff_.layers_note = fmt::format("{}: {}", side.runtime, inner.error().message());
    return std::optional<std::vector<FloatRunner::Inner>>();
  }

  Result<bool> AddLayers(std::vector<TensorDiffSum>& sums) {
    KENNING_ASSIGN_OR_RETURN(const auto a, InnerOf(a_, diff_.a, sample_a_, layouts_a_));
    if (!a) return false;
    KENNING_ASSIGN_OR_RETURN(const auto b, InnerOf(b_, diff_.b, sample_b_, layouts_b_));
    if (!b) return false;
    if (sums.empty()) {
      MatchLayers(*a, *b);
      sums.resize(matches_.size());
    }
    for (std::size_t i = 0; i < matches_.size(); ++i) {
      const TensorMatch& match = matches_[i];
      if (match.a >= a->size() || match.b >= b->size()) continue;
      const FloatTensor& one = (*a)[match.a].value;
      sums[i].Add(one.values, InLayoutOf(one.shape, (*b)[match.b].value, layouts_differ_));
    }
    return true;
  }

  void MatchLayers(const std::vector<FloatRunner::Inner>& a,
                   const std::vector<FloatRunner::Inner>& b) {
    const auto candidates = [](const std::vector<FloatRunner::Inner>& inner) {
      std::vector<MatchCandidate> list;
      for (const FloatRunner::Inner& one : inner) list.push_back({one.name, one.value.shape});
      return list;
    };
    diff_.tensors_a = a.size();
    diff_.tensors_b = b.size();
    matches_ = MatchTensors(candidates(a), candidates(b), [&](std::size_t i, std::size_t k) {
      TensorDiffSum sum;
      sum.Add(a[i].value.values, InLayoutOf(a[i].value.shape, b[k].value, layouts_differ_));
      return sum.Finish().cosine;
    });
    for (const TensorMatch& match : matches_) {
      diff_.layers.push_back(
          {a[match.a].name, b[match.b].name, match.kind, a[match.a].value.shape, {}});
    }
    if (matches_.empty()) {
      diff_.layers_note = fmt::format(
          "none of the {} tensors inside the first model corresponds to one of the {} inside the "
          "second",
          a.size(), b.size());
    }
  }

  FloatRunner a_;
  FloatRunner b_;
  SampleSource& samples_;
  const DiffOptions& options_;
  AppContext& context_;
  ModelDiff diff_;
  bool layouts_differ_ = false;
  std::vector<std::size_t> inputs_b_;
  std::vector<std::size_t> outputs_b_;
  std::vector<TensorDiffSum> sums_;
  std::vector<FloatTensor> sample_a_;
  std::vector<FloatTensor> sample_b_;
  std::vector<std::string> layouts_a_;
  std::vector<std::string> layouts_b_;
  std::vector<TensorMatch> matches_;
};

}  // namespace

double ModelDiff::max_error() const {
  double largest = 0;
  for (const OutputDiff& output : outputs) {
    largest = std::max(largest, output.diff.max_abs);
    if (output.diff.non_finite > 0) largest = std::numeric_limits<double>::infinity();
  }
  return largest;
}

Result<ModelDiff> CompareModels(const LoadedModel& a, const LoadedModel& b, SampleSource& samples,
                                const DiffOptions& options, AppContext& context) {
  return Comparison(a, b, samples, options, context).Run();
}

}  // namespace kenning
