// SPDX-License-Identifier: Apache-2.0
/// \file
/// Two artifacts on the same samples: where their outputs, and the tensors inside, part.
#pragma once

#include <optional>

#include "app/loaded_model.h"
#include "app/sample_source.h"
#include "evaluate/tensor_diff.h"

namespace kenning {

struct DiffOptions {
  std::size_t worst_samples = 5;
  std::size_t layer_samples = 4;  ///< Samples for the tensors inside; 0: they are not compared.
  double threshold = 0.1;         ///< Relative error from which a layer counts as diverged.
};

/// One side, for people and for JSON.
struct DiffSide {
  std::string path;
  std::string format;
  std::string runtime;
  EngineVersion engine;
  std::uint64_t size_bytes = 0;
};

struct OutputDiff {
  std::string name_a;
  std::string name_b;
  TensorSpec spec_a;
  TensorSpec spec_b;
  TensorDiff diff;
  /// Samples whose largest element is the same one; empty where an output is no list of scores.
  std::optional<std::uint64_t> same_top1;
};

struct SampleDiff {
  std::string name;
  TensorDiff diff;                                          ///< Over all outputs.
  std::optional<std::pair<std::size_t, std::size_t>> top1;  ///< Of a and b, where they differ.
};

struct LayerDiff {
  std::string name_a;
  std::string name_b;
  MatchKind match = MatchKind::kName;
  Shape shape;  ///< As in a.
  TensorDiff diff;
};

struct ModelDiff {
  DiffSide a;
  DiffSide b;
  std::string samples;
  std::size_t sample_count = 0;
  double threshold = 0;
  std::vector<OutputDiff> outputs;
  std::vector<SampleDiff> worst;  ///< Largest relative error first.
  std::vector<LayerDiff> layers;  ///< In the order of a.
  std::size_t layer_samples = 0;
  std::size_t tensors_a = 0;  ///< Inside the models, paired or not.
  std::size_t tensors_b = 0;
  std::string layers_note;  ///< Why there are none.
  std::optional<std::size_t> first_diverged;
  /// The first layer after that one which has not: then it may be no pair in truth.
  std::optional<std::size_t> agrees_again;
  /// The largest absolute error of any output.
  double max_error() const;
};

/// Borrows the models for the call. \return kInvalidArgument where inputs or outputs do not
/// correspond, kCancelled, and what the engines give.
Result<ModelDiff> CompareModels(const LoadedModel& a, const LoadedModel& b, SampleSource& samples,
                                const DiffOptions& options, AppContext& context);

/// Plain text tables.
std::string DescribeDiff(const ModelDiff& diff);
/// The same facts, all layers included. Infinite figures are null.
std::string DiffToJson(const ModelDiff& diff);

}  // namespace kenning
