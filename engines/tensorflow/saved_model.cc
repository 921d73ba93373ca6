// SPDX-License-Identifier: Apache-2.0
#include "saved_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "wire_reader.h"

namespace kenning::tensorflow {
namespace {

// Protocol Buffers end at 2 GiB.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 31;
constexpr std::size_t kMostTensors = 1024;
constexpr std::size_t kMostDims = 8;

constexpr std::array<std::pair<DType, int>, 13> kTypes = {{{DType::kFloat32, 1},
                                                           {DType::kFloat64, 2},
                                                           {DType::kInt32, 3},
                                                           {DType::kUint8, 4},
                                                           {DType::kInt16, 5},
                                                           {DType::kInt8, 6},
                                                           {DType::kInt64, 9},
                                                           {DType::kBool, 10},
                                                           {DType::kBFloat16, 14},
                                                           {DType::kUint16, 17},
                                                           {DType::kFloat16, 19},
                                                           {DType::kUint32, 22},
                                                           {DType::kUint64, 23}}};

tl::unexpected<Error> Broken(std::string_view what) {
  return Fail(ErrorCode::kInvalidModel, fmt::format("the file is truncated or corrupt ({})", what));
}

/// Calls `use` for every field of a message.
template <typename Use>
Result<> ForEachField(std::string_view bytes, std::string_view what, Use&& use) {
  WireReader reader(bytes);
  while (const auto field = reader.Next()) KENNING_RETURN_IF_ERROR(use(*field));
  if (!reader.ok()) return Broken(what);
  return {};
}

/// A graph of the file; the messages inside are read where they are needed.
struct MetaGraph {
  std::vector<std::string> tags;
  std::vector<std::pair<std::string, std::string_view>> signatures;
  bool has_graph = false;
  bool has_saver = false;
  bool has_objects = false;
};

/// An entry of a map from strings to messages.
Result<std::pair<std::string, std::string_view>> ParseEntry(std::string_view bytes) {
  std::pair<std::string, std::string_view> entry;
  KENNING_RETURN_IF_ERROR(
      ForEachField(bytes, "an entry of a map", [&](const WireField& field) -> Result<> {
        if (field.number == 1 && field.is_bytes) entry.first = field.bytes;
        if (field.number == 2 && field.is_bytes) entry.second = field.bytes;
        return {};
      }));
  return entry;
}

Result<std::vector<std::string>> ParseTags(std::string_view meta_info) {
  std::vector<std::string> tags;
  KENNING_RETURN_IF_ERROR(
      ForEachField(meta_info, "its description", [&](const WireField& field) -> Result<> {
        if (field.number == 4 && field.is_bytes) tags.emplace_back(field.bytes);
        return {};
      }));
  return tags;
}

Result<MetaGraph> ParseMetaGraph(std::string_view bytes) {
  MetaGraph graph;
  KENNING_RETURN_IF_ERROR(ForEachField(bytes, "a graph", [&](const WireField& field) -> Result<> {
    if (!field.is_bytes) return {};
    graph.has_saver = graph.has_saver || field.number == 3;
    graph.has_objects = graph.has_objects || field.number == 7;
    if (field.number == 1) {
      KENNING_ASSIGN_OR_RETURN(graph.tags, ParseTags(field.bytes));
    } else if (field.number == 2) {
      graph.has_graph = true;
      return ForEachField(field.bytes, "the operations of a graph",
                          [](const WireField&) -> Result<> { return {}; });
    } else if (field.number == 5) {
      KENNING_ASSIGN_OR_RETURN(auto entry, ParseEntry(field.bytes));
      if (graph.signatures.size() == kMostTensors) return Broken("too many signatures");
      graph.signatures.push_back(std::move(entry));
    }
    return {};
  }));
  return graph;
}

Result<std::int64_t> ParseDimension(std::string_view bytes) {
  std::int64_t size = 0;
  KENNING_RETURN_IF_ERROR(
      ForEachField(bytes, "a dimension", [&](const WireField& field) -> Result<> {
        if (field.number == 1) size = static_cast<std::int64_t>(field.value);
        return {};
      }));
  return size < 0 ? kAnyDim : size;
}

/// \return empty for an unknown rank.
Result<std::optional<Shape>> ParseShape(std::string_view bytes) {
  Shape shape;
  bool unknown_rank = false;
  KENNING_RETURN_IF_ERROR(ForEachField(bytes, "a shape", [&](const WireField& field) -> Result<> {
    if (field.number == 3) unknown_rank = field.value != 0;
    if (field.number != 2 || !field.is_bytes) return {};
    KENNING_ASSIGN_OR_RETURN(const std::int64_t size, ParseDimension(field.bytes));
    if (shape.size() == kMostDims) return Broken("more than 8 dimensions");
    shape.push_back(size);
    return {};
  }));
  if (unknown_rank) return std::optional<Shape>();
  return std::optional<Shape>(std::move(shape));
}

/// "name:0" -> operation and index.
Result<> SplitTensorName(std::string_view text, SignatureTensor& tensor) {
  const std::size_t colon = text.rfind(':');
  tensor.operation = text.substr(0, colon);
  if (colon == std::string_view::npos) return {};
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data() + colon + 1, end, tensor.index);
  if (error != std::errc() || at != end || tensor.index < 0) return Broken("the name of a tensor");
  return {};
}

Result<SignatureTensor> ParseTensor(const std::string& name, std::string_view bytes) {
  SignatureTensor tensor;
  tensor.spec.name = name;
  int type = 0;
  std::optional<Shape> shape = Shape();
  bool dense = false;
  KENNING_RETURN_IF_ERROR(
      ForEachField(bytes, "a tensor of the signature", [&](const WireField& field) -> Result<> {
        if (field.number == 1 && field.is_bytes) {
          dense = true;
          return SplitTensorName(field.bytes, tensor);
        }
        if (field.number == 2) type = static_cast<int>(field.value);
        if (field.number == 3 && field.is_bytes) {
          KENNING_ASSIGN_OR_RETURN(shape, ParseShape(field.bytes));
        }
        return {};
      }));
  if (!dense) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" is a sparse or composite tensor", name));
  }
  const std::optional<DType> dtype = FromTfType(type);
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has the element type {} of TensorFlow (7: strings), which "
                            "kenning does not carry",
                            name, type));
  }
  if (!shape) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has no fixed number of dimensions", name));
  }
  tensor.spec.dtype = *dtype;
  tensor.spec.shape = *std::move(shape);
  return tensor;
}

/// "input_2" before "input_10".
bool NaturalLess(std::string_view a, std::string_view b) {
  const auto split = [](std::string_view text) {
    std::size_t at = text.size();
    while (at > 0 && std::isdigit(static_cast<unsigned char>(text[at - 1])) != 0) --at;
    unsigned long number = 0;
    const auto parsed = std::from_chars(text.data() + at, text.data() + text.size(), number);
    return std::pair{text.substr(0, at), parsed.ec == std::errc() ? number : 0};
  };
  const auto left = split(a);
  const auto right = split(b);
  return left != right ? left < right : a < b;
}

Result<Signature> ParseSignatureDef(const MetaGraph& graph, const std::string& key,
                                    std::string_view bytes) {
  Signature signature;
  signature.key = key;
  signature.tags = graph.tags;
  // Version 2 writes a file of variables even where there are none.
  signature.needs_variables = graph.has_saver && graph.has_objects;
  KENNING_RETURN_IF_ERROR(
      ForEachField(bytes, "the signature", [&](const WireField& field) -> Result<> {
        if (!field.is_bytes || field.number > 2) return {};
        auto& tensors = field.number == 1 ? signature.inputs : signature.outputs;
        KENNING_ASSIGN_OR_RETURN(const auto entry, ParseEntry(field.bytes));
        if (tensors.size() == kMostTensors) return Broken("too many tensors");
        KENNING_ASSIGN_OR_RETURN(SignatureTensor tensor, ParseTensor(entry.first, entry.second));
        tensors.push_back(std::move(tensor));
        return {};
      }));
  for (auto* tensors : {&signature.inputs, &signature.outputs}) {
    std::ranges::sort(*tensors, [](const SignatureTensor& a, const SignatureTensor& b) {
      return NaturalLess(a.spec.name, b.spec.name);
    });
  }
  for (SignatureTensor& tensor : signature.inputs) {
    tensor.spec.layout = GuessLayout(tensor.spec.shape);
  }
  if (signature.outputs.empty()) {
    return Fail(ErrorCode::kUnsupported, fmt::format("the signature \"{}\" gives nothing", key));
  }
  return signature;
}

Result<Signature> ChooseSignature(const MetaGraph& graph) {
  std::vector<std::string> names;
  for (const auto& [key, bytes] : graph.signatures) {
    if (key == "serving_default") return ParseSignatureDef(graph, key, bytes);
    // Names with two underscores in front are TensorFlow's own.
    if (!key.starts_with("__")) names.push_back(key);
  }
  if (names.size() == 1) {
    for (const auto& [key, bytes] : graph.signatures) {
      if (key == names.front()) return ParseSignatureDef(graph, key, bytes);
    }
  }
  if (names.empty()) {
    return Fail(ErrorCode::kUnsupported,
                "the model has no signature, which says what it takes and gives; export it with "
                "model.export() of Keras, or with the argument \"signatures\" of "
                "tf.saved_model.save");
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the model has the signatures {} and none of the name serving_default",
                          Join(names)));
}

}  // namespace

std::optional<DType> FromTfType(int type) {
  for (const auto& [dtype, number] : kTypes) {
    if (number == type) return dtype;
  }
  return std::nullopt;
}

int ToTfType(DType dtype) {
  for (const auto& [ours, number] : kTypes) {
    if (ours == dtype) return number;
  }
  return 0;
}

std::string GuessLayout(const Shape& shape) {
  if (shape.size() != 4) return "";
  return shape[3] == 1 || shape[3] == 3 || shape[3] == 4 ? "NHWC" : "";
}

Result<Signature> ParseSignature(std::string_view bytes) {
  std::vector<MetaGraph> graphs;
  KENNING_RETURN_IF_ERROR(
      ForEachField(bytes, "saved_model.pb", [&](const WireField& field) -> Result<> {
        if (field.number != 2 || !field.is_bytes) return {};
        KENNING_ASSIGN_OR_RETURN(MetaGraph graph, ParseMetaGraph(field.bytes));
        if (graphs.size() == kMostTensors) return Broken("too many graphs");
        graphs.push_back(std::move(graph));
        return {};
      }));
  const auto serve = std::ranges::find_if(graphs, [](const MetaGraph& graph) {
    return graph.tags.size() == 1 && graph.tags.front() == "serve";
  });
  if (serve == graphs.end() && graphs.size() != 1) {
    return graphs.empty() ? Broken("no graph")
                          : Fail(ErrorCode::kUnsupported,
                                 "the model has several graphs and none with the tag \"serve\"");
  }
  const MetaGraph& graph = serve != graphs.end() ? *serve : graphs.front();
  if (!graph.has_graph) return Broken("no operations");
  return ChooseSignature(graph);
}

Result<Signature> ReadSignature(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "saved_model.pb";
  std::error_code ignored;
  if (!std::filesystem::exists(folder, ignored)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: there is no such model", folder.string()));
  }
  if (!std::filesystem::exists(file, ignored)) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: no SavedModel, which is a folder with saved_model.pb in it",
                            folder.string()));
  }
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(file, kMostBytes));
  auto signature = ParseSignature(bytes);
  if (!signature) {
    return Fail(signature.error().code(),
                fmt::format("{}: {}", file.string(), signature.error().message()));
  }
  // TensorFlow would load such a model, and fail when it runs.
  const std::filesystem::path variables = folder / "variables" / "variables.index";
  if (signature->needs_variables && !std::filesystem::exists(variables, ignored)) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the model's variables are missing", variables.string()));
  }
  return signature;
}

ModelSpec SpecOf(const Signature& signature) {
  ModelSpec spec;
  for (const SignatureTensor& tensor : signature.inputs) spec.inputs.push_back(tensor.spec);
  for (const SignatureTensor& tensor : signature.outputs) spec.outputs.push_back(tensor.spec);
  return spec;
}

Result<ModelSpec> InspectSavedModel(const std::filesystem::path& folder) {
  KENNING_ASSIGN_OR_RETURN(const Signature signature, ReadSignature(folder));
  return SpecOf(signature);
}

}  // namespace kenning::tensorflow
