// SPDX-License-Identifier: Apache-2.0
#include "torch_runtime.h"

#include <ATen/Context.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "kenning/base/file.h"
#include "torch_model.h"

namespace kenning::libtorch {
namespace {

class TorchRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path Write(const std::string& name, const std::string& source) const {
    torch::jit::Module module("Net");
    at::manual_seed(3);
    module.register_parameter("w", at::randn({4, 3, 3, 3}), false);
    module.register_parameter("f", at::randn({5, 4 * 14 * 14}), false);
    module.define(source);
    module.save((folder_ / name).string());
    return folder_ / name;
  }
  std::unique_ptr<Session> LoadOrDie(const std::filesystem::path& path) {
    auto session = runtime_.Load(path, "torchscript");
    EXPECT_TRUE(session) << session.error().ToString();
    return session ? *std::move(session) : nullptr;
  }

  std::filesystem::path folder_;
  TorchRuntime runtime_{SessionSettings{.num_threads = 1}, ""};
};

TEST_F(TorchRuntimeTest, ShapesFollowFromWeights) {
  const auto any_size = LoadOrDie(Write("any.pt", R"(
def forward(self, image: Tensor) -> Tensor:
    return torch.relu(torch.conv2d(image, self.w))
)"));
  EXPECT_EQ(any_size->spec().inputs[0].name, "image");
  EXPECT_EQ(any_size->spec().inputs[0].shape, (Shape{-1, 3, -1, -1}));
  EXPECT_EQ(any_size->spec().outputs[0].shape, (Shape{-1, 4, -1, -1}));
  const std::vector<Shape> shapes = {{2, 3, 10, 12}};
  EXPECT_EQ(any_size->ResolveOutputs(shapes).value()[0].shape, (Shape{2, 4, 8, 10}));
  const std::vector<Shape> wrong = {{2, 4, 10, 12}};
  EXPECT_FALSE(any_size->ResolveOutputs(wrong));

  const auto one_size = LoadOrDie(Write("one.pt", R"(
def forward(self, image: Tensor) -> Tensor:
    x = torch.max_pool2d(torch.relu(torch.conv2d(image, self.w, None, [1, 1], [1, 1])), [2, 2])
    return torch.linear(torch.flatten(x, 1), self.f)
)"));
  EXPECT_EQ(one_size->spec().inputs[0].shape, (Shape{-1, 3, 28, 28}));
  EXPECT_EQ(one_size->spec().outputs[0].shape, (Shape{-1, 5}));
}

TEST_F(TorchRuntimeTest, UnknownShapesNeedTheFileBeside) {
  const std::filesystem::path path = Write("unknown.pt", R"(
def forward(self, x: Tensor) -> Tensor:
    return x * 2
)");
  const auto refused = runtime_.Load(path, "torchscript");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(refused.error().message().find("unknown.pt.json"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomically(folder_ / "unknown.pt.json", R"({
    "input": [{"name": "x", "shape": [-1, 2], "dtype": "float32"}],
    "output": [{"name": "y", "shape": [-1, 2], "dtype": "float32"}]})"));
  const auto session = LoadOrDie(path);
  EXPECT_EQ(session->spec().outputs[0].name, "y");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "unknown.pt.json", R"({
    "input": [{"name": "x", "shape": [-1, 2], "dtype": "float32"}],
    "output": [{"name": "y", "shape": [-1, 3], "dtype": "float32"}]})"));
  EXPECT_FALSE(runtime_.Load(path, "torchscript"));
}

TEST_F(TorchRuntimeTest, InputsAreNotWrittenTo) {
  const std::filesystem::path path = Write("inplace.pt", R"(
def forward(self, x: Tensor) -> Tensor:
    x += 1.0
    return torch.conv2d(x, self.w)
)");
  const auto session = LoadOrDie(path);
  const std::vector<Shape> shapes = {{1, 3, 4, 4}};
  const auto outputs = session->ResolveOutputs(shapes).value();
  Tensor x = Tensor::Create(DType::kFloat32, shapes[0]).value();
  std::fill_n(x.as<float>().begin(), 48, 2.0F);
  Tensor y = Tensor::Create(DType::kFloat32, outputs[0].shape).value();
  const std::vector<TensorView> in = {x.view()};
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  ASSERT_TRUE(session->Invoke(in, out));
  const float first = y.as<float>()[0];
  ASSERT_TRUE(session->Invoke(in, out));
  EXPECT_EQ(y.as<float>()[0], first);
  EXPECT_EQ(x.as<float>()[0], 2.0F);
}

TEST_F(TorchRuntimeTest, CodeThatReachesForFilesIsRefused) {
  const std::filesystem::path path = Write("files.pt", R"(
def forward(self, x: Tensor) -> Tensor:
    return torch.conv2d(x, self.w) + torch.from_file("/etc/hostname", False, 1)
)");
  const auto refused = runtime_.Load(path, "torchscript");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidModel);
}

TEST_F(TorchRuntimeTest, AnyByteMayBeWrong) {
  const std::filesystem::path model =
      std::filesystem::path(KENNING_SOURCE_DIR) / "engines/libtorch/testdata/conformance.pt";
  const std::string good = ReadFile(model).value();
  const std::filesystem::path bad = folder_ / "bad.pt";
  for (std::size_t at = 0; at < good.size(); at += 211) {
    std::string bytes = good;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x55);
    ASSERT_TRUE(WriteFileAtomically(bad, bytes));
    // Some bytes are weights; no crash is what counts.
    static_cast<void>(runtime_.Load(bad, "torchscript"));
  }
}

TEST_F(TorchRuntimeTest, ProfilesOperators) {
  const std::filesystem::path path = Write("profile.pt", R"(
def forward(self, image: Tensor) -> Tensor:
    return torch.softmax(torch.conv2d(image, self.w), 1)
)");
  TorchRuntime profiling(SessionSettings{.num_threads = 1, .profiling = true}, "");
  const auto session = profiling.Load(path, "torchscript").value();
  const std::vector<Shape> shapes = {{1, 3, 8, 8}};
  const auto outputs = session->ResolveOutputs(shapes).value();
  EXPECT_TRUE(session->Profile().value().empty());
  Tensor x = Tensor::Create(DType::kFloat32, shapes[0]).value();
  std::fill_n(x.data(), x.size_bytes(), std::byte{0});
  Tensor y = Tensor::Create(DType::kFloat32, outputs[0].shape).value();
  const std::vector<TensorView> in = {x.view()};
  const std::vector<MutableTensorView> out = {y.mutable_view()};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(session->Invoke(in, out));
  const auto profile = session->Profile().value();
  ASSERT_GE(profile.size(), 2U);
  EXPECT_TRUE(std::ranges::any_of(
      profile, [](const OperatorProfile& op) { return op.op_type == "softmax" && op.calls == 3; }));
}

}  // namespace
}  // namespace kenning::libtorch
