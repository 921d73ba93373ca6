// SPDX-License-Identifier: Apache-2.0
/// \file
/// The target of a scenario: its connection, its clock and its statistics. Made from the scenario's
/// protocol block; connects when it is first needed, and once for all steps of a command.
#pragma once

#include <memory>
#include <string>

#include "app/app.h"
#include "app/remote_session.h"
#include "kenning/core/optimizer.h"
#include "kenning/core/transport.h"
#include "wire/target_client.h"

namespace kenning {

class RemoteTarget {
 public:
  /// `protocol` is the name of the block's class. Borrows `context`. Does not connect.
  RemoteTarget(std::unique_ptr<Transport> transport, std::string protocol, AppContext& context);
  ~RemoteTarget();

  const std::string& name() const { return run_.address; }

  /// Connects, finds out whether the native mode is spoken, and compares the clocks; does nothing
  /// where this was done. \return kTargetLost, kDeadlineExceeded, kUnavailable (busy, wrong token).
  Result<> Open();
  /// Opens where needed.
  Result<wire::TargetClient*> Client();
  /// After Open.
  bool native() const { return run_.native; }

  /// Sends the model, with `runtime` and its parameters where it is given and the target can be
  /// told. The session borrows this object. \return an error of the target's engine, too.
  Result<std::unique_ptr<RemoteSession>> Load(const ModelArtifact& artifact,
                                              const ScenarioBlock* runtime);
  /// Of the loaded model; the name is empty where the target does not tell.
  EngineVersion engine() const;

  /// Has consecutive blocks of the scenario done on the target and writes the result to the last
  /// one's compiled_model_path, with its facts beside it. \return the target's error.
  Result<ModelArtifact> Optimize(std::span<const ScenarioBlock> blocks, const ModelArtifact& input,
                                 const std::string& output_format, const BlockContext& context);

  /// What the target measured itself, for a record: compares the clocks once more and fetches the
  /// statistics (`statistics`). A target that is gone leaves what is known.
  TargetRun Finish(bool statistics);
  /// Ends the session in order.
  void Close();
  /// Leaves a target that is gone: nothing more is asked of it.
  void Abandon() { client_.reset(); }

 private:
  Result<> Connect();
  Result<> ReadClock();
  bool StillThere();

  std::unique_ptr<Transport> transport_;
  AppContext& context_;
  std::unique_ptr<wire::TargetClient> client_;
  std::int64_t last_used_ns_ = 0;
  TargetRun run_;
};

/// From the scenario's protocol block. \return an error of the block's parameters, kUnavailable
/// where the class cannot work here.
Result<std::unique_ptr<RemoteTarget>> MakeRemoteTarget(const ScenarioBlock& protocol,
                                                       BlockContext& blocks, AppContext& context);

/// The text that is sent as IO specification: the file beside the model as it is, else one made
/// from the artifact.
Result<std::string> IoSpecText(const ModelArtifact& artifact);

}  // namespace kenning
