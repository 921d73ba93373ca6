// SPDX-License-Identifier: Apache-2.0
// What kenning's loop adds to a bare ONNX Runtime loop on the same model, in one process, in
// alternating rounds:
//   bench_overhead SCENARIO [ROUNDS] [SAMPLES]
// The bare loop is what an application would write: one Ort::Session, one input and one output
// tensor made beforehand, the clock around Session::Run. Both loops load and preprocess the same
// samples between their inferences, outside the clock, so that both find their caches alike. Prints
// the two medians, their ratio and difference with 95 % intervals, and what the rest of kenning's
// loop costs a sample.
#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <numeric>
#include <random>

#include "app/app.h"
#include "app/calibration.h"
#include "app/inference_loop.h"
#include "app/make_blocks.h"
#include "evaluate/classification.h"
#include "kenning/base/clock.h"
#include "measure/statistics.h"

namespace kenning {
namespace {

/// The rival: nothing of kenning inside.
class BareLoop {
 public:
  BareLoop(const std::filesystem::path& model, int threads, std::int64_t batch)
      : session_(env_, model.c_str(), Options(threads)),
        input_name_(session_.GetInputNameAllocated(0, allocator_)),
        output_name_(session_.GetOutputNameAllocated(0, allocator_)) {
    std::vector<std::int64_t> in_shape =
        session_.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    std::vector<std::int64_t> out_shape =
        session_.GetOutputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
    in_shape[0] = batch;
    out_shape[0] = batch;
    input_.resize(Count(in_shape));
    output_.resize(Count(out_shape));
    std::mt19937 generator(1);
    std::normal_distribution<float> normal;
    for (float& value : input_) value = normal(generator);
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
    in_value_ = Ort::Value::CreateTensor<float>(memory, input_.data(), input_.size(),
                                                in_shape.data(), in_shape.size());
    out_value_ = Ort::Value::CreateTensor<float>(memory, output_.data(), output_.size(),
                                                 out_shape.data(), out_shape.size());
  }

  /// `load` puts sample i into the input.
  using Load = std::function<Result<>(std::size_t i, std::span<float> input)>;
  Result<> Run(std::size_t samples, std::vector<double>& seconds, const Load& load) {
    const char* input_name = input_name_.get();
    const char* output_name = output_name_.get();
    for (std::size_t i = 0; i < samples; ++i) {
      KENNING_RETURN_IF_ERROR(load(i, input_));
      const std::int64_t start = MonotonicNowNs();
      session_.Run(Ort::RunOptions{nullptr}, &input_name, &in_value_, 1, &output_name, &out_value_,
                   1);
      seconds.push_back(static_cast<double>(MonotonicNowNs() - start) * 1e-9);
    }
    return {};
  }

 private:
  static Ort::SessionOptions Options(int threads) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    return options;
  }
  static std::size_t Count(const std::vector<std::int64_t>& shape) {
    return static_cast<std::size_t>(
        std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()));
  }

  Ort::Env env_{ORT_LOGGING_LEVEL_FATAL, "bare"};
  Ort::AllocatorWithDefaultOptions allocator_;
  Ort::Session session_;
  Ort::AllocatedStringPtr input_name_;
  Ort::AllocatedStringPtr output_name_;
  std::vector<float> input_;
  std::vector<float> output_;
  Ort::Value in_value_{nullptr};
  Ort::Value out_value_{nullptr};
};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Microseconds of a batch outside of the inference, from a round's log.
void AddOverheads(const MeasurementLog& log, std::vector<double>& seconds) {
  for (std::size_t i = 0; i + kStepCount <= log.observations.size(); i += kStepCount) {
    if (log.observations[i].phase != Phase::kMeasured) continue;
    const Observation& inference = log.observations[i + 2];
    // To the next batch's start: evaluation, progress and the log are part of the loop, too.
    const std::size_t next = i + kStepCount;
    const std::int64_t end = next < log.observations.size() ? log.observations[next].start_ns
                                                            : log.observations[i + 3].end_ns;
    const std::int64_t whole = end - log.observations[i].start_ns;
    seconds.push_back(static_cast<double>(whole - (inference.end_ns - inference.start_ns)) * 1e-9);
  }
}

Result<> Compare(const std::string& scenario_path, int rounds, std::size_t samples) {
  Registry registry;
  RegisterBuiltinBlocks(registry);
  NullProgress progress;
  const CancelToken cancel;
  AppContext context{registry, progress, cancel};
  KENNING_ASSIGN_OR_RETURN(Scenario scenario, LoadScenario(scenario_path, registry));
  KENNING_ASSIGN_OR_RETURN(const Plan plan, MakePlan(std::move(scenario), {.test = true}, context));
  KENNING_ASSIGN_OR_RETURN(const Blocks made, MakeBlocks(plan, context));
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  KENNING_ASSIGN_OR_RETURN(const auto runtime, plan.scenario.runtime->info->make_runtime(
                                                   plan.scenario.runtime->params, blocks));
  const std::filesystem::path model = made.wrapper->model().path;
  KENNING_ASSIGN_OR_RETURN(const auto session, runtime->Load(model, plan.model_format));
  BareLoop bare(model, static_cast<int>(plan.scenario.runtime->params.Int("num_threads")), 1);

  std::vector<SampleId> ids;
  for (std::size_t i = 0; i < samples; ++i) {
    ids.push_back(static_cast<SampleId>(i % made.dataset->size()));
  }
  std::vector<double> bare_seconds;
  std::vector<double> kenning_seconds;
  std::vector<double> overhead_seconds;
  std::vector<double> discarded;
  Batch batch;
  std::vector<Tensor> tensors;
  const BareLoop::Load load = [&](std::size_t i, std::span<float> input) -> Result<> {
    KENNING_RETURN_IF_ERROR(LoadBatch(*made.dataset, std::span(ids).subspan(i, 1), 1, batch));
    KENNING_RETURN_IF_ERROR(made.wrapper->Preprocess(batch, tensors));
    if (tensors[0].size_bytes() != input.size_bytes()) {
      return Fail(ErrorCode::kInvalidScenario, "the samples do not fit the model's input");
    }
    std::memcpy(input.data(), tensors[0].data(), input.size_bytes());
    return {};
  };
  KENNING_RETURN_IF_ERROR(bare.Run(std::min<std::size_t>(20, samples), discarded, load));
  for (int round = 0; round < rounds; ++round) {
    KENNING_RETURN_IF_ERROR(bare.Run(samples, bare_seconds, load));
    std::unique_ptr<Evaluator> evaluator;
    if (made.dataset->info().has_truth) {
      evaluator = MakeClassificationEvaluator(made.dataset->info().class_names);
    }
    MeasurementLog log;
    KENNING_RETURN_IF_ERROR(RunInferenceLoop(
        {*made.dataset, *made.wrapper, *session, made.wrapper->model().spec, evaluator.get()},
        {ids, 3}, progress, cancel, log));
    for (const double value : StepSeconds(log, Step::kInference)) kenning_seconds.push_back(value);
    AddOverheads(log, overhead_seconds);
  }
  const RatioEstimate ratio = CompareLatency(kenning_seconds, bare_seconds);
  const double bare_us = Median(bare_seconds) * 1e6;
  const double kenning_us = Median(kenning_seconds) * 1e6;
  fmt::print("bare loop      median {:.3f} us\n", bare_us);
  fmt::print("kenning        median {:.3f} us\n", kenning_us);
  fmt::print("ratio          {:.4f} [{:.4f}, {:.4f}]\n", ratio.ratio, ratio.interval.low,
             ratio.interval.high);
  fmt::print("difference     {:.3f} us\n", kenning_us - bare_us);
  fmt::print("rest of loop   median {:.3f} us a sample\n", Median(overhead_seconds) * 1e6);
  return {};
}

}  // namespace
}  // namespace kenning

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_overhead SCENARIO [ROUNDS] [SAMPLES]\n");
    return 2;
  }
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 10;
  const int samples = argc > 3 ? std::atoi(argv[3]) : 200;
  const auto result = kenning::Compare(argv[1], std::max(rounds, 1),
                                       static_cast<std::size_t>(std::max(samples, 1)));
  if (result) return 0;
  fmt::print(stderr, "error: {}\n", result.error().ToString());
  return 1;
}
