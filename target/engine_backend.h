// SPDX-License-Identifier: Apache-2.0
/// \file
/// EngineBackend: what requests mean, over the engines of this build. Lives in a session's process.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent_options.h"
#include "kenning/base/log.h"
#include "measure/sampler.h"
#include "model_store.h"
#include "session_page.h"
#include "wire/target_server.h"

namespace kenning::target {

/// What a backend works with; all outlive it.
struct BackendContext {
  const Registry& registry;
  const AgentOptions& options;
  FileModelStore& store;
  std::filesystem::path scratch;                        ///< The session's own folder.
  SessionPage* page = nullptr;                          ///< May be null.
  std::vector<std::string> sandbox_layers;              ///< For HELLO.
  std::function<void(LogLevel, std::string_view)> log;  ///< To the client; may be empty.
};

class EngineBackend final : public wire::TargetBackend {
 public:
  explicit EngineBackend(BackendContext context);
  ~EngineBackend() override;

  Result<wire::LoadedModel> Load(const wire::LoadRequest& request) override;
  Result<std::vector<TensorSpec>> Resolve(std::span<const Shape> input_shapes) override;
  Result<> Invoke(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                  wire::InferTimes& times) override;
  Result<std::string> Statistics(bool native) override;
  Result<std::vector<OperatorProfile>> Profile() override;
  Result<std::string> Optimize(const std::string& request_json) override;
  std::string Describe() override;

 private:
  struct Source {
    std::filesystem::path path;
    std::string format;
  };
  Result<Source> PrepareSource(const wire::LoadRequest& request);
  Result<Params> ParamsFor(const BlockInfo& runtime, const wire::LoadRequest& request) const;
  Result<> KeepCopy(const std::filesystem::path& model, const Params& params);
  Result<std::unique_ptr<Platform>> MakePlatform();
  Result<std::string> AnswerFor(const ModelArtifact& artifact);
  void Log(LogLevel level, std::string_view text);

  BackendContext context_;
  BlockContext blocks_;
  CancelToken cancel_;
  NullProgress progress_;
  std::unique_ptr<Platform> platform_;
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<Session> session_;
  std::unique_ptr<SystemSampler> sampler_;  ///< While a model is there, unless it was unwanted.
};

/// The runtimes that take a format, best first: those for which it comes first, then by name.
std::vector<const BlockInfo*> RuntimesOf(const Registry& registry, const std::string& format);

/// Checks what the client says of a model against what the engine sees: number, types and sizes of
/// inputs and outputs. \return kInvalidModel naming the tensor.
Result<> CheckIoSpec(const ModelSpec& said, const ModelSpec& seen);

/// A runtime's parameters: defaults, then the configuration's, then the client's (a JSON object).
/// A client may not name files or libraries of the target: kFailedPrecondition.
Result<Params> RuntimeParams(const BlockInfo& runtime, const ConfiguredBlock* configured,
                             const std::string& client_json);

}  // namespace kenning::target
