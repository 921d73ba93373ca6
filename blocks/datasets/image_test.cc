// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <gmock/gmock.h>

#include <cstdio>
// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "testing_files.h"

namespace kenning {
namespace {

using testing::Each;
using testing::FloatNear;
using testing::HasSubstr;

class ImageTest : public testing_files::FolderTest {
 protected:
  std::string GreyJpeg(unsigned width, unsigned height, unsigned char value) {
    jpeg_compress_struct jpeg{};
    jpeg_error_mgr errors{};
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&jpeg, &bytes, &size);
    jpeg.image_width = width;
    jpeg.image_height = height;
    jpeg.input_components = 1;
    jpeg.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    std::vector<unsigned char> line(width, value);
    JSAMPROW row = line.data();
    while (jpeg.next_scanline < height) jpeg_write_scanlines(&jpeg, &row, 1);
    jpeg_finish_compress(&jpeg);
    std::string text(reinterpret_cast<char*>(bytes), size);
    jpeg_destroy_compress(&jpeg);
    std::free(bytes);
    return text;
  }
};

TEST_F(ImageTest, PngInGreyAndColour) {
  WritePng("a.png", 5, 4, 3, 51);
  for (const std::size_t channels : {1U, 3U}) {
    const Result<Image> image = ReadImage(folder_ / "a.png", channels);
    ASSERT_TRUE(image) << image.error().ToString();
    EXPECT_EQ(image->width, 5U);
    EXPECT_EQ(image->height, 4U);
    ASSERT_EQ(image->pixels.size(), 20 * channels);
    const Result<Tensor> tensor = ToTensor(*image, 5, 4, Resize::kNone);
    ASSERT_TRUE(tensor);
    EXPECT_THAT(tensor->as<float>(), Each(FloatNear(0.2F, 1e-6F)));
  }
}

TEST_F(ImageTest, Jpeg) {
  Write("a.jpg", GreyJpeg(9, 7, 102));
  const Result<Image> image = ReadImage(folder_ / "a.jpg", 3);
  ASSERT_TRUE(image) << image.error().ToString();
  EXPECT_EQ(image->pixels.size(), 9U * 7 * 3);
  EXPECT_THAT(image->pixels, Each(102));
}

TEST_F(ImageTest, CorruptFilesAreErrorsThatNameThem) {
  const std::string jpeg = GreyJpeg(64, 64, 10);
  Write("cut.jpg", std::string_view(jpeg).substr(0, jpeg.size() / 2));
  WritePng("whole.png", 40, 40, 3, 7);
  const Result<std::string> png = ReadFile(folder_ / "whole.png");
  Write("cut.png", std::string_view(*png).substr(0, png->size() - 30));
  Write("text.png", "not an image");
  Write("empty.png", "");
  for (const char* name : {"cut.jpg", "cut.png", "text.png", "empty.png"}) {
    const Result<Image> image = ReadImage(folder_ / name, 3);
    ASSERT_FALSE(image) << name;
    EXPECT_EQ(image.error().code(), ErrorCode::kInvalidData) << name;
    EXPECT_THAT(image.error().message(), HasSubstr(name));
  }
  EXPECT_EQ(ReadImage(folder_ / "none.png", 3).error().code(), ErrorCode::kNotFound);
}

TEST_F(ImageTest, AHeaderThatPromisesTooMuchIsRefusedBeforeMemoryIsTaken) {
  WritePng("big.png", 2, 2, 3, 0);
  Result<std::string> bytes = ReadFile(folder_ / "big.png");
  // IHDR: width and height are at 16..23, the checksum after 12 bytes of data.
  for (const std::size_t at : {16U, 20U}) {
    (*bytes)[at + 1] = '\x0f';
  }
  const auto crc = static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const unsigned char*>(bytes->data()) + 12, 17));
  for (int i = 0; i < 4; ++i) {
    (*bytes)[29 + static_cast<std::size_t>(i)] = static_cast<char>(crc >> (24 - 8 * i));
  }
  Write("big.png", *bytes);
  const Result<Image> image = ReadImage(folder_ / "big.png", 3);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().code(), ErrorCode::kResourceExhausted) << image.error().ToString();
}

TEST_F(ImageTest, ResizingKeepsAFlatImageFlat) {
  const Image image{10, 6, 3, std::vector<std::uint8_t>(180, 255)};
  for (const auto& [width, height] : {std::pair<std::size_t, std::size_t>{3, 3}, {31, 17}}) {
    for (const Resize resize : {Resize::kStretch, Resize::kCrop}) {
      const Result<Tensor> tensor = ToTensor(image, width, height, resize);
      ASSERT_TRUE(tensor);
      EXPECT_EQ(tensor->size_bytes(), width * height * 3 * sizeof(float));
      EXPECT_THAT(tensor->as<float>(), Each(FloatNear(1.0F, 1e-5F)));
    }
  }
  EXPECT_EQ(ToTensor(image, 3, 3, Resize::kNone).error().code(), ErrorCode::kInvalidData);
}

TEST_F(ImageTest, ScalingDownAveragesAndCroppingTakesTheMiddle) {
  // Left half black, right half white.
  Image image{4, 2, 1, {0, 0, 255, 255, 0, 0, 255, 255}};
  const Result<Tensor> half = ToTensor(image, 2, 1, Resize::kStretch);
  ASSERT_TRUE(half);
  EXPECT_NEAR(half->as<float>()[0] + half->as<float>()[1], 1.0F, 1e-5F);
  EXPECT_LT(half->as<float>()[0], 0.2F);
  // The middle square of 4 x 2 is columns 1 and 2.
  const Result<Tensor> middle = ToTensor(image, 2, 2, Resize::kCrop);
  ASSERT_TRUE(middle);
  EXPECT_NEAR(middle->as<float>()[0], 0.0F, 1e-5F);
  EXPECT_NEAR(middle->as<float>()[1], 1.0F, 1e-5F);
}

}  // namespace
}  // namespace kenning
