// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: a temporary folder, image files, parameters with their defaults.
#pragma once

#include <gtest/gtest.h>
#include <png.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "kenning/registry/registry.h"

namespace kenning::testing_files {

/// A fresh folder for each test, removed at its end.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "kenning-test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void Write(const std::filesystem::path& name, std::string_view bytes) const {
    ASSERT_TRUE(WriteFileAtomically(folder_ / name, bytes));
  }
  void WriteGzip(const std::filesystem::path& name, const std::string& bytes) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    gzFile file = gzopen((folder_ / name).c_str(), "wb");
    ASSERT_NE(file, nullptr);
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
  }
  /// A PNG whose pixels all have the value; 1 or 3 channels.
  void WritePng(const std::filesystem::path& name, unsigned width, unsigned height,
                unsigned channels, unsigned char value) const {
    std::filesystem::create_directories((folder_ / name).parent_path());
    png_image png{};
    png.version = PNG_IMAGE_VERSION;
    png.width = width;
    png.height = height;
    png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    const std::vector<unsigned char> pixels(std::size_t{width} * height * channels, value);
    ASSERT_NE(png_image_write_to_file(&png, (folder_ / name).c_str(), 0, pixels.data(), 0, nullptr),
              0);
  }

  std::filesystem::path folder_;
  NullProgress progress_;
  CancelToken cancel_;
  BlockContext context_;
};

inline Params WithDefaults(const ParamSchema& schema,
                           std::map<std::string, ParamValue, std::less<>> given) {
  auto defaults = DefaultParams(schema).values();
  given.merge(defaults);
  return Params(std::move(given));
}

}  // namespace kenning::testing_files
