// SPDX-License-Identifier: Apache-2.0
#include "sample_record.h"

#include <array>
#include <limits>

namespace kenning {
namespace {

TensorSpec MakeSpec(const char* name, DType dtype, Shape shape) {
  TensorSpec spec;
  spec.name = name;
  spec.dtype = dtype;
  spec.shape = std::move(shape);
  return spec;
}

ModelArtifact MakeArtifact() {
  ModelArtifact artifact;
  artifact.path = "out/a model.int8.onnx";
  artifact.format = "onnx";
  artifact.sha256 = std::string(64, 'a');
  artifact.size_bytes = 114'317;
  TensorSpec input = MakeSpec("input", DType::kFloat32, {kAnyDim, 1, 28, 28});
  input.layout = "NCHW";
  input.mean = {0.2860F};
  input.stddev = {0.3530F};
  TensorSpec processed = MakeSpec("input", DType::kInt8, {kAnyDim, 1, 28, 28});
  processed.quant = QuantParams{{0.0078125F, 1.5e-42F}, {-128, 127}, 1};
  processed.prequantized_dtype = DType::kFloat32;
  processed.order = 2;
  TensorSpec output = MakeSpec("scores", DType::kFloat32, {kAnyDim, 3});
  output.class_names = {"shirt", "coat", "bag"};
  artifact.spec = {{input}, {processed}, {output}, {output}};
  ProvenanceStep step;
  step.block = "ONNXQuantizer";
  step.framework = "onnx";
  step.version = "0.1.0";
  step.parameters = {{"method", "\"minmax\""}, {"per_channel", "true"}};
  step.notes = {"7-bit weights in 2 of 5 layers: this CPU saturates"};
  step.duration_s = 1.0 / 3;
  step.finished_at = "2026-01-31T12:00:00Z";
  artifact.provenance = {step};
  return artifact;
}

Environment MakeEnvironment() {
  Environment environment;
  environment.platform = {"board",         "A CPU @ 2.00GHz", "x86_64",    2,
                          {"avx2", "fma"}, 8'000'000'000,     "Linux 6.1", {{"soc", "x"}}};
  environment.governor = "performance";
  environment.load_average_1min = 0.1F;
  environment.kenning_version = "0.1.0";
  environment.git_revision = "0123456789ab";
  environment.started_at = "2026-01-31T12:00:00Z";
  environment.versions = {{"kenning", "0.1.0"}, {"onnxruntime", "1.31.1"}};
  environment.warnings = {"load average 3.1 on 2 cores"};
  return environment;
}

MeasurementLog MakeLog(std::size_t samples) {
  constexpr std::array<std::int64_t, kStepCount> kDurations = {4'000, 2'000, 150'000, 1'000};
  MeasurementLog log;
  log.started_ns = 8'123'456'789'012;
  std::int64_t now = log.started_ns + 17;
  const std::size_t warm_up = 2;
  for (std::size_t i = 0; i < samples + warm_up; ++i) {
    const bool measured = i >= warm_up;
    for (int step = 0; step < kStepCount; ++step) {
      const std::int64_t wobble = static_cast<std::int64_t>(i * 7919 % 101) * 10;
      const std::int64_t end = now + kDurations[static_cast<std::size_t>(step)] + wobble;
      log.observations.push_back({now, end, static_cast<std::uint32_t>(measured ? i - warm_up : 0),
                                  1, static_cast<Step>(step),
                                  measured ? Phase::kMeasured : Phase::kWarmUp});
      now = end;
    }
  }
  log.ended_ns = now + 5;
  for (int i = 0; i < 3; ++i) {
    const auto step = static_cast<float>(i);
    log.system.push_back({log.started_ns + i * 100'000'000,
                          {10.1F + step, 99.9F},
                          7.3F,
                          50'000'000U + static_cast<std::uint64_t>(i),
                          2400.5F,
                          51.25F});
  }
  log.process_peak_resident_bytes = 60'000'001;
  log.complete = true;
  return log;
}

ClassificationEvaluation MakeEvaluation(std::size_t samples, std::size_t right) {
  ClassificationEvaluation evaluation;
  evaluation.class_names = {"shirt", "coat", "bag"};
  evaluation.confusion.assign(3, std::vector<std::uint64_t>(3, 0));
  for (std::size_t i = 0; i < samples; ++i) {
    const std::size_t truth = i % 3;
    const std::size_t predicted = i * 37 % 100 < right ? truth : (truth + 1) % 3;
    evaluation.ids.push_back(static_cast<SampleId>(i));
    evaluation.truth.push_back(static_cast<std::int32_t>(truth));
    evaluation.predicted.push_back(static_cast<std::int32_t>(predicted));
    ++evaluation.confusion[truth][predicted];
    ++evaluation.total;
    ++evaluation.top5_correct;
  }
  return evaluation;
}

}  // namespace

RunRecord MakeSampleRecord(std::size_t samples, std::size_t right) {
  RunRecord record;
  record.name = "int8";
  record.scenario_json =
      R"({"dataset":{"parameters":{"inference_batch_size":1},"type":"FashionMNISTDataset"}})";
  record.scenario_path = "scenario.json";
  record.command = {"kenning", "test", "--cfg", "a scenario.json"};
  record.environment = MakeEnvironment();
  record.artifact = MakeArtifact();
  record.original_size_bytes = 412'000;
  record.model_framework = "onnx 1.19";
  record.dataset_name = "FashionMNISTDataset";
  record.split_name = "test";
  record.batch_size = 1;
  record.engine = {"onnxruntime", "1.31.1"};
  record.log = MakeLog(samples);
  record.evaluation = MakeEvaluation(samples, right);
  record.profile = {{"conv1", "Conv", 123'456'789'012'345, samples}};
  return record;
}

}  // namespace kenning
