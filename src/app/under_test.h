// SPDX-License-Identifier: Apache-2.0
/// \file
/// The model of a test, loaded where the scenario wants it: here, or on the target. What every way
/// of measuring starts from.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "app/app.h"
#include "app/make_blocks.h"
#include "app/remote_session.h"

namespace kenning {

struct ModelUnderTest {
  ModelArtifact artifact;
  EngineVersion engine;              ///< That runs it; the name is empty where a target keeps it.
  std::unique_ptr<Runtime> runtime;  ///< null where the model runs on a target.
  std::unique_ptr<Session> session;
  /// `session` again, where the model runs on a target (Blocks::target): it keeps the target's
  /// times.
  RemoteSession* remote = nullptr;
};

/// Loads the final artifact (of the last optimizer, or the wrapper's model).
Result<ModelUnderTest> LoadModelUnderTest(const Plan& plan, const Blocks& made,
                                          AppContext& context);

/// The ids to evaluate: the test split, or everything where a dataset has no labels to split by;
/// `most` of them at most. \return kInvalidData where there are none.
Result<std::vector<SampleId>> TestIds(const Dataset& dataset, std::optional<std::size_t> most);

/// Runs `work`, which fills the log's observations, between the first and the last reading of this
/// machine; fills in the rest of the log. \return what `work` does.
Result<> MeasureSampled(const Plan& plan, const TestOptions& options, RunRecord& record,
                        const std::function<Result<>()>& work);

/// What a record says of scenario, model and machine, whatever is measured.
RunRecord DescribeRun(const Plan& plan, const TestOptions& options, const Blocks& made,
                      const ModelUnderTest& model);

/// What the target knows of a run whose log is in the record; to be called once, after it.
void AddTargetFacts(const Plan& plan, const Blocks& made, ModelUnderTest& model, RunRecord& record);

}  // namespace kenning
