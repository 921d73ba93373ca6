// SPDX-License-Identifier: Apache-2.0
#include "image.h"

#include <fmt/format.h>
#include <png.h>

#include <algorithm>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <cstring>

// jpeglib.h needs size_t and FILE before it.
#include <jpeglib.h>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

constexpr std::uint64_t kMostFileBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kMostPixels = 100'000'000;

tl::unexpected<Error> Broken(const std::filesystem::path& path, const std::string& why) {
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{}: corrupt image: {}; replace or remove the file", path.string(), why));
}

Result<> CheckSize(const std::filesystem::path& path, std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0) return Broken(path, "it has no pixels");
  if (width * height <= kMostPixels) return {};
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("{}: {} x {} pixels are more than {} million", path.string(), width,
                          height, kMostPixels / 1'000'000));
}

Result<Image> DecodePng(const std::filesystem::path& path, const std::string& bytes,
                        std::size_t channels) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) {
    return Broken(path, png.message);
  }
  const Result<> size = CheckSize(path, png.width, png.height);
  if (!size) {
    png_image_free(&png);
    return Fail(size.error());
  }
  png.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  Image image{png.width, png.height, channels, {}};
  image.pixels.resize(PNG_IMAGE_SIZE(png));
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png, &black, image.pixels.data(), 0, nullptr) == 0) {
    png_image_free(&png);
    return Broken(path, png.message);
  }
  return image;
}

/// libjpeg reports errors by a call that must not return.
struct JpegErrors {
  jpeg_error_mgr manager;
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
};

void OnJpegError(j_common_ptr info) {
  auto* errors = reinterpret_cast<JpegErrors*>(info->err);
  info->err->format_message(info, errors->message);
  std::longjmp(errors->jump, 1);
}

/// A corrupt stream is a warning to libjpeg, which fills the rest with grey; here it is an error.
void OnJpegMessage(j_common_ptr info, int level) {
  if (level < 0) OnJpegError(info);
}

/// Plain data only between setjmp and longjmp: no destructor may be skipped.
bool DecodeJpegInto(jpeg_decompress_struct& jpeg, JpegErrors& errors, Image& image,
                    std::uint64_t& width, std::uint64_t& height, const unsigned char* bytes,
                    unsigned long size, bool grey) {
  if (setjmp(errors.jump) != 0) return false;
  jpeg_create_decompress(&jpeg);
  jpeg_mem_src(&jpeg, bytes, size);
  jpeg_read_header(&jpeg, TRUE);
  width = jpeg.image_width;
  height = jpeg.image_height;
  if (width * height > kMostPixels) return true;
  jpeg.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
  jpeg.dct_method = JDCT_ISLOW;
  jpeg_start_decompress(&jpeg);
  image.width = jpeg.output_width;
  image.height = jpeg.output_height;
  image.channels = static_cast<std::size_t>(jpeg.output_components);
  image.pixels.resize(image.width * image.height * image.channels);
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = image.pixels.data() + jpeg.output_scanline * image.width * image.channels;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

Result<Image> DecodeJpeg(const std::filesystem::path& path, const std::string& bytes,
                         std::size_t channels) {
  jpeg_decompress_struct jpeg{};
  JpegErrors errors{};
  jpeg.err = jpeg_std_error(&errors.manager);
  errors.manager.error_exit = OnJpegError;
  errors.manager.emit_message = OnJpegMessage;
  Image image;
  std::uint64_t width = 0;
  std::uint64_t height = 0;
  const bool whole = DecodeJpegInto(jpeg, errors, image, width, height,
                                    reinterpret_cast<const unsigned char*>(bytes.data()),
                                    bytes.size(), channels == 1);
  jpeg_destroy_decompress(&jpeg);
  if (!whole) return Broken(path, errors.message);
  KENNING_RETURN_IF_ERROR(CheckSize(path, width, height));
  return image;
}

/// Weights of the source pixels of one output position, along one side.
struct Taps {
  std::size_t first = 0;
  std::vector<float> weights;
};

/// A triangle as wide as the larger of the two pixel sizes: bilinear up, averaging down.
std::vector<Taps> MakeTaps(std::size_t from, double offset, double span, std::size_t to) {
  const double step = span / static_cast<double>(to);
  const double reach = std::max(step, 1.0);
  std::vector<Taps> taps(to);
  for (std::size_t i = 0; i < to; ++i) {
    const double centre = offset + (static_cast<double>(i) + 0.5) * step;
    const auto first = static_cast<std::int64_t>(std::floor(centre - reach));
    const auto last = static_cast<std::int64_t>(std::ceil(centre + reach));
    const auto low = static_cast<std::size_t>(std::max<std::int64_t>(first, 0));
    const auto high = static_cast<std::size_t>(
        std::clamp<std::int64_t>(last, 1, static_cast<std::int64_t>(from)));
    taps[i].first = std::min(low, from - 1);
    double sum = 0;
    std::vector<double> weights;
    for (std::size_t k = taps[i].first; k < high; ++k) {
      const double distance = std::abs(static_cast<double>(k) + 0.5 - centre);
      weights.push_back(std::max(0.0, 1.0 - distance / reach));
      sum += weights.back();
    }
    if (weights.empty() || sum <= 0) {
      weights.assign(1, 1.0);
      sum = 1;
    }
    for (const double weight : weights) taps[i].weights.push_back(static_cast<float>(weight / sum));
  }
  return taps;
}

void Resample(const Image& image, const std::vector<Taps>& columns, const std::vector<Taps>& rows,
              float* out) {
  const std::size_t channels = image.channels;
  std::vector<float> line(columns.size() * channels);
  std::fill_n(out, rows.size() * columns.size() * channels, 0.0F);
  for (std::size_t y = 0; y < rows.size(); ++y) {
    float* to = out + y * line.size();
    for (std::size_t k = 0; k < rows[y].weights.size(); ++k) {
      const std::uint8_t* from = image.pixels.data() + (rows[y].first + k) * image.width * channels;
      std::ranges::fill(line, 0.0F);
      for (std::size_t x = 0; x < columns.size(); ++x) {
        const Taps& taps = columns[x];
        for (std::size_t j = 0; j < taps.weights.size(); ++j) {
          for (std::size_t c = 0; c < channels; ++c) {
            line[x * channels + c] +=
                taps.weights[j] * static_cast<float>(from[(taps.first + j) * channels + c]);
          }
        }
      }
      const float weight = rows[y].weights[k] / 255.0F;
      for (std::size_t i = 0; i < line.size(); ++i) to[i] += weight * line[i];
    }
  }
}

}  // namespace

Result<Image> ReadImage(const std::filesystem::path& path, std::size_t channels) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMostFileBytes));
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return DecodePng(path, bytes, channels);
  if (bytes.starts_with("\xff\xd8\xff")) return DecodeJpeg(path, bytes, channels);
  return Broken(path, "neither PNG nor JPEG");
}

Result<Tensor> ToTensor(const Image& image, std::size_t width, std::size_t height, Resize resize) {
  KENNING_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::Create(DType::kFloat32, {static_cast<std::int64_t>(height),
                                                      static_cast<std::int64_t>(width),
                                                      static_cast<std::int64_t>(image.channels)}));
  const std::span<float> out = tensor.as<float>();
  if (image.width == width && image.height == height) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = static_cast<float>(image.pixels[i]) / 255.0F;
    }
    return tensor;
  }
  if (resize == Resize::kNone) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("the image has {} x {} pixels, {} x {} are expected; set the parameter "
                            "resize to \"stretch\" or \"crop\"",
                            image.width, image.height, width, height));
  }
  auto span_x = static_cast<double>(image.width);
  auto span_y = static_cast<double>(image.height);
  if (resize == Resize::kCrop) {
    const double wanted = static_cast<double>(width) / static_cast<double>(height);
    if (span_x > span_y * wanted) {
      span_x = span_y * wanted;
    } else {
      span_y = span_x / wanted;
    }
  }
  const double left = (static_cast<double>(image.width) - span_x) / 2;
  const double top = (static_cast<double>(image.height) - span_y) / 2;
  Resample(image, MakeTaps(image.width, left, span_x, width),
           MakeTaps(image.height, top, span_y, height), out.data());
  return tensor;
}

bool IsImageFile(const std::filesystem::path& path) {
  const std::string extension = ToLower(path.extension().string());
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

}  // namespace kenning
