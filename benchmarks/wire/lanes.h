// SPDX-License-Identifier: Apache-2.0
/// \file
/// The same model here and on an agent of this machine, one sample at a time, measured in
/// alternating rounds.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent_process.h"
#include "kenning/core/artifact.h"
#include "kenning/core/runtime.h"

namespace kenning::bench {

/// A model in a runtime of this process.
struct LocalModel {
  ModelArtifact artifact;
  std::unique_ptr<Runtime> runtime;
  std::unique_ptr<Session> session;
};
/// In the runtime's default settings. `runtime`: NullRuntime or ONNXRuntime.
Result<LocalModel> LoadHere(const std::filesystem::path& path, const std::string& format,
                            const std::string& runtime);

/// One way to do the work. `once` is what the clock is around.
struct Lane {
  std::string name;
  std::function<Result<>()> once;
  std::vector<double> rounds_us = {};  ///< Median of each round.
};

/// Runs every lane for `samples` calls, one lane after another, `rounds` times; before that each
/// once for warming up.
Result<> Measure(std::vector<Lane*> lanes, int rounds, int samples);

/// Tensors of a model, filled with one value.
class Tensors {
 public:
  static Result<Tensors> Make(Session& session);
  std::span<const TensorView> inputs() const { return inputs_; }
  std::span<const MutableTensorView> outputs() const { return outputs_; }
  std::size_t input_bytes() const;

 private:
  std::vector<Tensor> storage_;
  std::vector<TensorView> inputs_;
  std::vector<MutableTensorView> outputs_;
};

/// A model on an agent of its own.
class RemoteModel {
 public:
  static Result<std::unique_ptr<RemoteModel>> Load(const std::filesystem::path& agent,
                                                   const LocalModel& model, NativeMode native,
                                                   std::vector<std::string> agent_options = {});
  Result<> Invoke(const Tensors& tensors);
  wire::TargetClient& client() { return *client_; }
  const AgentProcess& agent() const { return *agent_; }

 private:
  std::unique_ptr<AgentProcess> agent_;
  std::unique_ptr<wire::TargetClient> client_;
};

}  // namespace kenning::bench
