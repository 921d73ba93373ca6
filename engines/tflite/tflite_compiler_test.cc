// SPDX-License-Identifier: Apache-2.0
#include "tflite_compiler.h"

#include <gtest/gtest.h>

#include "kenning/base/file.h"

namespace kenning::tflite {
namespace {

std::map<std::string, ParamValue, std::less<>> Defaults() {
  return {{"compiled_model_path", std::string("out.tflite")},
          {"target", std::string("default")},
          {"inference_input_type", std::string("float32")},
          {"inference_output_type", std::string("float32")},
          {"static_batch", std::int64_t{1}},
          {"dataset_percentage", 1.0},
          {"max_calibration_samples", std::int64_t{512}},
          {"use_tf_select_ops", false},
          {"quantization_aware_training", false},
          {"save_to_zip", false},
          {"resolver_template_path", ParamValue{}},
          {"resolver_output_path", ParamValue{}}};
}

ErrorCode CodeWith(const std::string& name, ParamValue value) {
  auto values = Defaults();
  values[name] = std::move(value);
  const auto made = TfliteCompiler::Make(Params(std::move(values)));
  return made ? ErrorCode::kInternal : made.error().code();
}

TEST(TfliteCompilerTest, RefusesWhatItCannotDo) {
  ASSERT_TRUE(TfliteCompiler::Make(Params(Defaults())));
  EXPECT_EQ(CodeWith("quantization_aware_training", true), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeWith("save_to_zip", true), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeWith("resolver_output_path", std::string("x")), ErrorCode::kUnsupported);
  EXPECT_EQ(CodeWith("inference_input_type", std::string("int8")), ErrorCode::kInvalidScenario);
}

TEST(TfliteCompilerTest, EdgeTpuNeedsItsCompiler) {
  const char* path = std::getenv("PATH");
  const std::string before = path == nullptr ? "" : path;
  ::setenv("PATH", "/nonexistent", 1);
  auto values = Defaults();
  values["target"] = std::string("edgetpu");
  const auto made = TfliteCompiler::Make(Params(std::move(values)));
  ::setenv("PATH", before.c_str(), 1);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kUnavailable);
  EXPECT_NE(made.error().message().find("edgetpu_compiler"), std::string::npos);
}

TEST(TfliteCompilerTest, CountsWhatIsInt8) {
  const std::filesystem::path folder =
      std::filesystem::path(KENNING_SOURCE_DIR) / "engines/tflite/testdata";
  const std::string floats = ReadFile(folder / "conformance.tflite").value();
  const Int8Share none = CountInt8(ParseModel(floats, "m").value());
  EXPECT_EQ(none.heavy, 4);
  EXPECT_EQ(none.float_heavy.size(), 4U);
  const std::string integers = ReadFile(folder / "conformance_int8.tflite").value();
  const Int8Share all = CountInt8(ParseModel(integers, "m").value());
  EXPECT_EQ(all.heavy, 4);
  EXPECT_TRUE(all.float_heavy.empty());
  EXPECT_TRUE(all.float_rest.empty());
}

}  // namespace
}  // namespace kenning::tflite
