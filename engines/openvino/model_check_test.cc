// SPDX-License-Identifier: Apache-2.0
#include "model_check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "kenning/base/file.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

fs::path TestData(const std::string& name) {
  return fs::path(KENNING_SOURCE_DIR) / "engines/openvino/testdata" / name;
}

class ModelCheckTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("model-check-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path Write(const std::string& name, std::string_view bytes) const {
    const fs::path path = folder_ / name;
    fs::create_directories(path.parent_path());
    EXPECT_TRUE(WriteFileAtomically(path, bytes));
    return path;
  }
  static void ExpectInvalid(const Result<>& result) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidModel) << result.error().ToString();
  }

  fs::path folder_;
};

/// Field `number` of a protobuf message, with less than 16 kB of bytes.
std::string Field(int number, const std::string& bytes) {
  std::string field(1, static_cast<char>((number << 3) | 2));
  if (bytes.size() >= 128) field += static_cast<char>((bytes.size() & 127) | 128);
  field += static_cast<char>(bytes.size() >= 128 ? bytes.size() >> 7 : bytes.size());
  return field + bytes;
}
std::string Number(int number, int value) {
  return {static_cast<char>(number << 3), static_cast<char>(value)};
}
/// An ONNX model with one initializer.
std::string ModelWith(const std::string& tensor) { return Field(7, Field(5, tensor)); }

TEST_F(ModelCheckTest, GoodModelsPass) {
  EXPECT_TRUE(CheckModel(TestData("conformance.onnx"), "onnx"));
  EXPECT_TRUE(CheckModel(TestData("conformance_qdq.onnx"), "onnx"));
  EXPECT_TRUE(CheckModel(TestData("conformance.tflite"), "tflite"));
  EXPECT_TRUE(CheckModel(TestData("conformance.openvino"), "openvino"));
}

TEST_F(ModelCheckTest, MissingFilesAndOtherFormats) {
  EXPECT_EQ(CheckModel(folder_ / "no.onnx", "onnx").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(CheckModel(folder_ / "no.tflite", "tflite").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(CheckModel(folder_ / "no.openvino", "openvino").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(CheckModel(TestData("conformance.onnx"), "keras").error().code(),
            ErrorCode::kUnsupported);
}

TEST_F(ModelCheckTest, CutOnnxFilesAreRefused) {
  const std::string good = ReadFile(TestData("conformance.onnx")).value();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, good.size() / 2, good.size() - 1}) {
    EXPECT_FALSE(CheckOnnxBytes(good.substr(0, size), folder_)) << size;
  }
}

TEST_F(ModelCheckTest, OnnxTensorsMustHaveTheirData) {
  const std::string dims = Number(1, 2) + Number(1, 1);  // [2, 1]
  const std::string type = Number(2, 1);                 // float
  EXPECT_TRUE(CheckOnnxBytes(ModelWith(dims + type + Field(9, std::string(8, 'x'))), folder_));
  ExpectInvalid(CheckOnnxBytes(ModelWith(dims + type + Field(9, "xxxx")), folder_));
  const std::string negative = {'\x08', '\xff', '\xff', '\xff', '\xff', '\xff',
                                '\xff', '\xff', '\xff', '\xff', '\x01'};
  ExpectInvalid(CheckOnnxBytes(ModelWith(negative + type), folder_));
}

TEST_F(ModelCheckTest, OnnxOperatorsMustHaveTheirInputs) {
  const auto node = [](const std::string& inputs, const std::string& op_type) {
    return Field(7, Field(1, inputs + Field(2, "y") + Field(4, op_type)));
  };
  EXPECT_TRUE(CheckOnnxBytes(node(Field(1, "x") + Field(1, "w"), "Conv"), folder_));
  EXPECT_TRUE(CheckOnnxBytes(node("", "Constant"), folder_));
  ExpectInvalid(CheckOnnxBytes(node("", "GlobalAveragePool"), folder_));
  ExpectInvalid(CheckOnnxBytes(node(Field(1, "x"), "Conv"), folder_));
  ExpectInvalid(CheckOnnxBytes(node(Field(1, "") + Field(1, "w"), "Conv"), folder_));
}

TEST_F(ModelCheckTest, ExternalDataStayInTheModelsFolder) {
  Write("weights.bin", "12345678");
  const auto model = [](const std::string& location) {
    return ModelWith(Number(1, 2) + Number(2, 1) +
                     Field(13, Field(1, "location") + Field(2, location)));
  };
  EXPECT_TRUE(CheckOnnxBytes(model("weights.bin"), folder_));
  for (const std::string location : {"../weights.bin", "/etc/hostname", "none.bin", "a/../../b"}) {
    ExpectInvalid(CheckOnnxBytes(model(location), folder_));
  }
  fs::create_symlink("/etc/hostname", folder_ / "link.bin");
  ExpectInvalid(CheckOnnxBytes(model("link.bin"), folder_));
}

TEST_F(ModelCheckTest, OnnxGraphsInGraphsHaveAnEnd) {
  const auto nested = [](int depth) {
    std::string graph;
    for (int i = 0; i < depth; ++i) {
      graph = Field(1, Field(1, "c") + Field(2, "y") + Field(4, "If") + Field(5, Field(6, graph)));
    }
    return Field(7, graph);
  };
  EXPECT_TRUE(CheckOnnxBytes(nested(10), folder_));
  ExpectInvalid(CheckOnnxBytes(nested(40), folder_));
}

TEST_F(ModelCheckTest, TfliteNeedsItsIdentifierAndRoot) {
  const std::string good = ReadFile(TestData("conformance.tflite")).value();
  std::string bad = good;
  bad[4] = 'X';
  ExpectInvalid(CheckModel(Write("identifier.tflite", bad), "tflite"));
  bad = good;
  bad[3] = '\x7f';
  ExpectInvalid(CheckModel(Write("root.tflite", bad), "tflite"));
  ExpectInvalid(CheckModel(Write("empty.tflite", ""), "tflite"));
}

TEST_F(ModelCheckTest, IrIsAFolderWithBothFiles) {
  const std::string graph = ReadFile(TestData("conformance.openvino/model.xml")).value();
  const fs::path loose = Write("loose.xml", graph);
  const auto refused = CheckModel(loose, "openvino");
  ExpectInvalid(refused);
  EXPECT_NE(refused.error().message().find("mkdir"), std::string::npos);

  Write("half/model.xml", graph);
  EXPECT_EQ(CheckModel(folder_ / "half", "openvino").error().code(), ErrorCode::kNotFound);
  Write("half/model.bin", "");
  EXPECT_TRUE(CheckModel(folder_ / "half", "openvino"));
  for (const std::string& text :
       {std::string("plain text"), graph.substr(0, graph.size() / 2),
        std::string("<net></net></net>"), std::string("<net>") + std::string(1, '\0') + "</net>"}) {
    Write("half/model.xml", text);
    ExpectInvalid(CheckModel(folder_ / "half", "openvino"));
  }
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<net>";
  for (int i = 0; i < 100; ++i) deep += "</net>";
  Write("half/model.xml", deep);
  ExpectInvalid(CheckModel(folder_ / "half", "openvino"));
}

}  // namespace
}  // namespace kenning::openvino
