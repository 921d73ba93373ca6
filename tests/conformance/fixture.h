// SPDX-License-Identifier: Apache-2.0
/// \file
/// What every conformance test starts with: the case's runtime, a session, and the reference.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "engine_case.h"

namespace kenning {

class ConformanceTest : public testing::TestWithParam<EngineCase> {
 protected:
  /// Skips where the case excludes the test, or the engine is not available here.
  void SetUp() override;

  /// Tensors of one invoke; the views point into them.
  struct Io {
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;
    std::vector<TensorView> in;
    std::vector<MutableTensorView> out;
  };

  const nlohmann::json& Facts() const { return GetParam().facts; }
  std::string Format() const { return Facts()["format"].get<std::string>(); }
  std::filesystem::path ModelPath() const {
    return GetParam().folder / Facts()["model"].get<std::string>();
  }
  /// Null after a failure, which is recorded.
  std::unique_ptr<Session> LoadModel() const;
  /// Tensors with the reference's inputs, `rows` times where the batch is dynamic.
  Io MakeIo(Session& session, std::int64_t rows = 1) const;
  /// Loads, invokes and compares: one use of a model. False after a failure.
  bool LoadsAndAgrees(int invokes = 1) const;
  /// Every row of `io` against the reference's outputs.
  void ExpectReference(const Io& io) const;

  Registry registry_;
  const BlockInfo* info_ = nullptr;
  std::unique_ptr<Runtime> runtime_;
};

/// Fills every output with one byte.
void Poison(std::vector<Tensor>& outputs, std::byte byte);

}  // namespace kenning
