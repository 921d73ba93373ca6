// SPDX-License-Identifier: Apache-2.0
#include "onnx_graph/onnx_reader.h"

#include <fmt/format.h>

#include <array>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "onnx_graph/external_data.h"
#include "onnx_graph/validate.h"

namespace kenning::onnx_graph {
namespace {

struct Magic {
  std::size_t offset;
  std::string_view bytes;
  const char* what;
};

constexpr std::array<Magic, 15> kMagics = {{
    {0, "version https://git-lfs", "a Git LFS pointer; fetch the file itself with `git lfs pull`"},
    {0, "<!DOCTYPE", "an HTML page, probably of a download that failed"},
    {0, "<!doctype", "an HTML page, probably of a download that failed"},
    {0, "<html", "an HTML page, probably of a download that failed"},
    {0, "<HTML", "an HTML page, probably of a download that failed"},
    {0, "<?xml", "an XML file"},
    {4, "TFL3", "a TensorFlow Lite model"},
    {4, "ORTM", "a model in ONNX Runtime's own format (.ort); use the .onnx file"},
    {0, "\x89HDF\r\n", "an HDF5 file (Keras .h5)"},
    {0, "PK\x03\x04", "a ZIP archive (PyTorch .pt, Keras .keras, or a packed download)"},
    {0, "\x1f\x8b", "a gzip archive; unpack it"},
    {0, "\x80\x02", "a Python pickle (PyTorch .pth)"},
    {0,
     "\x7f"
     "ELF",
     "a shared library or program"},
    {0, "{", "a JSON file"},
    {0, "\x89PNG", "a PNG image"},
}};

/// What a file that is not ONNX looks like; null where unknown.
const char* RecogniseOther(std::string_view bytes) {
  for (const Magic& magic : kMagics) {
    if (bytes.size() >= magic.offset &&
        bytes.substr(magic.offset, magic.bytes.size()) == magic.bytes) {
      return magic.what;
    }
  }
  return nullptr;
}

/// Reads one base-128 number of a protobuf; false at the end of the data.
bool ReadVarint(std::string_view& bytes, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return false;
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if ((byte & 0x80U) == 0) return true;
  }
  return false;
}

/// Says why the outermost fields do not parse: cut off, or not a protobuf at all.
std::string ExplainBrokenProtobuf(std::string_view bytes) {
  const std::size_t size = bytes.size();
  while (!bytes.empty()) {
    std::uint64_t tag = 0;
    std::uint64_t value = 0;
    if (!ReadVarint(bytes, tag)) return fmt::format("it ends within a field at byte {}", size);
    const std::uint64_t wire_type = tag & 7U;
    if (wire_type == 0 && ReadVarint(bytes, value)) continue;
    if (wire_type != 2) return "it is no protobuf, or it is corrupt";
    if (!ReadVarint(bytes, value)) return fmt::format("it ends within a field at byte {}", size);
    if (value > bytes.size()) {
      return fmt::format("it is truncated: a part of {} bytes begins at byte {}, and {} are there",
                         value, size - bytes.size(), bytes.size());
    }
    bytes.remove_prefix(static_cast<std::size_t>(value));
  }
  return "it is corrupt, or its subgraphs are nested too deeply";
}

Result<onnx::ModelProto> Parse(std::string_view bytes) {
  if (bytes.empty()) return Fail(ErrorCode::kInvalidModel, "the file is empty");
  if (bytes.size() > kMaxModelBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("the file has {}; an ONNX file has at most 2 GiB (store the weights "
                            "as external data)",
                            HumanBytes(bytes.size())));
  }
  if (const char* other = RecogniseOther(bytes)) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("this is no ONNX model but {}", other));
  }
  onnx::ModelProto model;
  if (!model.ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Fail(ErrorCode::kInvalidModel,
                "this is no readable ONNX model: " + ExplainBrokenProtobuf(bytes));
  }
  if (!model.has_graph() || (model.graph().node_size() == 0 && model.graph().output_size() == 0)) {
    return Fail(ErrorCode::kInvalidModel, "this is no ONNX model: it has no graph");
  }
  return model;
}

Result<onnx::ModelProto> ParseAndCheck(std::string_view bytes) {
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, Parse(bytes));
  KENNING_RETURN_IF_ERROR(CheckVersionsAndDomains(model));
  KENNING_RETURN_IF_ERROR(CheckAndSortGraph(*model.mutable_graph()));
  return model;
}

Result<onnx::ModelProto> ReadFileWith(const std::filesystem::path& path, ExternalData mode) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxModelBytes));
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseAndCheck(bytes), path.string());
  KENNING_RETURN_IF_ERROR(
      ResolveExternalData(*model.mutable_graph(), path.parent_path(), mode, bytes.size()),
      path.string());
  return model;
}

}  // namespace

Result<onnx::ModelProto> ReadOnnxModel(const std::filesystem::path& path) {
  return ReadFileWith(path, ExternalData::kLoad);
}

Result<onnx::ModelProto> ReadOnnxModelFromBytes(
    std::string_view bytes, const std::string& name,
    const std::optional<std::filesystem::path>& base_folder) {
  KENNING_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseAndCheck(bytes), name);
  if (base_folder) {
    KENNING_RETURN_IF_ERROR(ResolveExternalData(*model.mutable_graph(), *base_folder,
                                                ExternalData::kLoad, bytes.size()),
                            name);
  } else {
    KENNING_RETURN_IF_ERROR(RefuseExternalData(*model.mutable_graph()), name);
  }
  return model;
}

Result<> CheckOnnxFile(const std::filesystem::path& path) {
  KENNING_RETURN_IF_ERROR(ReadFileWith(path, ExternalData::kCheck));
  return {};
}

Result<ModelSpec> InspectOnnx(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const onnx::ModelProto model, ReadFileWith(path, ExternalData::kCheck));
  return SpecOfModel(model, path.string());
}

std::int64_t OpsetVersion(const onnx::ModelProto& model) {
  for (const auto& opset : model.opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") return opset.version();
  }
  return 0;
}

}  // namespace kenning::onnx_graph
