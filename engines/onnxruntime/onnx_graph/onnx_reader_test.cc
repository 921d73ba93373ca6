// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/onnx_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "kenning/base/file.h"

namespace kenning::onnx_graph {
namespace {

using testing::HasSubstr;

void AddValue(onnx::ValueInfoProto* value, const std::string& name,
              const std::vector<std::int64_t>& dims) {
  value->set_name(name);
  auto* tensor = value->mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(onnx::TensorProto::FLOAT);
  for (const std::int64_t dim : dims) {
    auto* added = tensor->mutable_shape()->add_dim();
    if (dim < 0) {
      added->set_dim_param("N");
    } else {
      added->set_dim_value(dim);
    }
  }
}

onnx::NodeProto* AddNode(onnx::GraphProto* graph, const std::string& op, const std::string& name,
                         const std::vector<std::string>& inputs, const std::string& output) {
  onnx::NodeProto* node = graph->add_node();
  node->set_op_type(op);
  node->set_name(name);
  for (const std::string& input : inputs) node->add_input(input);
  node->add_output(output);
  return node;
}

/// y = relu(x + w), w of four floats.
onnx::ModelProto Valid() {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.add_opset_import()->set_version(17);
  onnx::GraphProto* graph = model.mutable_graph();
  graph->set_name("g");
  AddValue(graph->add_input(), "x", {-1, 4});
  AddValue(graph->add_output(), "y", {-1, 4});
  onnx::TensorProto* w = graph->add_initializer();
  w->set_name("w");
  w->set_data_type(onnx::TensorProto::FLOAT);
  w->add_dims(4);
  w->set_raw_data(std::string(16, '\0'));
  AddNode(graph, "Add", "add", {"x", "w"}, "sum");
  AddNode(graph, "Relu", "relu", {"sum"}, "y");
  return model;
}

Result<onnx::ModelProto> Read(const onnx::ModelProto& model) {
  return ReadOnnxModelFromBytes(model.SerializeAsString(), "m.onnx");
}

void ExpectError(const onnx::ModelProto& model, ErrorCode code, const std::string& text) {
  const auto result = Read(model);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), code);
  EXPECT_THAT(result.error().ToString(), HasSubstr(text));
  EXPECT_THAT(result.error().ToString(), HasSubstr("m.onnx"));
}

TEST(OnnxReader, AcceptsAValidModel) {
  const auto model = Read(Valid());
  ASSERT_TRUE(model.has_value()) << model.error().ToString();
  EXPECT_EQ(model->graph().node_size(), 2);
  EXPECT_EQ(OpsetVersion(*model), 17);
}

TEST(OnnxReader, NamesWhatOtherFilesAre) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"<!DOCTYPE html><html>404", "HTML"},
      {"version https://git-lfs.github.com/spec/v1\noid", "Git LFS"},
      {std::string("\x1c\0\0\0TFL3", 8), "TensorFlow Lite"},
      {"PK\x03\x04rest", "ZIP"},
      {"\x89HDF\r\n\x1a\n", "HDF5"},
      {"", "empty"},
      {"{\"a\": 1}", "JSON"},
      {"just some words of text", "no readable ONNX model"},
  };
  for (const auto& [bytes, text] : cases) {
    const auto result = ReadOnnxModelFromBytes(bytes, "m.onnx");
    ASSERT_FALSE(result.has_value()) << text;
    EXPECT_EQ(result.error().code(), ErrorCode::kInvalidModel);
    EXPECT_THAT(result.error().ToString(), HasSubstr(text));
  }
}

TEST(OnnxReader, EveryTruncationIsRefusedOrHarmless) {
  const std::string bytes = Valid().SerializeAsString();
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    if (!ReadOnnxModelFromBytes(std::string_view(bytes).substr(0, size), "m")) ++refused;
  }
  // A cut between two outer fields leaves a valid model only where all needed fields come before.
  EXPECT_GE(refused, bytes.size() - 4);
  const auto cut = ReadOnnxModelFromBytes(std::string_view(bytes).substr(0, 40), "m");
  ASSERT_FALSE(cut.has_value());
  EXPECT_THAT(cut.error().ToString(), HasSubstr("truncated"));
}

TEST(OnnxReader, SurvivesFlippedBytes) {
  const std::string bytes = Valid().SerializeAsString();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int flip : {0x01, 0x80, 0xFF}) {
      std::string broken = bytes;
      broken[i] = static_cast<char>(broken[i] ^ flip);
      const auto result = ReadOnnxModelFromBytes(broken, "m");
      if (!result) {
        EXPECT_FALSE(result.error().message().empty());
      }
    }
  }
}

TEST(OnnxReader, RefusesOpsetsAndDomains) {
  onnx::ModelProto model = Valid();
  model.mutable_opset_import(0)->set_version(5);
  ExpectError(model, ErrorCode::kUnsupported, "operator set 5 is not supported; supported are 7");
  model.mutable_opset_import(0)->set_version(99);
  ExpectError(model, ErrorCode::kUnsupported, "operator set 99");
  model = Valid();
  model.set_ir_version(77);
  ExpectError(model, ErrorCode::kUnsupported, "IR version 77");
  model = Valid();
  model.mutable_graph()->mutable_node(1)->set_domain("evil.corp");
  ExpectError(model, ErrorCode::kUnsupported, "\"relu\" (Relu) is of the domain \"evil.corp\"");
}

TEST(OnnxReader, RefusesTensorsThatDoNotFitTheirData) {
  onnx::ModelProto model = Valid();
  model.mutable_graph()->mutable_initializer(0)->set_raw_data("short");
  ExpectError(model, ErrorCode::kInvalidModel, "needs 16 bytes of data and has 5");
  model = Valid();
  model.mutable_graph()->mutable_initializer(0)->set_dims(0, -4);
  ExpectError(model, ErrorCode::kInvalidModel, "dimension -4");
  model = Valid();
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  for (int i = 0; i < 3; ++i) tensor->add_dims(std::int64_t{1} << 40);
  ExpectError(model, ErrorCode::kInvalidModel, "overflow");
  model = Valid();
  model.mutable_graph()->mutable_initializer(0)->set_data_type(99);
  ExpectError(model, ErrorCode::kInvalidModel, "unknown element type 99");
  model = Valid();
  tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->add_float_data(1);
  ExpectError(model, ErrorCode::kInvalidModel, "needs 4 values and has 1");
}

TEST(OnnxReader, RefusesBrokenGraphs) {
  onnx::ModelProto model = Valid();
  model.mutable_graph()->mutable_node(0)->set_input(0, "nowhere");
  ExpectError(model, ErrorCode::kInvalidModel, "\"add\" (Add) reads \"nowhere\"");
  model = Valid();
  model.mutable_graph()->mutable_node(0)->set_input(0, "y");
  ExpectError(model, ErrorCode::kInvalidModel, "cycle");
  model = Valid();
  model.mutable_graph()->mutable_node(1)->set_output(0, "sum");
  ExpectError(model, ErrorCode::kInvalidModel, "\"sum\" is written twice");
  model = Valid();
  *model.mutable_graph()->add_initializer() = model.graph().initializer(0);
  ExpectError(model, ErrorCode::kInvalidModel, "two initializers are called \"w\"");
  model = Valid();
  model.mutable_graph()->mutable_output(0)->set_name("z");
  ExpectError(model, ErrorCode::kInvalidModel, "output \"z\"");
}

TEST(OnnxReader, BringsNodesIntoOrder) {
  onnx::ModelProto model = Valid();
  model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  const auto sorted = Read(model);
  ASSERT_TRUE(sorted.has_value()) << sorted.error().ToString();
  EXPECT_EQ(sorted->graph().node(0).name(), "add");
}

TEST(OnnxReader, RefusesDeepSubgraphs) {
  onnx::ModelProto model = Valid();
  onnx::GraphProto* graph = model.mutable_graph();
  for (int depth = 0; depth < kMaxSubgraphDepth + 2; ++depth) {
    onnx::NodeProto* node = AddNode(graph, "If", fmt::format("if{}", depth), {}, "o");
    auto* attribute = node->add_attribute();
    attribute->set_name("then_branch");
    graph = attribute->mutable_g();
    graph->set_name(fmt::format("sub{}", depth));
  }
  ExpectError(model, ErrorCode::kInvalidModel, "nested deeper than 16");
}

class ExternalDataTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_ / "model");
    ASSERT_TRUE(WriteFileAtomically(folder_ / "model" / "w.bin", std::string(20, '\1')));
    ASSERT_TRUE(WriteFileAtomically(folder_ / "secret.bin", std::string(20, '\2')));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<onnx::ModelProto> ReadWith(const std::string& location, const std::string& offset,
                                    const std::string& length) {
    onnx::ModelProto model = Valid();
    auto* tensor = model.mutable_graph()->mutable_initializer(0);
    tensor->clear_raw_data();
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    const auto add = [&](const std::string& key, const std::string& value) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    };
    add("location", location);
    add("offset", offset);
    add("length", length);
    const auto path = folder_ / "model" / "m.onnx";
    std::ofstream(path, std::ios::binary) << model.SerializeAsString();
    if (const auto checked = CheckOnnxFile(path); !checked) return Fail(checked.error());
    return ReadOnnxModel(path);
  }
  void ExpectRefused(const Result<onnx::ModelProto>& result, const std::string& text) {
    ASSERT_FALSE(result.has_value());
    EXPECT_THAT(result.error().ToString(), HasSubstr(text));
    EXPECT_THAT(result.error().ToString(), HasSubstr("\"w\""));
  }
  std::filesystem::path folder_;
};

TEST_F(ExternalDataTest, LoadsDataBesideTheModel) {
  const auto model = ReadWith("w.bin", "4", "16");
  ASSERT_TRUE(model.has_value()) << model.error().ToString();
  const auto& tensor = model->graph().initializer(0);
  EXPECT_EQ(tensor.raw_data(), std::string(16, '\1'));
  EXPECT_EQ(tensor.external_data_size(), 0);
}

TEST_F(ExternalDataTest, RefusesPathsThatLeadOut) {
  ExpectRefused(ReadWith("../secret.bin", "0", "16"), "climbs out");
  ExpectRefused(ReadWith("a/../../secret.bin", "0", "16"), "climbs out");
  ExpectRefused(ReadWith((folder_ / "secret.bin").string(), "0", "16"), "absolute");
  ExpectRefused(ReadWith("", "0", "16"), "empty");
  std::filesystem::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  ExpectRefused(ReadWith("link.bin", "0", "16"), "link out of the folder");
  std::filesystem::create_directory_symlink(folder_, folder_ / "model" / "up");
  ExpectRefused(ReadWith("up/secret.bin", "0", "16"), "link out of the folder");
  std::filesystem::create_directories(folder_ / "model" / "sub");
  ExpectRefused(ReadWith("sub", "0", "16"), "no regular file");
  ExpectRefused(ReadWith("absent.bin", "0", "16"), "absent.bin");
}

TEST_F(ExternalDataTest, RefusesWrongSizes) {
  ExpectRefused(ReadWith("w.bin", "8", "16"), "beyond the end");
  ExpectRefused(ReadWith("w.bin", "18446744073709551615", "16"), "beyond the end");
  ExpectRefused(ReadWith("w.bin", "0", "18446744073709551615"), "needs 16 bytes");
  ExpectRefused(ReadWith("w.bin", "-1", "16"), "not a number");
  ExpectRefused(ReadWith("w.bin", "0", "8"), "needs 16 bytes");
}

TEST_F(ExternalDataTest, IsRefusedWithoutAFolder) {
  onnx::ModelProto model = Valid();
  auto* tensor = model.mutable_graph()->mutable_initializer(0);
  tensor->clear_raw_data();
  tensor->set_data_location(onnx::TensorProto::EXTERNAL);
  ExpectError(model, ErrorCode::kInvalidModel, "external file");
}

TEST(InspectOnnx, GivesInputsAndOutputs) {
  onnx::ModelProto model = Valid();
  AddValue(model.mutable_graph()->add_input(), "w", {4});
  const auto spec = SpecOfModel(model, "m");
  ASSERT_TRUE(spec.has_value());
  ASSERT_EQ(spec->inputs.size(), 1U);
  EXPECT_EQ(ToString(spec->inputs[0]), "float32[-1, 4]");
  EXPECT_EQ(spec->outputs[0].name, "y");
}

TEST(InspectOnnx, GuessesLayoutsAndReadsMetadata) {
  onnx::ModelProto model = Valid();
  AddValue(model.mutable_graph()->mutable_input(0), "x", {});
  model.mutable_graph()->clear_input();
  AddValue(model.mutable_graph()->add_input(), "x", {1, 3, 32, 32});
  EXPECT_EQ(SpecOfModel(model, "m")->inputs[0].layout, "NCHW");
  model.mutable_graph()->clear_input();
  AddValue(model.mutable_graph()->add_input(), "x", {1, 96, 96, 3});
  EXPECT_EQ(SpecOfModel(model, "m")->inputs[0].layout, "NHWC");
  const auto add = [&](const std::string& key, const std::string& value) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("layout", "NCHW");
  add("mean", "0.25, 0.5");
  add("class_names", "[\"a\", \"b\"]");
  const auto spec = SpecOfModel(model, "m");
  EXPECT_EQ(spec->inputs[0].layout, "NCHW");
  EXPECT_EQ(spec->inputs[0].mean, (std::vector<float>{0.25F, 0.5F}));
  EXPECT_EQ(spec->outputs[0].class_names, (std::vector<std::string>{"a", "b"}));
}

}  // namespace
}  // namespace kenning::onnx_graph
