// SPDX-License-Identifier: Apache-2.0
#include "class_scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <span>

#include "kenning/base/log.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

/// "cat, dog, … (1000)": enough to see what is meant.
std::string FirstOf(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 5;
  if (names.size() <= kShown) return Join(names);
  return fmt::format("{}, … ({})", Join(std::span(names).subspan(0, kShown)), names.size());
}

}  // namespace

Result<ClassScoreReader> ClassScoreReader::Make(const TensorSpec& output,
                                                const std::vector<std::string>& model_classes,
                                                const std::vector<std::string>& dataset_classes,
                                                bool softmax) {
  ClassScoreReader reader;
  reader.softmax_ = softmax;
  const Shape one =
      output.shape.empty() ? Shape{} : Shape(output.shape.begin() + 1, output.shape.end());
  reader.model_count_ = static_cast<std::size_t>(ElementCount(one).value_or(0));
  if (!model_classes.empty() && reader.model_count_ != 0 &&
      model_classes.size() != reader.model_count_) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("{} class names for the model's output \"{}\" {}, which gives {} scores",
                    model_classes.size(), output.name, ToString(output), reader.model_count_));
  }
  if (dataset_classes.empty()) return reader;
  if (!model_classes.empty() && model_classes != dataset_classes) {
    std::map<std::string, std::size_t> positions;
    for (std::size_t i = 0; i < model_classes.size(); ++i) {
      positions.emplace(ToLower(model_classes[i]), i);
    }
    std::vector<std::string> unmatched;
    for (const std::string& name : dataset_classes) {
      const auto it = positions.find(ToLower(name));
      if (it == positions.end()) {
        unmatched.push_back(name);
      } else {
        reader.model_index_.push_back(it->second);
      }
    }
    if (unmatched.empty()) return reader;
    reader.model_index_.clear();
    if (unmatched.size() < dataset_classes.size() ||
        model_classes.size() != dataset_classes.size()) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("the model has no class named {} (its classes: {}); give the model "
                              "wrapper the parameter class_names in the model's own order",
                              Join(unmatched), Join(model_classes)));
    }
    LogWarning(
        "the classes of model and dataset have other names and are taken by position: {} / {}",
        FirstOf(model_classes), FirstOf(dataset_classes));
  }
  if (reader.model_count_ != 0 && reader.model_count_ != dataset_classes.size()) {
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("the model's output \"{}\" {} gives {} scores, the dataset has {} "
                    "classes; choose another model, or name the model's classes with the "
                    "parameter class_names",
                    output.name, ToString(output), reader.model_count_, dataset_classes.size()));
  }
  return reader;
}

Result<> ClassScoreReader::Read(const TensorView& output, const Batch& batch,
                                std::vector<Prediction>& out) const {
  if (output.dtype != DType::kFloat32) {
    return Fail(ErrorCode::kUnsupported, fmt::format("class scores of type {}; float32 is expected",
                                                     DTypeName(output.dtype)));
  }
  const std::span<const float> values = output.as<float>();
  const std::size_t rows = output.shape.empty() ? 1 : static_cast<std::size_t>(output.shape[0]);
  if (rows < batch.valid_count || rows == 0 || values.size() % rows != 0 || values.empty() ||
      (model_count_ != 0 && values.size() / rows != model_count_)) {
    return Fail(ErrorCode::kEngineFailure,
                fmt::format("{} scores for a batch of {}", values.size(), batch.valid_count));
  }
  const std::size_t count = values.size() / rows;
  for (std::size_t row = 0; row < batch.valid_count; ++row) {
    const std::span<const float> scores = values.subspan(row * count, count);
    Prediction prediction;
    prediction.id = batch.ids[row];
    ClassScores picked;
    if (model_index_.empty()) {
      picked.scores.assign(scores.begin(), scores.end());
    } else {
      picked.scores.reserve(model_index_.size());
      for (const std::size_t index : model_index_) picked.scores.push_back(scores[index]);
    }
    for (const float score : picked.scores) prediction.non_finite += std::isfinite(score) ? 0 : 1;
    if (softmax_ && prediction.non_finite == 0) Softmax(picked.scores);
    prediction.value = std::move(picked);
    out.push_back(std::move(prediction));
  }
  return {};
}

void Softmax(std::span<float> scores) {
  const float most = *std::ranges::max_element(scores);
  float sum = 0;
  for (float& score : scores) {
    score = std::exp(score - most);
    sum += score;
  }
  for (float& score : scores) score /= sum;
}

}  // namespace kenning
