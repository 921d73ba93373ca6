// SPDX-License-Identifier: Apache-2.0
#include "model_format.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/tar.h"

namespace kenning::target {
namespace {

constexpr std::size_t kHeadBytes = 4096;
constexpr std::size_t kZipTailBytes = 1 << 20;
constexpr int kMostFields = 100'000;

/// The file, read in pieces.
class Bytes {
 public:
  explicit Bytes(const std::filesystem::path& path) : stream_(path, std::ios::binary) {
    stream_.seekg(0, std::ios::end);
    const auto end = stream_.tellg();
    size_ = end < 0 ? 0 : static_cast<std::uint64_t>(end);
  }
  bool good() const { return stream_.is_open(); }
  std::uint64_t size() const { return size_; }
  /// At most `count` bytes; fewer at the end of the file.
  std::string Read(std::uint64_t offset, std::size_t count) {
    if (offset >= size_) return "";
    std::string out(static_cast<std::size_t>(std::min<std::uint64_t>(count, size_ - offset)), '\0');
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(out.data(), static_cast<std::streamsize>(out.size()));
    out.resize(static_cast<std::size_t>(std::max<std::streamsize>(stream_.gcount(), 0)));
    return out;
  }

 private:
  std::ifstream stream_;
  std::uint64_t size_ = 0;
};

std::uint64_t LittleEndian(std::string_view bytes, std::size_t at, std::size_t count) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

/// Names in the central directory of a ZIP archive, as far as its last megabyte holds it.
std::vector<std::string> ZipNames(Bytes& file) {
  const std::uint64_t start = file.size() > kZipTailBytes ? file.size() - kZipTailBytes : 0;
  const std::string tail = file.Read(start, kZipTailBytes);
  std::vector<std::string> names;
  for (std::size_t at = tail.find("PK\x01\x02"); at != std::string::npos;
       at = tail.find("PK\x01\x02", at + 4)) {
    if (tail.size() - at < 46) break;
    const std::size_t length = LittleEndian(tail, at + 28, 2);
    if (tail.size() - at - 46 < length) break;
    names.push_back(tail.substr(at + 46, length));
  }
  return names;
}

std::string FormatOfZip(Bytes& file) {
  bool torch = false;
  bool exported = false;
  bool keras = false;
  bool iree = false;
  for (const std::string& name : ZipNames(file)) {
    const std::size_t slash = name.find('/');
    const std::string_view below =
        slash == std::string::npos ? std::string_view() : std::string_view(name).substr(slash + 1);
    torch = torch || below == "data.pkl" || below == "constants.pkl" || below.starts_with("code/");
    exported = exported || name == "serialized_exported_program.json" ||
               below == "archive_format" ||
               (below.starts_with("models/") && below.ends_with(".json"));
    keras = keras || name == "model.weights.h5" || name == "config.json";
    iree = iree || name == "module.fb";
  }
  if (exported) return "torch_export";
  if (torch) return "torchscript";
  if (iree) return "iree";
  return keras ? "keras" : "";
}

/// A base-128 number of protobuf; moves `at` behind it.
std::optional<std::uint64_t> Varint(std::string_view bytes, std::size_t& at) {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[at++]);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

/// Whether the file is a protobuf message with the fields of ONNX's ModelProto, a graph among them.
bool IsOnnx(Bytes& file) {
  constexpr std::size_t kHeadOfField = 20;
  bool graph = false;
  std::uint64_t offset = 0;
  for (int fields = 0; offset < file.size(); ++fields) {
    if (fields == kMostFields) return false;
    const std::string head = file.Read(offset, kHeadOfField);
    std::size_t at = 0;
    const auto tag = Varint(head, at);
    if (!tag) return false;
    const std::uint64_t field = *tag >> 3U;
    const auto value = Varint(head, at);
    if (!value) return false;
    if ((*tag & 7U) == 2) {
      if (*value > file.size() - offset - at) return false;
      offset += at + *value;
    } else if ((*tag & 7U) == 0) {
      offset += at;
    } else {
      return false;
    }
    graph = graph || (field == 7 && (*tag & 7U) == 2);
    // ModelProto: 1 to 8, 14 metadata, 20 training, 25 functions, 26 device configuration.
    if (field == 0 || field > 26) return false;
  }
  return graph;
}

std::string_view SkipSpace(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const std::size_t at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? std::string_view() : text.substr(at);
}

/// Names of the first members of a tar archive. Damage ends the list; unpacking finds it.
std::vector<std::string> TarNames(Bytes& file) {
  constexpr std::size_t kBlock = 512;
  constexpr int kMostMembers = 1000;
  std::vector<std::string> names;
  std::uint64_t offset = 0;
  for (int i = 0; i < kMostMembers && offset < file.size(); ++i) {
    const std::string header = file.Read(offset, kBlock);
    if (header.size() < kBlock || header[0] == '\0') break;
    std::uint64_t size = 0;
    const std::string_view digits = std::string_view(header).substr(124, 11);
    std::from_chars(digits.data(), digits.data() + digits.size(), size, 8);
    if (size > file.size()) break;
    std::string name = header.substr(0, std::min<std::size_t>(header.find('\0'), 100));
    if (name.starts_with("./")) name.erase(0, 2);
    names.push_back(std::move(name));
    offset += kBlock + (size + kBlock - 1) / kBlock * kBlock;
  }
  return names;
}

Result<std::string> FormatOfArchive(Bytes& file) {
  const std::vector<std::string> names = TarNames(file);
  const auto holds = [&](std::string_view name) {
    return std::ranges::find(names, name) != names.end();
  };
  if (holds("saved_model.pb")) return "savedmodel";
  if (holds("model.xml")) return "openvino";
  if (holds("model.so")) return "tvm";
  return Fail(ErrorCode::kInvalidModel,
              "the archive is neither a model of TVM (model.so) nor a folder of TensorFlow "
              "(saved_model.pb) or OpenVINO (model.xml)");
}

}  // namespace

Result<std::string> RecogniseFormat(const std::filesystem::path& path) {
  Bytes file(path);
  if (!file.good()) return Fail(ErrorCode::kIo, "the model cannot be read on the target");
  const std::string head = file.Read(0, kHeadBytes);
  const std::string_view text = head;
  const std::string_view mark = text.substr(std::min<std::size_t>(4, text.size()));
  if (mark.starts_with("TFL3")) return "tflite";
  if (mark.starts_with("ET1")) return "executorch";
  if (mark.starts_with("IREE") || text.substr(std::min<std::size_t>(8, text.size()), 4) == "IREE") {
    return "iree";
  }
  if (text.starts_with("\x89HDF\r\n\x1A\n")) return "keras";
  if (text.starts_with("\x7F"
                       "ELF"))
    return "tvm";
  if (text.starts_with("PK\x03\x04")) {
    const std::string format = FormatOfZip(file);
    if (!format.empty()) return format;
  } else if (LooksLikeTar(std::as_bytes(std::span(text)))) {
    return FormatOfArchive(file);
  } else if (const std::string_view start = SkipSpace(text);
             start.starts_with("<?xml") || start.starts_with("<net")) {
    return Fail(ErrorCode::kUnsupported,
                "a graph of OpenVINO without its weights; send the folder with model.xml and "
                "model.bin");
  } else if (start.starts_with('{') && text.find("\"inputs\"") != std::string_view::npos) {
    return "null";
  } else if (IsOnnx(file)) {
    return "onnx";
  }
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{} bytes that are no model of a known format (TFLite, ONNX, ExecuTorch, "
                          "IREE, TVM, TorchScript, Keras, or a tar archive of a model's folder)",
                          file.size()));
}

bool TravelsAsArchive(const std::filesystem::path& path, const std::string& format) {
  if (format != "savedmodel" && format != "openvino") return false;
  Bytes file(path);
  const std::string head = file.Read(0, kHeadBytes);
  return LooksLikeTar(std::as_bytes(std::span(head)));
}

}  // namespace kenning::target
