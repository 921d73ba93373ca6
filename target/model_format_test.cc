// SPDX-License-Identifier: Apache-2.0
#include "model_format.h"

#include <gmock/gmock.h>

#include "base/tar.h"
#include "kenning/base/file.h"

namespace kenning::target {
namespace {

const std::filesystem::path kEngines = std::filesystem::path(KENNING_SOURCE_DIR) / "engines";

TEST(ModelFormatTest, EveryEnginesModelsAreRecognised) {
  const std::pair<const char*, const char*> models[] = {
      {"executorch/testdata/conformance.pte", "executorch"},
      {"iree/testdata/conformance.vmfb", "iree"},
      {"libtorch/testdata/conformance.pt", "torchscript"},
      {"libtorch/testdata/exported.pt2", "torch_export"},
      {"null/testdata/conformance.null", "null"},
      {"onnxruntime/testdata/conformance.onnx", "onnx"},
      {"iree/testdata/cnn.onnx", "onnx"},
      {"openvino/testdata/conformance_qdq.onnx", "onnx"},
      {"tensorflow/testdata/small.h5", "keras"},
      {"tensorflow/testdata/small.keras", "keras"},
      {"tflite/testdata/conformance.tflite", "tflite"},
      {"tvm/testdata/conformance.tar", "tvm"},
  };
  for (const auto& [file, format] : models) {
    const auto found = RecogniseFormat(kEngines / file);
    ASSERT_TRUE(found) << file << ": " << found.error().ToString();
    EXPECT_EQ(*found, format) << file;
    EXPECT_FALSE(TravelsAsArchive(kEngines / file, *found)) << file;
  }
}

TEST(ModelFormatTest, FoldersTravelAsArchives) {
  const std::pair<const char*, const char*> folders[] = {
      {"openvino/testdata/conformance.openvino", "openvino"},
      {"tensorflow/testdata/conformance_savedmodel", "savedmodel"},
  };
  for (const auto& [folder, format] : folders) {
    TarOfTree archive = TarOfTree::Create(kEngines / folder).value();
    std::string bytes(static_cast<std::size_t>(archive.size_bytes()), '\0');
    ASSERT_TRUE(archive.Read(0, std::as_writable_bytes(std::span(bytes))));
    const std::filesystem::path file = testing::TempDir() + "model.archive";
    ASSERT_TRUE(WriteFileAtomically(file, bytes));
    EXPECT_EQ(RecogniseFormat(file).value(), format);
    EXPECT_TRUE(TravelsAsArchive(file, format));
  }
}

TEST(ModelFormatTest, EverythingElseIsSaid) {
  const std::filesystem::path file = testing::TempDir() + "model.unknown";
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(5000, '\0'), std::string("PK\x03\x04"),
        std::string("{}"), std::string("\x08\x08"), std::string("\x3A\xFF\xFF\xFF\xFF\x0F"),
        std::string("#!/bin/sh\n")}) {
    ASSERT_TRUE(WriteFileAtomically(file, bytes));
    EXPECT_EQ(RecogniseFormat(file).error().code(), ErrorCode::kInvalidModel) << bytes;
  }
  ASSERT_TRUE(WriteFileAtomically(file, "<?xml version=\"1.0\"?><net/>"));
  EXPECT_EQ(RecogniseFormat(file).error().code(), ErrorCode::kUnsupported);
  EXPECT_EQ(RecogniseFormat(testing::TempDir() + "missing").error().code(), ErrorCode::kIo);
}

TEST(ModelFormatTest, CutFilesDoNoHarm) {
  const std::filesystem::path file = testing::TempDir() + "model.cut";
  for (const char* whole : {"libtorch/testdata/conformance.pt", "tvm/testdata/conformance.tar",
                            "onnxruntime/testdata/conformance.onnx"}) {
    const std::string bytes = ReadFile(kEngines / whole).value();
    for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 20) {
      ASSERT_TRUE(WriteFileAtomically(file, bytes.substr(0, size)));
      static_cast<void>(RecogniseFormat(file));
    }
  }
}

}  // namespace
}  // namespace kenning::target
