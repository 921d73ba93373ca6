// SPDX-License-Identifier: Apache-2.0
// The contract of Runtime is checked by the conformance suite; here is what is TensorFlow's own.
#include "tf_runtime.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "kenning/toolchain/toolchain.h"
#include "tf_library.h"

namespace kenning {
void RegisterTensorFlowEngine(Registry& registry);

namespace tensorflow {
namespace {

namespace fs = std::filesystem;

fs::path TestData(const std::string& name) {
  return fs::path(KENNING_SOURCE_DIR) / "engines" / "tensorflow" / "testdata" / name;
}

class TfRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "TensorFlow is not built for sanitizers, which see faults where it has none";
#endif
    if (const auto found = FindTensorFlow(); !found) GTEST_SKIP() << found.error().message();
    folder_ = fs::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    setenv("KENNING_CACHE_DIR", (folder_ / "cache").c_str(), 1);
  }
  void TearDown() override {
    unsetenv("KENNING_CACHE_DIR");
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  static std::unique_ptr<Runtime> MakeRuntime(
      std::map<std::string, ParamValue, std::less<>> given = {}) {
    Registry registry;
    RegisterTensorFlowEngine(registry);
    const BlockInfo* info = registry.Find(BlockCategory::kRuntime, "TensorFlowRuntime").value();
    std::map<std::string, ParamValue, std::less<>> values = DefaultParams(info->schema).values();
    for (auto& [name, value] : given) values[name] = value;
    auto runtime = TensorFlowRuntime::Make(Params(std::move(values)), BlockContext());
    EXPECT_TRUE(runtime) << runtime.error().ToString();
    return *std::move(runtime);
  }

  /// The first output for an input of one value everywhere.
  static std::vector<float> Run(Session& session, std::int64_t batch, float value) {
    Tensor input = Tensor::Create(DType::kFloat32, {batch, 8, 8, 1}).value();
    std::ranges::fill(input.as<float>(), value);
    const std::vector<Shape> shapes = {input.shape()};
    const auto resolved = session.ResolveOutputs(shapes);
    if (!resolved) {
      ADD_FAILURE() << resolved.error().ToString();
      return {};
    }
    Tensor output = Tensor::Create((*resolved)[0].dtype, (*resolved)[0].shape).value();
    const TensorView in = input.view();
    const MutableTensorView out = output.mutable_view();
    const auto invoked = session.Invoke({&in, 1}, {&out, 1});
    EXPECT_TRUE(invoked) << invoked.error().ToString();
    return {output.as<float>().begin(), output.as<float>().end()};
  }

  fs::path folder_;
};

TEST_F(TfRuntimeTest, BatchesOfAnySize) {
  auto session = MakeRuntime()->Load(TestData("conformance_savedmodel"), "savedmodel");
  ASSERT_TRUE(session) << session.error().ToString();
  EXPECT_EQ((*session)->spec().inputs[0].shape, (Shape{kAnyDim, 8, 8, 1}));
  EXPECT_EQ((*session)->spec().inputs[0].layout, "NHWC");
  EXPECT_EQ((*session)->spec().outputs[0].name, "scores");
  const std::vector<float> one = Run(**session, 1, 0.5F);
  const std::vector<float> three = Run(**session, 3, 0.5F);
  ASSERT_EQ(one.size(), 4U);
  ASSERT_EQ(three.size(), 12U);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(one[i], three[8 + i], 1e-6);
}

TEST_F(TfRuntimeTest, MemoryOfAnyAlignment) {
  auto session = MakeRuntime()->Load(TestData("conformance_savedmodel"), "savedmodel");
  ASSERT_TRUE(session) << session.error().ToString();
  const Shape shape = {1, 8, 8, 1};
  std::vector<float> memory(64 + 32);
  const Shape out_shape = {1, 4};
  std::vector<float> scores(4);
  const MutableTensorView out{reinterpret_cast<std::byte*>(scores.data()), 16, DType::kFloat32,
                              out_shape};
  // Every place in a line of 64 bytes, and new values in the same place.
  for (std::size_t offset = 0; offset < 16; ++offset) {
    for (const float value : {0.25F, -1.0F}) {
      float* data = memory.data() + offset;
      std::fill_n(data, 64, value);
      const TensorView in{reinterpret_cast<const std::byte*>(data), 256, DType::kFloat32, shape};
      ASSERT_TRUE((*session)->Invoke({&in, 1}, {&out, 1}));
      const std::vector<float> got = scores;
      EXPECT_EQ(got, Run(**session, 1, value));
    }
  }
}

TEST_F(TfRuntimeTest, KerasFilesRunAndAreConvertedOnce) {
  if (!ToolchainSitePackages("tensorflow")) GTEST_SKIP() << "no toolchain \"tensorflow\"";
  const auto runtime = MakeRuntime();
  auto reference = runtime->Load(TestData("conformance_savedmodel"), "savedmodel");
  ASSERT_TRUE(reference) << reference.error().ToString();
  for (const std::string name : {"small.h5", "small.keras"}) {
    auto session = runtime->Load(TestData(name), "keras");
    ASSERT_TRUE(session) << session.error().ToString();
    EXPECT_EQ((*session)->spec().inputs[0].name, "image");
    EXPECT_EQ((*session)->spec().outputs[0].name, "scores");
    const std::vector<float> expected = Run(**reference, 1, 0.5F);
    const std::vector<float> got = Run(**session, 1, 0.5F);
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 1e-6);
  }
  const fs::path cache = folder_ / "cache" / "models" / "tensorflow";
  std::vector<fs::file_time_type> made;
  for (const auto& entry : fs::directory_iterator(cache)) {
    made.push_back(fs::last_write_time(entry.path() / "saved_model.pb"));
  }
  EXPECT_EQ(made.size(), 2U);
  ASSERT_TRUE(runtime->Load(TestData("small.h5"), "keras"));
  for (const auto& entry : fs::directory_iterator(cache)) {
    const auto time = fs::last_write_time(entry.path() / "saved_model.pb");
    EXPECT_NE(std::ranges::find(made, time), made.end());
  }
}

TEST_F(TfRuntimeTest, BrokenModelsAreErrors) {
  const auto runtime = MakeRuntime();
  const fs::path model = folder_ / "broken";
  fs::copy(TestData("conformance_savedmodel"), model, fs::copy_options::recursive);
  const std::string good = ReadFile(model / "saved_model.pb").value();
  std::string other_operation = good;
  for (std::size_t at = 0; (at = other_operation.find("StatefulPartitionedCall", at)) < good.size();
       ++at) {
    other_operation[at] = 'X';
  }
  const std::vector<std::string> broken = {"",
                                           good.substr(0, good.size() / 2),
                                           good.substr(0, good.size() - 1),
                                           std::string(good.size(), '\xff'),
                                           std::string(1000, '\0'),
                                           other_operation};
  for (const std::string& bytes : broken) {
    std::ofstream(model / "saved_model.pb", std::ios::binary) << bytes;
    const auto session = runtime->Load(model, "savedmodel");
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code(), ErrorCode::kInvalidModel) << session.error().ToString();
  }
  std::ofstream(model / "saved_model.pb", std::ios::binary) << good;
  std::ofstream(model / "variables" / "variables.index") << "no table";
  EXPECT_FALSE(runtime->Load(model, "savedmodel"));
  fs::remove_all(model / "variables");
  EXPECT_FALSE(runtime->Load(model, "savedmodel"));
  EXPECT_EQ(runtime->Load(folder_ / "nowhere", "savedmodel").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(runtime->Load(folder_, "onnx").error().code(), ErrorCode::kUnsupported);
}

TEST_F(TfRuntimeTest, ProfileNamesOperators) {
  auto session =
      MakeRuntime({{"profiling", true}})->Load(TestData("conformance_savedmodel"), "savedmodel");
  ASSERT_TRUE(session) << session.error().ToString();
  Run(**session, 1, 0.5F);
  Run(**session, 1, 0.5F);
  const auto profile = (*session)->Profile();
  ASSERT_TRUE(profile);
  const auto conv = std::ranges::find_if(*profile, [](const OperatorProfile& op) {
    return op.op_type.find("Conv2D") != std::string::npos;
  });
  ASSERT_NE(conv, profile->end());
  EXPECT_GT(conv->total_ns, 0);
}

TEST_F(TfRuntimeTest, ManyThreadsEachWithASession) {
  const auto runtime = MakeRuntime({{"num_threads", std::int64_t{1}}});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&runtime] {
      auto session = runtime->Load(TestData("conformance_savedmodel"), "savedmodel");
      ASSERT_TRUE(session) << session.error().ToString();
      const std::vector<float> first = Run(**session, 1, 0.5F);
      for (int i = 0; i < 20; ++i) EXPECT_EQ(Run(**session, 1, 0.5F), first);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tensorflow
}  // namespace kenning
