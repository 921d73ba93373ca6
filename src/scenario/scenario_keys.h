// SPDX-License-Identifier: Apache-2.0
/// \file
/// The top-level keys of scenario files: the one list that the reader, the overrides and the JSON
/// Schema share.
#pragma once

#include <array>
#include <string_view>

#include "kenning/registry/registry.h"

namespace kenning::scenario {

struct BlockKey {
  const char* name;
  BlockCategory category;
  bool is_list;
  const char* description;
};
inline constexpr auto kBlockKeys = std::to_array<BlockKey>({
    {"platform", BlockCategory::kPlatform, false, "The device under test."},
    {"dataset", BlockCategory::kDataset, false, "Where the samples come from."},
    {"model_wrapper", BlockCategory::kModelWrapper, false,
     "The model, and how samples become its inputs and its outputs become predictions."},
    {"optimizers", BlockCategory::kOptimizer, true, "What is done to the model, in this order."},
    {"runtime", BlockCategory::kRuntime, false, "What runs the model."},
    {"protocol", BlockCategory::kProtocol, false, "How the host talks to the target."},
    {"runtime_builder", BlockCategory::kRuntimeBuilder, false, "What builds the target's runtime."},
    {"report", BlockCategory::kReport, false, "What is written about the run."},
});

/// Older spellings of block keys.
struct OldKey {
  const char* old_name;
  const char* name;
};
inline constexpr auto kOldKeys = std::to_array<OldKey>({
    {"runtime_protocol", "protocol"},
    {"runtimeprotocol", "protocol"},
    {"modelwrapper", "model_wrapper"},
});

/// Keys that Kenning's files may have and that change nothing here.
inline constexpr auto kUnusedKeys =
    std::to_array<std::string_view>({"$schema", "name", "description", "dataconverter",
                                     "data_converter", "inference_loop", "model_name"});

/// The current name of a block's key; the name itself where it is not an old one.
std::string_view ModernKey(std::string_view key);
/// null where the key is no block's.
const BlockKey* FindBlockKey(std::string_view key);

}  // namespace kenning::scenario
