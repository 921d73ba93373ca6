// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/external_data.h"

#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "kenning/base/strings.h"
#include "onnx_graph/onnx_reader.h"
#include "onnx_graph/tensors.h"
#include "onnx_graph/validate.h"

namespace kenning::onnx_graph {
namespace {

namespace fs = std::filesystem;

struct Location {
  fs::path path;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

Result<std::uint64_t> ParseNumber(const onnx::TensorProto& tensor, const std::string& key,
                                  const std::string& text) {
  std::uint64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, value);
  if (error == std::errc() && at == end) return value;
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("external data of tensor \"{}\": {} is \"{}\", not a number",
                          tensor.name(), key, text));
}

Error Refuse(const onnx::TensorProto& tensor, const std::string& location, const char* why) {
  return {ErrorCode::kInvalidModel,
          fmt::format("external data of tensor \"{}\": the path \"{}\" {}; external data must lie "
                      "below the model's own folder",
                      tensor.name(), location, why)};
}

bool IsBelow(const fs::path& path, const fs::path& folder) {
  auto at = path.begin();
  for (const fs::path& part : folder) {
    if (part.empty()) continue;
    if (at == path.end() || *at != part) return false;
    ++at;
  }
  return at != path.end();
}

Result<fs::path> ResolvePath(const onnx::TensorProto& tensor, const std::string& location,
                             const fs::path& base_folder) {
  const fs::path relative(location);
  if (location.empty()) return Fail(Refuse(tensor, location, "is empty"));
  if (location.find('\0') != std::string::npos) {
    return Fail(Refuse(tensor, "(with a zero byte)", "is no path"));
  }
  if (relative.is_absolute()) return Fail(Refuse(tensor, location, "is absolute"));
  for (const fs::path& part : relative) {
    if (part == "..") return Fail(Refuse(tensor, location, "climbs out of the folder"));
  }
  std::error_code error;
  const fs::path folder = fs::canonical(base_folder, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", base_folder.string(), error.message()));
  }
  const fs::path path = fs::canonical(folder / relative, error);
  if (error) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("external data of tensor \"{}\": {}: {}; put the file beside the model",
                            tensor.name(), (base_folder / relative).string(), error.message()));
  }
  if (!IsBelow(path, folder)) {
    return Fail(Refuse(tensor, location, "is a link out of the folder"));
  }
  if (!fs::is_regular_file(path, error)) {
    return Fail(Refuse(tensor, location, "is no regular file"));
  }
  return path;
}

Result<Location> Locate(const onnx::TensorProto& tensor, const fs::path& base_folder) {
  Location result;
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t want, RawBytesOf(tensor));
  result.length = want;
  std::string location;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") location = entry.value();
    if (entry.key() == "offset") {
      KENNING_ASSIGN_OR_RETURN(result.offset, ParseNumber(tensor, entry.key(), entry.value()));
    }
    if (entry.key() == "length") {
      KENNING_ASSIGN_OR_RETURN(result.length, ParseNumber(tensor, entry.key(), entry.value()));
    }
  }
  KENNING_ASSIGN_OR_RETURN(result.path, ResolvePath(tensor, location, base_folder));
  if (result.length != want) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("external data of tensor \"{}\": its shape needs {} bytes, the model "
                            "says {}",
                            tensor.name(), want, result.length));
  }
  std::error_code error;
  const std::uint64_t size = fs::file_size(result.path, error);
  if (error) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", result.path.string(), error.message()));
  }
  if (result.offset > size || result.length > size - result.offset) {
    return Fail(
        ErrorCode::kInvalidModel,
        fmt::format("external data of tensor \"{}\": bytes {} to {} are beyond the end of "
                    "\"{}\" ({} bytes): the file is truncated or another one",
                    tensor.name(), result.offset, result.offset + result.length, location, size));
  }
  return result;
}

Result<> LoadInto(onnx::TensorProto& tensor, const Location& location) {
  std::string bytes(static_cast<std::size_t>(location.length), '\0');
  std::ifstream file(location.path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(location.offset));
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!file) {
    return Fail(ErrorCode::kIo, fmt::format("cannot read {}", location.path.string()));
  }
  tensor.set_raw_data(std::move(bytes));
  tensor.clear_external_data();
  tensor.clear_data_location();
  return {};
}

}  // namespace

Result<> ResolveExternalData(onnx::GraphProto& graph, const fs::path& base_folder,
                             ExternalData mode, std::uint64_t used_bytes) {
  const fs::path base = base_folder.empty() ? fs::path(".") : base_folder;
  return ForEachTensor(graph, [&](onnx::TensorProto& tensor) -> Result<> {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) return {};
    KENNING_ASSIGN_OR_RETURN(const Location location, Locate(tensor, base));
    if (mode == ExternalData::kCheck) return {};
    if (location.length > kMaxModelBytes - std::min(used_bytes, kMaxModelBytes)) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("the model and its external data are larger than {}",
                              HumanBytes(kMaxModelBytes)));
    }
    used_bytes += location.length;
    return LoadInto(tensor, location);
  });
}

Result<> RefuseExternalData(onnx::GraphProto& graph) {
  return ForEachTensor(graph, [](onnx::TensorProto& tensor) -> Result<> {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) return {};
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("tensor \"{}\" lies in an external file, and the model was not read "
                            "from a folder",
                            tensor.name()));
  });
}

}  // namespace kenning::onnx_graph
