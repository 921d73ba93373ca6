// SPDX-License-Identifier: Apache-2.0
/// \file
/// What a target says of itself (HELLO of docs/formats/wire.md), taken from JSON that nobody
/// vouches for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace kenning {

struct TargetDescription {
  struct Engine {
    std::string engine;  ///< "onnxruntime"
    std::string version;
    std::string runtime;  ///< The block: "ONNXRuntime".
    std::vector<std::string> formats;
  };
  std::string agent_version;
  std::string authentication;  ///< "none", "token"
  std::vector<Engine> engines;
  std::string cpu_model;
  std::string architecture;
  std::uint64_t cores = 0;
  std::vector<std::string> features;
  std::uint64_t memory_bytes = 0;
  std::string kernel;
  std::string user;
  std::optional<std::vector<std::string>> sandbox;  ///< Layers; empty: the target does not say.
  std::optional<bool> optimizers_allowed;
  std::optional<std::uint64_t> store_used_bytes;
  std::optional<std::uint64_t> store_max_bytes;
  std::optional<std::uint64_t> max_model_bytes;
};

/// What is missing or of another type stays empty; texts are cut and have no control characters.
TargetDescription DescriptionFromHello(const std::string& json);

}  // namespace kenning
