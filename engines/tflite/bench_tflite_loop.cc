// SPDX-License-Identifier: Apache-2.0
// Session::Invoke against a bare loop over TensorFlow Lite's C interface: the same model, the same
// number of threads, in interleaved rounds.
//
//     bench_tflite_loop model.tflite [threads [rounds]]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kenning/base/clock.h"
#include "tflite_session.h"

namespace kenning::tflite {
namespace {

constexpr int kInvokesPerRound = 50;

struct Tensors {
  std::vector<Tensor> inputs;
  std::vector<Tensor> outputs;
  std::vector<TensorView> in;
  std::vector<MutableTensorView> out;
};

Result<Tensors> MakeTensors(Session& session) {
  Tensors tensors;
  std::vector<Shape> shapes;
  for (TensorSpec spec : session.spec().inputs) {
    for (std::int64_t& dim : spec.shape) dim = dim == kAnyDim ? 1 : dim;
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(spec.dtype, spec.shape));
    std::memset(tensor.data(), 0, tensor.size_bytes());
    shapes.push_back(spec.shape);
    tensors.inputs.push_back(std::move(tensor));
  }
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> outputs, session.ResolveOutputs(shapes));
  for (const TensorSpec& spec : outputs) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(spec.dtype, spec.shape));
    tensors.outputs.push_back(std::move(tensor));
  }
  for (const Tensor& tensor : tensors.inputs) tensors.in.push_back(tensor.view());
  for (Tensor& tensor : tensors.outputs) tensors.out.push_back(tensor.mutable_view());
  return tensors;
}

/// The loop that a programmer writes who has nothing but the engine.
void BareInvoke(TfLiteInterpreter* interpreter, const Tensors& tensors) {
  for (std::size_t i = 0; i < tensors.in.size(); ++i) {
    std::memcpy(TfLiteTensorData(
                    TfLiteInterpreterGetInputTensor(interpreter, static_cast<std::int32_t>(i))),
                tensors.in[i].data, tensors.in[i].size_bytes);
  }
  if (TfLiteInterpreterInvoke(interpreter) != kTfLiteOk) std::abort();
  for (std::size_t i = 0; i < tensors.out.size(); ++i) {
    std::memcpy(tensors.out[i].data,
                TfLiteTensorData(
                    TfLiteInterpreterGetOutputTensor(interpreter, static_cast<std::int32_t>(i))),
                tensors.out[i].size_bytes);
  }
}

double Median(std::vector<std::int64_t>& times) {
  std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
  return static_cast<double>(times[times.size() / 2]) * 1e-3;
}

Result<> Run(const std::string& path, int threads, int rounds) {
  const SessionSettings settings{.num_threads = threads};
  KENNING_ASSIGN_OR_RETURN(const std::unique_ptr<Session> session,
                           TfliteSession::Load(path, settings));
  KENNING_ASSIGN_OR_RETURN(std::string bytes, ReadModelBytes(path));
  KENNING_ASSIGN_OR_RETURN(const std::unique_ptr<Interpreter> bare,
                           Interpreter::Create(std::move(bytes), path, settings, nullptr));
  KENNING_ASSIGN_OR_RETURN(const Tensors tensors, MakeTensors(*session));
  std::vector<std::int64_t> ours;
  std::vector<std::int64_t> theirs;
  for (int round = -1; round < rounds; ++round) {
    for (int i = 0; i < kInvokesPerRound; ++i) {
      const std::int64_t start = MonotonicNowNs();
      KENNING_RETURN_IF_ERROR(session->Invoke(tensors.in, tensors.out));
      if (round >= 0) ours.push_back(MonotonicNowNs() - start);
    }
    for (int i = 0; i < kInvokesPerRound; ++i) {
      const std::int64_t start = MonotonicNowNs();
      BareInvoke(bare->get(), tensors);
      if (round >= 0) theirs.push_back(MonotonicNowNs() - start);
    }
  }
  const double a = Median(ours);
  const double b = Median(theirs);
  fmt::print("{}\nSession::Invoke {:.2f} us, bare loop {:.2f} us, {} threads: {:+.2f} %\n", path, a,
             b, threads, (a / b - 1) * 100);
  return {};
}

}  // namespace
}  // namespace kenning::tflite

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: bench_tflite_loop model.tflite [threads [rounds]]\n");
    return 2;
  }
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 40;
  const auto result = kenning::tflite::Run(argv[1], std::max(1, threads), std::max(1, rounds));
  if (result) return 0;
  fmt::print(stderr, "{}\n", result.error().ToString());
  return 1;
}
