// SPDX-License-Identifier: Apache-2.0
#include "model_check.h"

#include <fmt/format.h>

#include <cstring>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "ov_api.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargestFile = std::uint64_t{2} << 30;
constexpr std::uint64_t kLargestWeights = std::uint64_t{16} << 30;
constexpr std::uint64_t kLargestXml = std::uint64_t{64} << 20;
constexpr int kDeepestXml = 64;

tl::unexpected<Error> Bad(const fs::path& path, std::string_view what) {
  return Fail(ErrorCode::kInvalidModel, fmt::format("{}: {}", path.string(), what));
}

Result<std::uint64_t> SizeOfFile(const fs::path& path, std::uint64_t largest) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()));
  }
  if (!fs::is_regular_file(status)) return Bad(path, "is not a regular file");
  const std::uint64_t size = fs::file_size(path, error);
  if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", path.string(), error.message()));
  if (size > largest) {
    return Bad(path, fmt::format("{} is more than the {} that are read of such a file",
                                 HumanBytes(size), HumanBytes(largest)));
  }
  return size;
}

/// TFLite models are FlatBuffers with the identifier TFL3; OpenVINO verifies what is inside.
Result<> CheckTflite(const fs::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t size, SizeOfFile(path, kLargestFile));
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kLargestFile));
  if (size < 12 || bytes.size() != size || std::memcmp(bytes.data() + 4, "TFL3", 4) != 0) {
    return Bad(path, "is not a TensorFlow Lite model: the identifier TFL3 is missing");
  }
  std::uint32_t root = 0;
  std::memcpy(&root, bytes.data(), sizeof(root));
  if (root < 8 || root > size - 4) return Bad(path, "its root table lies outside the file");
  return {};
}

/// Nested elements become nested calls in readers of IR.
Result<> CheckXmlDepth(const fs::path& path, std::string_view text) {
  int depth = 0;
  for (std::size_t i = text.find('<'); i != std::string_view::npos; i = text.find('<', i + 1)) {
    if (i + 1 >= text.size()) break;
    const char next = text[i + 1];
    if (next == '!' || next == '?') continue;
    const std::size_t end = text.find('>', i);
    if (end == std::string_view::npos) return Bad(path, "the XML ends within an element");
    if (next == '/') {
      --depth;
    } else if (text[end - 1] != '/') {
      ++depth;
    }
    if (depth > kDeepestXml || depth < 0) return Bad(path, "the XML is nested wrongly or too deep");
  }
  return depth == 0 ? Result<>{} : Bad(path, "the XML is cut off");
}

Result<> CheckIr(const fs::path& path) {
  std::error_code error;
  if (!fs::exists(path, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such folder", path.string()));
  }
  if (!fs::is_directory(path, error)) {
    fs::path folder = path;
    folder.replace_extension(".openvino");
    fs::path weights = path;
    weights.replace_extension(".bin");
    if (path.extension() != ".xml") {
      return Bad(path, "an OpenVINO model is a folder that holds model.xml and model.bin");
    }
    return Bad(path,
               fmt::format("an OpenVINO model is given as a folder, so that its size and sum "
                           "cover the weights: mkdir {0} && cp {1} {0}/{2} && cp {3} {0}/{4}",
                           folder.string(), path.string(), kIrGraph, weights.string(), kIrWeights));
  }
  const fs::path graph = path / kIrGraph;
  KENNING_RETURN_IF_ERROR(SizeOfFile(graph, kLargestXml));
  KENNING_RETURN_IF_ERROR(SizeOfFile(path / kIrWeights, kLargestWeights));
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(graph, kLargestXml));
  if (text.find("<net") == std::string::npos || text.find('\0') != std::string::npos) {
    return Bad(graph, "is not the XML of an OpenVINO model");
  }
  return CheckXmlDepth(graph, text);
}

Result<> CheckOnnx(const fs::path& path) {
  KENNING_RETURN_IF_ERROR(SizeOfFile(path, kLargestFile));
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kLargestFile));
  KENNING_RETURN_IF_ERROR(CheckOnnxBytes(bytes, path.parent_path()), path.string());
  return {};
}

}  // namespace

Result<> CheckModel(const fs::path& path, std::string_view format) {
  if (format == "openvino") return CheckIr(path);
  if (format == "onnx") return CheckOnnx(path);
  if (format == "tflite") return CheckTflite(path);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: the formats \"openvino\", \"onnx\" and \"tflite\" run here, not "
                          "\"{}\"; add an optimizer that produces one of them, or choose another "
                          "runtime",
                          path.string(), format));
}

}  // namespace kenning::openvino
