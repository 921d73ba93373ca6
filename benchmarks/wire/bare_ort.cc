// SPDX-License-Identifier: Apache-2.0
// The rival of an agent with a model: a process that does nothing but load an ONNX model with ONNX
// Runtime's C++ interface and run it once. Then it says "ready" and waits until its standard input
// ends.
//   bare_ort MODEL THREADS
#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <vector>

namespace {

void Run(const char* model, int threads) {
  const Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "bare");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(threads);
  Ort::Session session(environment, model, options);
  const Ort::AllocatorWithDefaultOptions allocator;
  const auto input = session.GetInputNameAllocated(0, allocator);
  const auto output = session.GetOutputNameAllocated(0, allocator);
  auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();
  std::size_t count = 1;
  for (auto& dim : shape) {
    if (dim < 1) dim = 1;
    count *= static_cast<std::size_t>(dim);
  }
  std::vector<float> values(count, 0.5F);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeDefault);
  const Ort::Value tensor = Ort::Value::CreateTensor<float>(memory, values.data(), values.size(),
                                                            shape.data(), shape.size());
  const char* inputs[] = {input.get()};
  const char* outputs[] = {output.get()};
  const auto results = session.Run(Ort::RunOptions(), inputs, &tensor, 1, outputs, 1);
  std::puts("ready");
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: bare_ort MODEL THREADS\n");
    return 2;
  }
  try {
    Run(argv[1], std::atoi(argv[2]));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bare_ort: %s\n", error.what());
    return 1;
  }
  return 0;
}
