// SPDX-License-Identifier: Apache-2.0
#include "keras/keras_config.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "kenning/base/file.h"
#include "keras/hdf5_attribute.h"
#include "keras/layer_shape.h"
#include "keras/zip_member.h"

namespace kenning::tensorflow {
namespace {

using Json = nlohmann::json;

std::filesystem::path TestData(const std::string& name) {
  return std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tensorflow/testdata" / name;
}

TEST(KerasConfigTest, BothKindsOfFile) {
  for (const std::string name : {"small.h5", "small.keras"}) {
    const auto spec = InspectKeras(TestData(name));
    ASSERT_TRUE(spec) << spec.error().ToString();
    ASSERT_EQ(spec->inputs.size(), 1U);
    EXPECT_EQ(spec->inputs[0].name, "image");
    EXPECT_EQ(ToString(spec->inputs[0]), "float32[-1, 8, 8, 1]");
    EXPECT_EQ(spec->inputs[0].layout, "NHWC");
    ASSERT_EQ(spec->outputs.size(), 1U);
    EXPECT_EQ(spec->outputs[0].name, "scores");
    EXPECT_EQ(ToString(spec->outputs[0]), "float32[-1, 4]");
  }
}

TEST(KerasConfigTest, FilesOfKeras2) {
  const char* corpus = std::getenv("KENNING_CORPUS");
  if (corpus == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
  const std::filesystem::path folder(corpus);
  const auto resnet = InspectKeras(folder / "cifar10-resnet8" / "pretrainedResnet.h5");
  ASSERT_TRUE(resnet) << resnet.error().ToString();
  EXPECT_EQ(ToString(resnet->inputs[0]), "float32[-1, 32, 32, 3]");
  EXPECT_EQ(resnet->inputs[0].name, "input_1");
  EXPECT_EQ(ToString(resnet->outputs[0]), "float32[-1, 10]");
  EXPECT_EQ(resnet->outputs[0].name, "dense");
  const auto mobilenet = InspectKeras(folder / "vww-mobilenet" / "vww_96.h5");
  ASSERT_TRUE(mobilenet) << mobilenet.error().ToString();
  EXPECT_EQ(ToString(mobilenet->inputs[0]), "float32[-1, 96, 96, 3]");
  EXPECT_EQ(ToString(mobilenet->outputs[0]), "float32[-1, 2]");
}

/// Two inputs, a nested model that is used twice, two outputs of one layer.
TEST(KerasConfigTest, GraphsOfModels) {
  const Json inner = {
      {"class_name", "Sequential"},
      {"config",
       {{"name", "inner"},
        {"layers",
         {{{"class_name", "InputLayer"},
           {"config", {{"name", "i"}, {"batch_shape", {nullptr, 6}}, {"dtype", "float32"}}}},
          {{"class_name", "Dense"}, {"config", {{"name", "d"}, {"units", 5}}}}}}}},
      {"name", "inner"},
      {"inbound_nodes",
       {Json::array({Json::array({"a", 0, 0, Json::object()})}),
        Json::array({Json::array({"b", 0, 0, Json::object()})})}}};
  const auto input = [](const char* name) {
    return Json{
        {"class_name", "InputLayer"},
        {"config", {{"name", name}, {"batch_input_shape", {nullptr, 6}}, {"dtype", "float32"}}},
        {"name", name},
        {"inbound_nodes", Json::array()}};
  };
  const Json join = {
      {"class_name", "Concatenate"},
      {"config", {{"name", "join"}, {"axis", -1}, {"dtype", "mixed_float16"}}},
      {"name", "join"},
      {"inbound_nodes", {{{"inner", 0, 0, Json::object()}, {"inner", 1, 0, Json::object()}}}}};
  const Json model = {{"class_name", "Functional"},
                      {"config",
                       {{"layers", {input("a"), join, inner, input("b")}},
                        {"input_layers", {{"b", 0, 0}, {"a", 0, 0}}},
                        {"output_layers", {{"join", 0, 0}, {"inner", 1, 0}, {"inner", 0, 0}}}}}};
  const auto spec = SpecOfKerasConfig(model.dump());
  ASSERT_TRUE(spec) << spec.error().ToString();
  EXPECT_EQ(spec->inputs[0].name, "b");
  EXPECT_EQ(spec->inputs[1].name, "a");
  ASSERT_EQ(spec->outputs.size(), 3U);
  EXPECT_EQ(ToString(spec->outputs[0]), "float16[-1, 10]");
  EXPECT_EQ(spec->outputs[1].name, "inner");
  EXPECT_EQ(spec->outputs[2].name, "inner_1");
  EXPECT_EQ(ToString(spec->outputs[2]), "float32[-1, 5]");
}

TEST(KerasConfigTest, UnknownLayersAreNamed) {
  const Json model = {
      {"class_name", "Sequential"},
      {"config",
       {{"layers",
         {{{"class_name", "InputLayer"}, {"config", {{"name", "x"}, {"batch_shape", {1, 2}}}}},
          {{"class_name", "Mystery"}, {"config", {{"name", "m"}}}}}}}}};
  const auto spec = SpecOfKerasConfig(model.dump());
  ASSERT_FALSE(spec);
  EXPECT_EQ(spec.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(spec.error().message().find("\"m\" of class Mystery"), std::string::npos);
}

TEST(KerasConfigTest, HostileConfigurations) {
  Json nested = {{"class_name", "InputLayer"}, {"config", {{"batch_shape", {1, 2}}}}};
  for (int depth = 0; depth < 100; ++depth) {
    nested = {{"class_name", "Sequential"}, {"config", {{"layers", {nested}}}}};
  }
  const std::string brackets(100000, '[');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), brackets, nested.dump(),
        std::string(R"({"class_name": "Functional", "config": {"layers": [1, null, {}]}})"),
        std::string(R"({"class_name": "Functional", "config": {"layers": [],
                        "input_layers": [["a", 0, 0]], "output_layers": [["a", 0, 0]]}})"),
        std::string(R"({"class_name": "Sequential", "config": {"layers": [
                        {"class_name": "Dense", "config": {"units": 1e300}}]}})")}) {
    EXPECT_FALSE(SpecOfKerasConfig(text));
  }
}

TEST(LayerShapeTest, FollowsKeras) {
  const auto shape = [](const char* type, const char* config, std::vector<Shape> inputs) {
    const auto given = LayerOutputShape(type, Json::parse(config), inputs);
    return given ? ShapeToString(*given) : "?";
  };
  const Shape image = {kAnyDim, 33, 32, 3};
  EXPECT_EQ(shape("Conv2D", R"({"filters": 8, "kernel_size": [3, 3], "strides": [2, 2],
                                "padding": "same"})",
                  {image}),
            "[-1, 17, 16, 8]");
  EXPECT_EQ(shape("Conv2D", R"({"filters": 8, "kernel_size": [3, 3], "strides": [1, 1],
                                "padding": "valid", "dilation_rate": [2, 2]})",
                  {image}),
            "[-1, 29, 28, 8]");
  EXPECT_EQ(shape("DepthwiseConv2D", R"({"depth_multiplier": 2, "kernel_size": 3, "strides": 1,
                                         "padding": "valid"})",
                  {image}),
            "[-1, 31, 30, 6]");
  EXPECT_EQ(shape("Conv2DTranspose", R"({"filters": 4, "kernel_size": 3, "strides": 2,
                                         "padding": "same"})",
                  {image}),
            "[-1, 66, 64, 4]");
  EXPECT_EQ(
      shape("MaxPooling2D", R"({"pool_size": 2, "strides": null, "padding": "valid"})", {image}),
      "[-1, 16, 16, 3]");
  EXPECT_EQ(shape("GlobalAveragePooling2D", R"({"data_format": "channels_first"})", {image}),
            "[-1, 33]");
  EXPECT_EQ(shape("ZeroPadding2D", R"({"padding": [[0, 1], [2, 2]]})", {image}), "[-1, 34, 36, 3]");
  EXPECT_EQ(shape("Flatten", "{}", {image}), "[-1, 3168]");
  EXPECT_EQ(shape("Reshape", R"({"target_shape": [-1, 3]})", {image}), "[-1, 1056, 3]");
  EXPECT_EQ(shape("Permute", R"({"dims": [3, 1, 2]})", {image}), "[-1, 3, 33, 32]");
  EXPECT_EQ(shape("Multiply", "{}", {image, {kAnyDim, 1, 1, 3}}), "[-1, 33, 32, 3]");
  EXPECT_EQ(shape("LSTM", R"({"units": 7, "return_sequences": true})", {{1, 5, 2}}), "[1, 5, 7]");
  // Too small, absurd, or without what is needed.
  EXPECT_EQ(shape("Conv2D", R"({"filters": 8, "kernel_size": 99, "strides": 1})", {image}), "?");
  EXPECT_EQ(shape("Conv2D", R"({"filters": 8, "kernel_size": 3, "strides": 0})", {image}), "?");
  EXPECT_EQ(shape("Dense", R"({"units": 9999999999999})", {{1, 2}}), "?");
  EXPECT_EQ(shape("UpSampling2D", R"({"size": 2147483648})", {image}), "?");
  EXPECT_EQ(shape("Dense", "[]", {{1, 2}}), "?");
}

TEST(Hdf5AttributeTest, BrokenFilesAreErrors) {
  const std::string good = ReadFile(TestData("small.h5")).value();
  ASSERT_TRUE(ReadRootText(RandomBytes(good), "model_config").value());
  EXPECT_FALSE(ReadRootText(RandomBytes(good), "no_such_name").value());
  EXPECT_FALSE(ReadRootText(RandomBytes(""), "model_config"));
  EXPECT_FALSE(ReadRootText(RandomBytes(std::string(5000, '\xff')), "model_config"));
  // A changed byte anywhere may change what is read, or be an error.
  for (std::size_t at = 0; at < good.size(); at += at < 2048 ? 1 : 31) {
    for (const char value : {'\x00', '\xff', '\x7f'}) {
      std::string broken = good;
      broken[at] = value;
      const auto text = ReadRootText(RandomBytes(broken), "model_config");
      if (text && *text) static_cast<void>(SpecOfKerasConfig(**text));
    }
  }
  for (std::size_t size = 0; size < good.size(); size += 101) {
    EXPECT_FALSE(ReadRootText(RandomBytes(std::string_view(good).substr(0, size)), "model_config"));
  }
}

TEST(ZipMemberTest, BrokenFilesAreErrors) {
  const std::string good = ReadFile(TestData("small.keras")).value();
  ASSERT_TRUE(ReadZipMember(RandomBytes(good), "config.json"));
  EXPECT_EQ(ReadZipMember(RandomBytes(good), "nothing").error().code(), ErrorCode::kNotFound);
  for (std::size_t size = 0; size < good.size(); size += 101) {
    EXPECT_FALSE(ReadZipMember(RandomBytes(std::string_view(good).substr(0, size)), "config.json"));
  }
  for (std::size_t at = 0; at<good.size(); at += at + 600> good.size() ? 1 : 37) {
    std::string broken = good;
    broken[at] = static_cast<char>(~broken[at]);
    static_cast<void>(ReadZipMember(RandomBytes(broken), "config.json"));
  }
}

}  // namespace
}  // namespace kenning::tensorflow
