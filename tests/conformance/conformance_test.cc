// SPDX-License-Identifier: Apache-2.0
// The contract of Runtime and Session, checked for every case of engines/*/conformance.json.
#include <gtest/gtest.h>
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "fixture.h"

namespace kenning {
namespace {

using Clock = std::chrono::steady_clock;

TEST_P(ConformanceTest, NamesEngineAndVersion) {
  EXPECT_FALSE(runtime_->engine().name.empty());
  EXPECT_FALSE(runtime_->engine().version.empty());
}

TEST_P(ConformanceTest, SpecIsTruthful) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  const ModelSpec& spec = session->spec();
  ASSERT_EQ(spec.inputs.size(), Facts()["inputs"].size());
  ASSERT_EQ(spec.outputs.size(), Facts()["outputs"].size());
  for (const auto* specs : {&spec.inputs, &spec.outputs}) {
    std::set<std::string> names;
    for (const TensorSpec& tensor : *specs) {
      EXPECT_FALSE(tensor.name.empty());
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name << " is there twice";
      EXPECT_NE(tensor.dtype, DType::kString);
      for (const std::int64_t dim : tensor.shape) EXPECT_GE(dim, kAnyDim) << tensor.name;
    }
  }
  Io io = MakeIo(*session);
  ASSERT_EQ(io.outputs.size(), spec.outputs.size());
  for (std::size_t i = 0; i < io.outputs.size(); ++i) {
    EXPECT_EQ(io.outputs[i].dtype(), spec.outputs[i].dtype);
    EXPECT_TRUE(ShapesCompatible(io.outputs[i].shape(), spec.outputs[i].shape))
        << ShapeToString(io.outputs[i].shape()) << " against " << ToString(spec.outputs[i]);
  }
  const auto invoked = session->Invoke(io.in, io.out);
  EXPECT_TRUE(invoked) << invoked.error().ToString();
}

TEST_P(ConformanceTest, OutputsAgreeWithTheReference) { LoadsAndAgrees(3); }

TEST_P(ConformanceTest, OutputsAreWrittenWhole) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  Io io = MakeIo(*session);
  // A byte that both rounds leave as it was differs between them.
  std::vector<Tensor> first;
  Poison(io.outputs, std::byte{0xA5});
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  ExpectReference(io);
  for (const Tensor& output : io.outputs) first.push_back(output.Clone());
  Poison(io.outputs, std::byte{0x5A});
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  ExpectReference(io);
  for (std::size_t i = 0; i < first.size(); ++i) {
    for (std::size_t k = 0; k < first[i].size_bytes(); ++k) {
      const bool untouched =
          first[i].data()[k] == std::byte{0xA5} && io.outputs[i].data()[k] == std::byte{0x5A};
      ASSERT_FALSE(untouched) << "output " << i << ", byte " << k << " was not written";
    }
  }
}

TEST_P(ConformanceTest, ReadsItsInputsAnew) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  Io io = MakeIo(*session);
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  const Tensor before = io.outputs[0].Clone();
  const MutableTensorView input = io.inputs[0].mutable_view();
  const bool quantised = input.dtype != DType::kFloat32;
  for (std::size_t k = 0; k < CountElements(io.in[0]); ++k) {
    const double value = GetElement(io.in[0], k);
    SetElement(input, k, quantised ? value / 2 + static_cast<double>(k % 7) : value * 1.5 + 1);
  }
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  EXPECT_NE(std::memcmp(before.data(), io.outputs[0].data(), before.size_bytes()), 0);
}

TEST_P(ConformanceTest, WrongInputsAreInvalidArguments) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  Io io = MakeIo(*session);
  const Shape& shape = io.inputs[0].shape();
  const DType dtype = io.inputs[0].dtype();
  Shape longer = shape;
  longer.back() += 1;
  Shape deeper = shape;
  deeper.push_back(1);
  const Tensor other_type =
      Tensor::Create(dtype == DType::kInt64 ? DType::kFloat32 : DType::kInt64, shape).value();
  const Tensor other_shape = Tensor::Create(dtype, longer).value();
  const Tensor other_rank = Tensor::Create(dtype, deeper).value();
  for (const Tensor* wrong : {&other_type, &other_shape, &other_rank}) {
    std::vector<TensorView> in = io.in;
    in[0] = wrong->view();
    const auto invoked = session->Invoke(in, io.out);
    ASSERT_FALSE(invoked) << DTypeName(wrong->dtype()) << ShapeToString(wrong->shape());
    EXPECT_EQ(invoked.error().code(), ErrorCode::kInvalidArgument);
  }
  std::vector<TensorView> lying = io.in;
  lying[0].size_bytes -= 1;
  EXPECT_FALSE(session->Invoke(lying, io.out)) << "fewer bytes than the shape says";
  EXPECT_FALSE(session->Invoke({}, io.out)) << "no inputs";
  std::vector<TensorView> more = io.in;
  more.push_back(io.in[0]);
  EXPECT_FALSE(session->Invoke(more, io.out)) << "an input too many";
  EXPECT_TRUE(session->Invoke(io.in, io.out)) << "after the wrong ones";
  ExpectReference(io);
}

TEST_P(ConformanceTest, WrongOutputsAreInvalidArguments) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  Io io = MakeIo(*session);
  const DType dtype = io.outputs[0].dtype();
  Shape longer = io.outputs[0].shape();
  if (longer.empty()) longer = {1};
  longer.back() += 1;
  Tensor other_type = Tensor::Create(dtype == DType::kInt64 ? DType::kFloat32 : DType::kInt64,
                                     io.outputs[0].shape())
                          .value();
  Tensor other_shape = Tensor::Create(dtype, longer).value();
  for (Tensor* wrong : {&other_type, &other_shape}) {
    std::vector<MutableTensorView> out = io.out;
    out[0] = wrong->mutable_view();
    const auto invoked = session->Invoke(io.in, out);
    ASSERT_FALSE(invoked) << DTypeName(wrong->dtype()) << ShapeToString(wrong->shape());
    EXPECT_EQ(invoked.error().code(), ErrorCode::kInvalidArgument);
  }
  std::vector<MutableTensorView> lying = io.out;
  lying[0].size_bytes -= 1;
  EXPECT_FALSE(session->Invoke(io.in, lying)) << "fewer bytes than the shape says";
  EXPECT_FALSE(session->Invoke(io.in, {})) << "no outputs";
  EXPECT_TRUE(session->Invoke(io.in, io.out)) << "after the wrong ones";
  ExpectReference(io);
}

TEST_P(ConformanceTest, OtherFormatsAndMissingFilesAreRefused) {
  const auto other = runtime_->Load(ModelPath(), "no-such-format");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code(), ErrorCode::kUnsupported) << other.error().ToString();
  const auto missing = runtime_->Load(ModelPath().string() + ".missing", Format());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound) << missing.error().ToString();
}

TEST_P(ConformanceTest, ABatchOfTwoIsTwoSamples) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  for (const TensorSpec& input : session->spec().inputs) {
    if (input.shape.empty() || input.shape[0] != kAnyDim) {
      GTEST_SKIP() << "the batch of \"" << input.name << "\" is fixed";
    }
  }
  Io io = MakeIo(*session, 2);
  ASSERT_FALSE(io.outputs.empty());
  EXPECT_EQ(io.outputs[0].shape().at(0), 2);
  const auto invoked = session->Invoke(io.in, io.out);
  ASSERT_TRUE(invoked) << invoked.error().ToString();
  ExpectReference(io);
  Io single = MakeIo(*session, 1);  // And back again.
  ASSERT_TRUE(session->Invoke(single.in, single.out));
  ExpectReference(single);
}

TEST_P(ConformanceTest, TheInspectorAgreesWithTheSession) {
  const InspectorInfo* inspector = registry_.InspectorFor(Format());
  if (inspector == nullptr) GTEST_SKIP() << "no inspector of format " << Format();
  const auto read = inspector->inspect(ModelPath());
  ASSERT_TRUE(read) << read.error().ToString();
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  const auto compare = [](const std::vector<TensorSpec>& a, const std::vector<TensorSpec>& b) {
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      EXPECT_EQ(a[i].dtype, b[i].dtype) << a[i].name << " and " << b[i].name;
      EXPECT_TRUE(ShapesCompatible(a[i].shape, b[i].shape))
          << ToString(a[i]) << " and " << ToString(b[i]);
    }
  };
  compare(read->engine_inputs(), session->spec().inputs);
  compare(read->engine_outputs(), session->spec().outputs);
}

TEST_P(ConformanceTest, TwoSessionsAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([this] { LoadsAndAgrees(50); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ConformanceTest, TwoSessionsTakeTurns) {
  const auto one = LoadModel();
  const auto two = LoadModel();
  ASSERT_TRUE(one != nullptr && two != nullptr);
  Io io_one = MakeIo(*one);
  Io io_two = MakeIo(*two);
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(one->Invoke(io_one.in, io_one.out));
    ASSERT_TRUE(two->Invoke(io_two.in, io_two.out));
    ExpectReference(io_one);
    ExpectReference(io_two);
  }
}

TEST_P(ConformanceTest, ManyThreads) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this] { LoadsAndAgrees(20); });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(ConformanceTest, ASessionMovesBetweenThreads) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  Io io = MakeIo(*session);
  for (int i = 0; i < 3; ++i) {
    std::thread([&] {
      ASSERT_TRUE(session->Invoke(io.in, io.out));
      ExpectReference(io);
    }).join();
  }
}

TEST_P(ConformanceTest, ReloadsTwentyTimes) {
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(LoadsAndAgrees()) << "round " << i;
}

TEST_P(ConformanceTest, ProfileMayBeAskedForAtAnyTime) {
  const auto session = LoadModel();
  ASSERT_NE(session, nullptr);
  EXPECT_TRUE(session->Profile());
  Io io = MakeIo(*session);
  ASSERT_TRUE(session->Invoke(io.in, io.out));
  EXPECT_TRUE(session->Profile());
}

std::int64_t ResidentPages() {
  malloc_trim(0);
  std::ifstream statm("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  statm >> total >> resident;
  return resident;
}

TEST_P(ConformanceTest, MemoryReturnsAfterUnload) {
  const auto cycles = [this](int count, std::chrono::seconds limit) {
    const Clock::time_point end = Clock::now() + limit;
    int done = 0;
    for (; done < count && Clock::now() < end; ++done) {
      const auto session = LoadModel();
      Io io = MakeIo(*session);
      EXPECT_TRUE(session->Invoke(io.in, io.out));
    }
    return done;
  };
  cycles(20, std::chrono::seconds(5));
  const std::int64_t before = ResidentPages();
  const int done = cycles(200, std::chrono::seconds(10));
  // 200 leaked sessions of even 64 kB would be 3200 pages.
  EXPECT_LT(ResidentPages() - before, 2000) << "pages, after " << done << " sessions";
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Engines, ConformanceTest, testing::ValuesIn(AllEngineCases()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace kenning
