// SPDX-License-Identifier: Apache-2.0
/// \file
/// How long a run's inferences took, and whose clock says so. Internal to this folder.
#pragma once

#include <string>
#include <vector>

#include "kenning/core/run_record.h"

namespace kenning {

struct InferenceTime {
  double seconds = 0;
  int samples = 1;
};

/// As the host sees them: for a run through a protocol with the transfer both ways.
std::vector<InferenceTime> HostInferences(const RunRecord& run, Phase phase = Phase::kMeasured);
/// Around the engine's call on the target; empty for local runs and where it was not told.
std::vector<InferenceTime> TargetInferences(const RunRecord& run, Phase phase = Phase::kMeasured);
/// What a report calls inference time: around the engine's call wherever that is known, else as the
/// host sees it.
std::vector<InferenceTime> Inferences(const RunRecord& run, Phase phase = Phase::kMeasured);
/// The times alone.
std::vector<double> Seconds(const std::vector<InferenceTime>& inferences);

/// Whether Inferences contains the transfer.
bool ContainsTransfer(const RunRecord& run);
/// Median share of the host's time that did not pass in the engine's call; only where
/// TargetInferences has something.
double TransferShare(const RunRecord& run);
/// The machine that the model ran on: its CPU, or its address where it does not tell.
std::string MachineName(const RunRecord& run);

}  // namespace kenning
