// SPDX-License-Identifier: Apache-2.0
/// \file
/// A small made-up run for this folder's tests.
#pragma once

#include <cmath>
#include <string>

#include "kenning/core/run_record.h"

namespace kenning::testing_record {

/// `samples` inferences around `milliseconds`; every tenth sample is wrong, and every
/// `also_wrong`-th.
inline RunRecord MakeRun(const std::string& name, double milliseconds, int samples = 1000,
                         int also_wrong = 0) {
  RunRecord run;
  run.name = name;
  run.command = {"kenning", "test", "--cfg", name + ".json"};
  run.scenario_json = R"({"runtime":{"type":"ONNXRuntime"},"name":")" + name + "\"}";
  run.scenario_path = name + ".json";
  run.dataset_name = "Fashion";
  run.split_name = "test";
  run.model_framework = "onnx 17";
  run.engine = {"onnxruntime", "1.31.1"};
  run.artifact.path = name + ".onnx";
  run.artifact.format = "onnx";
  run.artifact.sha256 = std::string(64, 'a');
  run.artifact.size_bytes = milliseconds > 0.75 ? 400000 : 100000;
  run.artifact.provenance = {{"ONNXQuantizer",
                              "kenning",
                              "0.1.0",
                              {{"calibration_method", "mse"}},
                              {"7-bit weights in 2 of 9 layers"},
                              1.25,
                              "2026-01-01T00:00:00Z"}};
  TensorSpec input;
  input.name = "input";
  input.shape = {kAnyDim, 1, 28, 28};
  input.quant = QuantParams{{0.5F, 0.25F}, {1, -2}, 1};
  input.order = 0;
  run.artifact.spec.inputs = {input};
  run.artifact.spec.outputs = {input};
  run.environment.platform.cpu_model = "Test CPU";
  run.environment.platform.logical_cores = 2;
  run.environment.platform.features = {"avx2"};
  run.environment.kenning_version = "0.1.0";
  run.environment.started_at = "2026-01-01T00:00:00Z";
  run.environment.versions = {{"onnxruntime", "1.31.1"}};
  run.original_size_bytes = 400000;
  run.log.started_ns = 1'000'000'000;
  run.log.complete = true;
  run.log.process_peak_resident_bytes = 50'000'000;
  ClassificationEvaluation e;
  e.class_names = {"shirt", "coat", "bag"};
  e.confusion.assign(3, std::vector<std::uint64_t>(3, 0));
  std::int64_t now = run.log.started_ns;
  for (int i = -3; i < samples; ++i) {
    const Phase phase = i < 0 ? Phase::kWarmUp : Phase::kMeasured;
    const double noise = 1 + 0.05 * std::sin(i * 12.9898) + (i % 97 == 0 ? 0.5 : 0.0);
    for (int step = 0; step < kStepCount; ++step) {
      const auto length = static_cast<std::int64_t>(
          step == static_cast<int>(Step::kInference) ? milliseconds * 1e6 * noise : 2000);
      run.log.observations.push_back({now, now + length, static_cast<std::uint32_t>(std::max(i, 0)),
                                      1, static_cast<Step>(step), phase});
      now += length;
    }
    if (i < 0) continue;
    const std::int32_t truth = i % 3;
    const bool wrong = i % 10 == 0 || (also_wrong > 0 && i % also_wrong == 1);
    const std::int32_t predicted = wrong ? (truth + 1) % 3 : truth;
    e.ids.push_back(static_cast<SampleId>(i));
    e.truth.push_back(truth);
    e.predicted.push_back(predicted);
    ++e.confusion[static_cast<std::size_t>(truth)][static_cast<std::size_t>(predicted)];
    ++e.total;
    ++e.top5_correct;
  }
  run.evaluation = e;
  run.log.ended_ns = now;
  for (int i = 0; i < 30; ++i) {
    run.log.system.push_back({run.log.started_ns + i * 100'000'000LL,
                              {50 + 45 * std::sin(static_cast<float>(i)), 30.0F},
                              40.0F,
                              40'000'000U + static_cast<std::uint64_t>(i) * 200'000U,
                              2800.0F,
                              55.0F});
  }
  run.profile = {{"conv0", "Conv", 5'000'000, 1000}};
  return run;
}

/// Sensors of energy, power, frequency and a GPU over the run's readings: 20 W for its 2.9 s, a
/// counter that only root may read, and two times that the processor was throttled.
inline void AddSensors(RunRecord& run) {
  run.log.sensors = {{"package-0", SensorKind::kEnergy, "powercap", "", 6.1e-5, 1e-3},
                     {"dram", SensorKind::kEnergy, "powercap", "no permission to read it", 0, 0},
                     {"cores", SensorKind::kThrottleEvents, "thermal_throttle", "", 1, 0},
                     {"gpu0 X", SensorKind::kUtilization, "nvml", "", 1, 0},
                     {"gpu0 X", SensorKind::kMemory, "nvml", "", 0, 0}};
  double joules = 0;
  double events = 3;
  for (SystemReading& reading : run.log.system) {
    reading.memory_used_bytes = 1000;
    reading.values = {joules, std::nan(""), events, 42, 12.5};
    joules += 2;
    if (joules > 10) events = 5;
  }
}

}  // namespace kenning::testing_record
