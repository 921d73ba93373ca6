// SPDX-License-Identifier: Apache-2.0
#include "saved_model.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"
#include "wire_reader.h"

namespace kenning::tensorflow {
namespace {

// Messages by hand: a field of bytes, a field of a number below 128.
std::string Bytes(int number, const std::string& bytes) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(bytes.size())} + bytes;
}
std::string Small(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}

std::string TensorInfo(const std::string& name, int type, const std::string& shape) {
  return Bytes(1, name) + Small(2, type) + Bytes(3, shape);
}
std::string Entry(const std::string& key, const std::string& value) {
  return Bytes(1, key) + Bytes(2, value);
}
const std::string kPair = Bytes(2, Small(1, 1)) + Bytes(2, Small(1, 3));

/// A file of one graph with one signature.
std::string Model(const std::string& key, const std::string& signature) {
  const std::string graph =
      Bytes(1, Bytes(4, "serve")) + Bytes(2, "") + Bytes(5, Entry(key, signature));
  return Small(1, 1) + "\x12" + static_cast<char>(graph.size() % 128 | 128) +
         static_cast<char>(graph.size() / 128) + graph;
}

TEST(WireReaderTest, RefusesWhatIsNoMessage) {
  for (const std::string& bytes : {std::string("\x08", 1),
                                   std::string("\x0a\x05"
                                               "zy",
                                               4),
                                   std::string("\x0b", 1), std::string("\x00\x00", 2),
                                   std::string(12, '\xff'), std::string("\x0d\x01\x02", 3)}) {
    WireReader reader(bytes);
    while (reader.Next()) {
    }
    EXPECT_FALSE(reader.ok());
  }
}

TEST(WireReaderTest, ReadsEveryKind) {
  const std::string bytes(
      "\x08\x96\x01\x15\x01\x00\x00\x00\x1a\x02"
      "hi\x21\x02\0\0\0\0\0\0\0",
      21);
  WireReader reader(bytes);
  EXPECT_EQ(reader.Next()->value, 150U);
  EXPECT_EQ(reader.Next()->value, 1U);
  EXPECT_EQ(reader.Next()->bytes, "hi");
  EXPECT_EQ(reader.Next()->value, 2U);
  EXPECT_FALSE(reader.Next());
  EXPECT_TRUE(reader.ok());
}

TEST(SavedModelTest, ReadsTheSignatureOfAModel) {
  const auto spec = InspectSavedModel(std::filesystem::path(KENNING_SOURCE_DIR) /
                                      "engines/tensorflow/testdata/conformance_savedmodel");
  ASSERT_TRUE(spec) << spec.error().ToString();
  ASSERT_EQ(spec->inputs.size(), 1U);
  EXPECT_EQ(spec->inputs[0].name, "image");
  EXPECT_EQ(ToString(spec->inputs[0]), "float32[-1, 8, 8, 1]");
  ASSERT_EQ(spec->outputs.size(), 1U);
  EXPECT_EQ(ToString(spec->outputs[0]), "float32[-1, 4]");
}

TEST(SavedModelTest, NumbersInNamesCount) {
  std::string signature;
  for (const std::string name : {"x_10", "x_2", "a"}) {
    signature += Bytes(1, Entry(name, TensorInfo("op:1", 1, kPair)));
  }
  signature += Bytes(2, Entry("y", TensorInfo("out", 9, kPair)));
  const auto parsed = ParseSignature(Model("serving_default", signature));
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  EXPECT_EQ(parsed->inputs[0].spec.name, "a");
  EXPECT_EQ(parsed->inputs[1].spec.name, "x_2");
  EXPECT_EQ(parsed->inputs[2].spec.name, "x_10");
  EXPECT_EQ(parsed->inputs[0].operation, "op");
  EXPECT_EQ(parsed->inputs[0].index, 1);
  EXPECT_EQ(parsed->outputs[0].spec.dtype, DType::kInt64);
  EXPECT_EQ(parsed->tags, std::vector<std::string>{"serve"});
}

TEST(SavedModelTest, SaysWhatItCannotCarry) {
  const auto code = [](const std::string& key, const std::string& tensor) {
    const auto parsed = ParseSignature(Model(key, Bytes(2, Entry("y", tensor))));
    return parsed ? ErrorCode::kInternal : parsed.error().code();
  };
  EXPECT_EQ(code("serving_default", TensorInfo("op:0", 7, kPair)), ErrorCode::kUnsupported);
  EXPECT_EQ(code("serving_default", TensorInfo("op:0", 1, Small(3, 1))), ErrorCode::kUnsupported);
  EXPECT_EQ(code("serving_default", Small(2, 1)), ErrorCode::kUnsupported);
  EXPECT_EQ(code("__saved_model_init_op", TensorInfo("op:0", 1, kPair)), ErrorCode::kUnsupported);
  EXPECT_EQ(code("serving_default", TensorInfo("op:x", 1, kPair)), ErrorCode::kInvalidModel);
  EXPECT_EQ(code("serving_default", TensorInfo("op:99999999999", 1, kPair)),
            ErrorCode::kInvalidModel);
}

TEST(SavedModelTest, EveryTruncationIsAnError) {
  const std::filesystem::path file = std::filesystem::path(KENNING_SOURCE_DIR) /
                                     "engines/tensorflow/testdata/conformance_savedmodel" /
                                     "saved_model.pb";
  const std::string good = ReadFile(file).value();
  ASSERT_TRUE(ParseSignature(good));
  for (std::size_t size = 0; size < good.size(); size += size < 300 ? 1 : 97) {
    EXPECT_FALSE(ParseSignature(good.substr(0, size))) << size;
  }
}

}  // namespace
}  // namespace kenning::tensorflow
