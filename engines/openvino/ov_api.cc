// SPDX-License-Identifier: Apache-2.0
#include "ov_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "model_check.h"
#include "ov_quant.h"

namespace kenning::openvino {
namespace {

struct TypePair {
  DType dtype;
  ov::element::Type_t type;
};
constexpr std::array<TypePair, 13> kTypes = {{
    {DType::kFloat32, ov::element::Type_t::f32},
    {DType::kFloat64, ov::element::Type_t::f64},
    {DType::kFloat16, ov::element::Type_t::f16},
    {DType::kBFloat16, ov::element::Type_t::bf16},
    {DType::kInt8, ov::element::Type_t::i8},
    {DType::kUint8, ov::element::Type_t::u8},
    {DType::kInt16, ov::element::Type_t::i16},
    {DType::kUint16, ov::element::Type_t::u16},
    {DType::kInt32, ov::element::Type_t::i32},
    {DType::kUint32, ov::element::Type_t::u32},
    {DType::kInt64, ov::element::Type_t::i64},
    {DType::kUint64, ov::element::Type_t::u64},
    {DType::kBool, ov::element::Type_t::boolean},
}};

/// OpenVINO prefixes each message with "Exception from src/….cpp:84:" for every level it came
/// through.
std::string WithoutPlaces(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.starts_with("Exception from ") || line == "FrontEnd API failed with") {
      continue;
    }
    if (!result.empty()) result += "; ";
    result += line;
  }
  constexpr std::size_t kLongest = 600;
  if (result.size() > kLongest) result = result.substr(0, kLongest) + "…";
  return result.empty() ? "no reason given" : result;
}

/// Names that OpenVINO makes up hold a counter of the process: another one for each load. They
/// become the name of the operator's tensor, or its type and place in the order of computation.
/// (What OpenVINO adds while it compiles still has such names.)
void MakeNamesLasting(const ov::Model& model) {
  std::unordered_set<std::string> taken;
  std::vector<std::shared_ptr<ov::Node>> nameless;
  std::unordered_map<std::string_view, std::size_t> count;
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    if (node->get_friendly_name() != node->get_name()) {
      taken.insert(node->get_friendly_name());
    } else {
      nameless.push_back(node);
    }
  }
  for (const std::shared_ptr<ov::Node>& node : nameless) {
    const std::string_view type = node->get_type_name();
    std::string name;
    if (node->get_output_size() == 1 && type != "Result" && type != "Constant") {
      const std::unordered_set<std::string>& names = node->output(0).get_names();
      if (!names.empty()) name = *std::ranges::min_element(names);
    }
    while (name.empty() || !taken.insert(name).second) {
      name = fmt::format("{}:{}", type, ++count[type]);
    }
    node->set_friendly_name(name);
  }
}

Result<TensorSpec> TensorSpecOf(const ov::Output<const ov::Node>& output) {
  TensorSpec spec;
  spec.name = NameOf(output);
  const auto dtype = FromOvType(output.get_element_type());
  if (!dtype) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has element type {}, which kenning does not carry", spec.name,
                            output.get_element_type().get_type_name()));
  }
  spec.dtype = *dtype;
  KENNING_ASSIGN_OR_RETURN(spec.shape, ShapeOf(output.get_partial_shape(), spec.name));
  return spec;
}

}  // namespace

ov::Core& Core() {
  // Never destroyed: the order of destruction against OpenVINO's own statics is not ours to choose.
  static ov::Core* const core = [] {
    auto* made = new ov::Core;
    made->set_property(ov::log::level(ov::log::Level::NO));
    return made;
  }();
  return *core;
}

std::string Version() {
  // "2026.4.1-22982-…": release, build number, revision.
  const std::string build = ov::get_openvino_version().buildNumber;
  return build.substr(0, build.find('-'));
}

std::optional<DType> FromOvType(const ov::element::Type& type) {
  const auto* found =
      std::ranges::find(kTypes, static_cast<ov::element::Type_t>(type), &TypePair::type);
  if (found == kTypes.end()) return {};
  return found->dtype;
}

ov::element::Type ToOvType(DType dtype) {
  const auto* found = std::ranges::find(kTypes, dtype, &TypePair::dtype);
  return found == kTypes.end() ? ov::element::Type_t::dynamic : found->type;
}

Error ConvertError(ErrorCode code, const std::exception& exception,
                   const std::filesystem::path& file) {
  return Error(code, fmt::format("{}: OpenVINO {}: {}", file.string(), Version(),
                                 WithoutPlaces(exception.what())));
}

Result<std::shared_ptr<ov::Model>> ReadModel(const std::filesystem::path& path,
                                             std::string_view format) {
  KENNING_RETURN_IF_ERROR(CheckModel(path, format));
  return Guard(ErrorCode::kInvalidModel, path, [&]() -> Result<std::shared_ptr<ov::Model>> {
    // Memory maps of a file that is replaced or cut while in use end in a signal.
    const ov::AnyMap settings = {ov::enable_mmap(false)};
    const bool is_ir = format == "openvino";
    const std::filesystem::path graph = is_ir ? path / kIrGraph : path;
    const std::filesystem::path weights = is_ir ? path / kIrWeights : std::filesystem::path();
    std::shared_ptr<ov::Model> model =
        Core().read_model(graph.string(), weights.string(), settings);
    if (model->inputs().empty() || model->outputs().empty()) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: a model without inputs or outputs", path.string()));
    }
    MakeNamesLasting(*model);
    return model;
  });
}

std::string NameOf(const ov::Output<const ov::Node>& output) {
  const ov::Node* node = output.get_node();
  const std::unordered_set<std::string>& names = output.get_names();
  if (names.contains(node->get_friendly_name())) return node->get_friendly_name();
  if (!names.empty()) return *std::ranges::min_element(names);
  const bool is_result = std::string_view(node->get_type_name()) == "Result";
  return is_result ? node->get_input_node_ptr(0)->get_friendly_name() : node->get_friendly_name();
}

Result<Shape> ShapeOf(const ov::PartialShape& shape, const std::string& name) {
  if (shape.rank().is_dynamic()) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("\"{}\" has an unknown number of dimensions", name));
  }
  Shape dims;
  for (const ov::Dimension& dim : shape) {
    dims.push_back(dim.is_static() ? dim.get_length() : kAnyDim);
  }
  return dims;
}

ov::Shape ToOvShape(std::span<const std::int64_t> shape) {
  ov::Shape dims;
  for (const std::int64_t dim : shape) dims.push_back(static_cast<std::size_t>(dim));
  return dims;
}

Result<ModelSpec> SpecOf(const ov::Model& model) {
  ModelSpec spec;
  for (const auto& input : model.inputs()) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, TensorSpecOf(input));
    tensor.quant = QuantOfInput(input);
    spec.inputs.push_back(std::move(tensor));
  }
  for (const auto& output : model.outputs()) {
    KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, TensorSpecOf(output));
    tensor.quant = QuantOfOutput(output);
    spec.outputs.push_back(std::move(tensor));
  }
  return spec;
}

}  // namespace kenning::openvino
