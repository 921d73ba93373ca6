// SPDX-License-Identifier: Apache-2.0
#include "tvm_runtime.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include "kenning/base/file.h"

namespace kenning::tvm_engine {
namespace {

const std::filesystem::path kModel =
    std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tvm/testdata/conformance.tar";

Params RuntimeParams(std::map<std::string, ParamValue, std::less<>> given = {}) {
  std::map<std::string, ParamValue, std::less<>> values = {
      {"target_device_context", std::string("cpu")},
      {"num_threads", std::int64_t{0}},
      {"profiling", false},
      {"save_model_path", ParamValue{}}};
  for (auto& [name, value] : given) values[name] = value;
  return Params(std::move(values));
}

std::unique_ptr<Session> LoadOrDie(const SessionSettings& settings = {}) {
  TvmRuntime runtime(settings, {});
  auto session = runtime.Load(kModel, "tvm");
  EXPECT_TRUE(session) << session.error().ToString();
  return session ? *std::move(session) : nullptr;
}

/// Memory for one inference, beginning `offset` bytes after an aligned address.
struct Io {
  explicit Io(const Session& session, std::size_t offset = 0)
      : input(Tensor::Create(DType::kUint8, {1024}).value()),
        output(Tensor::Create(DType::kFloat32, session.spec().outputs[0].shape).value()),
        shape(session.spec().inputs[0].shape) {
    const std::size_t bytes = *ElementCount(shape) * sizeof(float);
    std::vector<float> values(bytes / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.01F * static_cast<float>(i);
    std::memcpy(input.data() + offset, values.data(), bytes);
    in = {{input.data() + offset, bytes, DType::kFloat32, shape}};
    out = {output.mutable_view()};
  }
  Tensor input;
  Tensor output;
  Shape shape;
  std::vector<TensorView> in;
  std::vector<MutableTensorView> out;
};

TEST(TvmRuntimeTest, ParametersAreChecked) {
  const auto cuda =
      TvmRuntime::Make(RuntimeParams({{"target_device_context", std::string("cuda")}}));
  ASSERT_FALSE(cuda);
  EXPECT_EQ(cuda.error().code(), ErrorCode::kUnavailable);
  const auto given =
      TvmRuntime::Make(RuntimeParams({{"save_model_path", std::string("file:///m/x.tar")}}));
  ASSERT_TRUE(given);
  EXPECT_EQ((*given)->model_path(), "/m/x.tar");
  EXPECT_FALSE((*given)->Load(kModel, "onnx"));
}

TEST(TvmRuntimeTest, UnalignedMemoryGivesTheSame) {
  const auto session = LoadOrDie();
  Io aligned(*session);
  Io odd(*session, 4);
  ASSERT_TRUE(session->Invoke(aligned.in, aligned.out));
  ASSERT_TRUE(session->Invoke(odd.in, odd.out));
  ASSERT_TRUE(session->Invoke(odd.in, odd.out));
  EXPECT_EQ(std::memcmp(aligned.output.data(), odd.output.data(), odd.output.size_bytes()), 0);
}

TEST(TvmRuntimeTest, ThreadsDoNotChangeTheResult) {
  const auto one = LoadOrDie({.num_threads = 1});
  const auto many = LoadOrDie({.num_threads = 3});
  Io first(*one);
  Io second(*many);
  // In turns on one thread, and again on another: TVM keeps the number of threads for each.
  const auto both = [&] {
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(one->Invoke(first.in, first.out));
      ASSERT_TRUE(many->Invoke(second.in, second.out));
    }
  };
  both();
  std::thread(both).join();
  EXPECT_EQ(std::memcmp(first.output.data(), second.output.data(), first.output.size_bytes()), 0);
}

TEST(TvmRuntimeTest, ProfileNamesTheOperators) {
  const auto session = LoadOrDie({.profiling = true});
  Io io(*session);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session->Invoke(io.in, io.out));
  const auto profile = session->Profile();
  ASSERT_TRUE(profile);
  ASSERT_FALSE(profile->empty());
  bool convolution = false;
  for (const OperatorProfile& entry : *profile) {
    EXPECT_EQ(entry.calls % 3, 0U) << entry.name;
    convolution = convolution || entry.name.find("conv2d") != std::string::npos;
  }
  EXPECT_TRUE(convolution);
  EXPECT_TRUE(LoadOrDie()->Profile()->empty());
}

TEST(TvmRuntimeTest, OtherShapesAreRefusedWithTheReason) {
  const auto session = LoadOrDie();
  Shape shape = session->spec().inputs[0].shape;
  EXPECT_TRUE(session->ResolveOutputs(std::vector<Shape>{shape}));
  shape[0] = 2;
  const auto resolved = session->ResolveOutputs(std::vector<Shape>{shape});
  ASSERT_FALSE(resolved);
  EXPECT_EQ(resolved.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_FALSE(session->ResolveOutputs({}));
}

}  // namespace
}  // namespace kenning::tvm_engine
