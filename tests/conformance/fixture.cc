// SPDX-License-Identifier: Apache-2.0
#include "fixture.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace kenning {

void Poison(std::vector<Tensor>& outputs, std::byte byte) {
  for (Tensor& output : outputs) std::fill_n(output.data(), output.size_bytes(), byte);
}

void ConformanceTest::SetUp() {
  ASSERT_EQ(GetParam().problem, "") << GetParam().folder;
  const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::string test = name.substr(0, name.find('/'));
  const nlohmann::json exclusions = Facts().value("exclusions", nlohmann::json::object());
  if (exclusions.contains(test)) {
    GTEST_SKIP() << "excluded: " << exclusions[test].get<std::string>();
  }
  RegisterBuiltinBlocks(registry_);
  const auto info = registry_.Find(BlockCategory::kRuntime, Facts()["runtime"].get<std::string>());
  ASSERT_TRUE(info) << info.error().ToString();
  info_ = *info;
  if (info_->probe && !info_->probe().available) GTEST_SKIP() << info_->probe().reason;
  BlockContext context;
  context.resolve_uri = [](const std::string& uri) -> Result<std::filesystem::path> { return uri; };
  const Params params =
      CaseParams(info_->schema, Facts().value("parameters", nlohmann::json::object()));
  auto runtime = info_->make_runtime(params, context);
  if (!runtime && runtime.error().code() == ErrorCode::kUnavailable) {
    GTEST_SKIP() << runtime.error().ToString();
  }
  ASSERT_TRUE(runtime) << runtime.error().ToString();
  runtime_ = *std::move(runtime);
  ASSERT_TRUE(std::filesystem::exists(ModelPath())) << ModelPath();
}

std::unique_ptr<Session> ConformanceTest::LoadModel() const {
  auto session = runtime_->Load(ModelPath(), Format());
  EXPECT_TRUE(session) << session.error().ToString();
  return session ? *std::move(session) : nullptr;
}

ConformanceTest::Io ConformanceTest::MakeIo(Session& session, std::int64_t rows) const {
  Io io;
  const std::vector<TensorSpec>& specs = session.spec().inputs;
  EXPECT_EQ(specs.size(), Facts()["inputs"].size()) << "inputs of the model and of the case";
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < std::min(specs.size(), Facts()["inputs"].size()); ++i) {
    Shape one = specs[i].shape;
    std::ranges::replace(one, kAnyDim, 1);
    Tensor first = Tensor::Create(specs[i].dtype, one).value();
    FillTensor(Facts()["inputs"][i], GetParam().folder, first);
    Shape shape = one;
    if (rows > 1) shape[0] = rows;
    Tensor all = Tensor::Create(specs[i].dtype, shape).value();
    for (std::size_t k = 0; k < all.size_bytes() / first.size_bytes(); ++k) {
      std::memcpy(all.data() + k * first.size_bytes(), first.data(), first.size_bytes());
    }
    shapes.push_back(std::move(shape));
    io.inputs.push_back(std::move(all));
  }
  const auto resolved = session.ResolveOutputs(shapes);
  EXPECT_TRUE(resolved) << resolved.error().ToString();
  if (!resolved) return io;
  for (const TensorSpec& spec : *resolved) {
    io.outputs.push_back(Tensor::Create(spec.dtype, spec.shape).value());
  }
  for (const Tensor& tensor : io.inputs) io.in.push_back(tensor.view());
  for (Tensor& tensor : io.outputs) io.out.push_back(tensor.mutable_view());
  return io;
}

bool ConformanceTest::LoadsAndAgrees(int invokes) const {
  const auto session = LoadModel();
  if (session == nullptr) return false;
  Io io = MakeIo(*session);
  for (int i = 0; i < invokes; ++i) {
    const auto invoked = session->Invoke(io.in, io.out);
    EXPECT_TRUE(invoked) << invoked.error().ToString();
    if (!invoked) return false;
    ExpectReference(io);
    if (HasFailure()) return false;
  }
  return true;
}

void ConformanceTest::ExpectReference(const Io& io) const {
  const double tolerance = Facts().value("tolerance", 0.0);
  ASSERT_EQ(io.outputs.size(), Facts()["outputs"].size()) << "outputs of the model and of the case";
  for (std::size_t i = 0; i < io.outputs.size(); ++i) {
    const nlohmann::json& values = Facts()["outputs"][i];
    const TensorView got = io.outputs[i].view();
    const std::size_t all = CountElements(got);
    const std::size_t one = values.is_array() ? values.size() : all;
    ASSERT_GT(one, 0U);
    ASSERT_EQ(all % one, 0U) << "output " << i << " has the shape "
                             << ShapeToString(io.outputs[i].shape());
    Tensor expected = Tensor::Create(got.dtype, {static_cast<std::int64_t>(one)}).value();
    FillTensor(values, GetParam().folder, expected);
    double worst = 0;
    std::size_t where = 0;
    for (std::size_t k = 0; k < all; ++k) {
      double error = std::abs(GetElement(got, k) - GetElement(expected.view(), k % one));
      if (std::isnan(error)) error = std::numeric_limits<double>::infinity();
      if (error <= worst) continue;
      worst = error;
      where = k;
    }
    EXPECT_LE(worst, tolerance) << "output " << i << ", element " << where << ": "
                                << GetElement(got, where) << ", expected "
                                << GetElement(expected.view(), where % one);
  }
}

}  // namespace kenning
