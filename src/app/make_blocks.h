// SPDX-License-Identifier: Apache-2.0
/// \file
/// From a plan to live objects.
#pragma once

#include <memory>

#include "app/app.h"
#include "app/remote_target.h"

namespace kenning {

/// The objects that optimize and test share. Made in this order; the wrapper borrows the dataset.
struct Blocks {
  std::unique_ptr<Platform> platform;
  std::unique_ptr<Dataset> dataset;  ///< null where the scenario has none.
  std::unique_ptr<ModelWrapper> wrapper;
  std::unique_ptr<RemoteTarget> target;  ///< null where nothing runs on a target.
};

/// The model format that a path or URI names; empty where this build knows none.
std::string FormatOfUri(const std::string& uri, const Registry& registry);

/// What block factories may use; borrows `context` and `platform`.
BlockContext MakeBlockContext(AppContext& context, const Platform* platform);

/// The scenario's platform, or this machine.
Result<std::unique_ptr<Platform>> MakePlatform(const Scenario& scenario, AppContext& context);

/// Makes and prepares the blocks (the dataset may be downloaded here), and connects to the target
/// where a step of the plan needs it. Checks that the dataset's
/// samples fit the model before any other work.
Result<Blocks> MakeBlocks(const Plan& plan, AppContext& context);

}  // namespace kenning
