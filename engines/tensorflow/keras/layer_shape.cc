// SPDX-License-Identifier: Apache-2.0
#include "keras/layer_shape.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace kenning::tensorflow {
namespace {

using Json = nlohmann::json;
using MaybeShape = std::optional<Shape>;

constexpr std::size_t kMostDims = 8;
constexpr std::int64_t kMostSize = std::int64_t{1} << 31;

std::optional<std::int64_t> Number(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  const auto number = value.get<std::int64_t>();
  if (number < -kMostSize || number > kMostSize) return std::nullopt;
  return number;
}

std::optional<std::int64_t> Number(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found == config.end() ? std::nullopt : Number(*found);
}

std::string Text(const Json& config, const char* key, const char* otherwise) {
  const auto found = config.find(key);
  return found != config.end() && found->is_string() ? found->get<std::string>() : otherwise;
}

bool Flag(const Json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_boolean() && found->get<bool>();
}

/// A number for all dimensions, or one for each: [3, 3].
std::optional<std::vector<std::int64_t>> Numbers(const Json& config, const char* key,
                                                 std::size_t count) {
  const auto found = config.find(key);
  if (found == config.end()) return std::nullopt;
  if (const auto number = Number(*found)) return std::vector<std::int64_t>(count, *number);
  if (!found->is_array() || found->size() != count) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const Json& entry : *found) {
    const auto number = Number(entry);
    if (!number) return std::nullopt;
    numbers.push_back(*number);
  }
  return numbers;
}

/// Where the spatial dimensions begin, and where the channels are.
struct Layout {
  std::size_t first = 1;
  std::size_t channels = 0;
  std::size_t count = 0;
};

std::optional<Layout> LayoutOf(const Json& config, const Shape& input) {
  if (input.size() < 3) return std::nullopt;
  const bool channels_first = Text(config, "data_format", "channels_last") == "channels_first";
  return Layout{.first = channels_first ? 2U : 1U,
                .channels = channels_first ? 1 : input.size() - 1,
                .count = input.size() - 2};
}

struct Window {
  std::vector<std::int64_t> size;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilation;
};

/// What a window that slides over the spatial dimensions leaves of them.
MaybeShape Slide(Shape shape, const Layout& layout, const Window& window,
                 const std::string& padding) {
  for (std::size_t i = 0; i < layout.count; ++i) {
    std::int64_t& dim = shape[layout.first + i];
    const std::int64_t stride = window.strides[i];
    const std::int64_t reach = (window.size[i] - 1) * window.dilation[i] + 1;
    if (stride < 1 || reach < 1) return std::nullopt;
    if (dim == kAnyDim) continue;
    dim = padding == "valid" ? dim - reach + 1 : dim;
    if (dim < 1) return std::nullopt;
    dim = (dim + stride - 1) / stride;
  }
  return shape;
}

MaybeShape Convolution(const std::string& type, const Json& config, const Shape& input) {
  const auto layout = LayoutOf(config, input);
  if (!layout) return std::nullopt;
  auto size = Numbers(config, "kernel_size", layout->count);
  auto strides = Numbers(config, "strides", layout->count);
  auto dilation = Numbers(config, "dilation_rate", layout->count);
  if (!dilation) dilation = std::vector<std::int64_t>(layout->count, 1);
  if (!size || !strides) return std::nullopt;
  auto shape =
      Slide(input, *layout, {*size, *strides, *dilation}, Text(config, "padding", "valid"));
  if (!shape) return std::nullopt;
  std::int64_t& channels = (*shape)[layout->channels];
  if (type.starts_with("Depthwise")) {
    const auto multiplier = Number(config, "depth_multiplier");
    if (!multiplier || channels == kAnyDim || *multiplier < 1) return std::nullopt;
    channels *= *multiplier;
  } else {
    const auto filters = Number(config, "filters");
    if (!filters) return std::nullopt;
    channels = *filters;
  }
  return shape;
}

MaybeShape TransposedConvolution(const Json& config, const Shape& input) {
  const auto layout = LayoutOf(config, input);
  if (!layout) return std::nullopt;
  const auto size = Numbers(config, "kernel_size", layout->count);
  const auto strides = Numbers(config, "strides", layout->count);
  const auto filters = Number(config, "filters");
  const bool plain = !config.contains("output_padding") || config["output_padding"].is_null();
  if (!size || !strides || !filters || !plain) return std::nullopt;
  Shape shape = input;
  for (std::size_t i = 0; i < layout->count; ++i) {
    std::int64_t& dim = shape[layout->first + i];
    if (dim == kAnyDim) continue;
    dim *= (*strides)[i];
    if (Text(config, "padding", "valid") == "valid") {
      dim += std::max<std::int64_t>((*size)[i] - (*strides)[i], 0);
    }
  }
  shape[layout->channels] = *filters;
  return shape;
}

MaybeShape Pooling(const Json& config, const Shape& input) {
  const auto layout = LayoutOf(config, input);
  if (!layout) return std::nullopt;
  const auto size = Numbers(config, "pool_size", layout->count);
  auto strides = Numbers(config, "strides", layout->count);
  if (!strides) strides = size;
  if (!size) return std::nullopt;
  return Slide(input, *layout, {*size, *strides, std::vector<std::int64_t>(layout->count, 1)},
               Text(config, "padding", "valid"));
}

MaybeShape GlobalPooling(const Json& config, const Shape& input) {
  const auto layout = LayoutOf(config, input);
  if (!layout) return std::nullopt;
  if (!Flag(config, "keepdims")) return Shape{input[0], input[layout->channels]};
  Shape shape = input;
  for (std::size_t i = 0; i < layout->count; ++i) shape[layout->first + i] = 1;
  return shape;
}

std::int64_t Product(std::span<const std::int64_t> dims) {
  const auto product = ElementCount(Shape(dims.begin(), dims.end()));
  return product && *product < static_cast<std::uint64_t>(kMostSize)
             ? static_cast<std::int64_t>(*product)
             : kAnyDim;
}

MaybeShape Flatten(const Json& /*config*/, const Shape& input) {
  if (input.empty()) return std::nullopt;
  return Shape{input[0], Product(std::span(input).subspan(1))};
}

MaybeShape Reshape(const Json& config, const Shape& input) {
  const auto found = config.find("target_shape");
  if (found == config.end() || !found->is_array() || input.empty()) return std::nullopt;
  Shape shape = {input[0]};
  for (const Json& entry : *found) {
    const auto number = Number(entry);
    if (!number || shape.size() == kMostDims) return std::nullopt;
    shape.push_back(*number);
  }
  const auto open = std::find(shape.begin() + 1, shape.end(), -1);
  if (open == shape.end()) return shape;
  Shape known(shape.begin() + 1, shape.end());
  std::erase(known, -1);
  const std::int64_t all = Product(std::span(input).subspan(1));
  const std::int64_t part = Product(known);
  if (known.size() + 2 != shape.size() || part <= 0) return std::nullopt;
  *open = all == kAnyDim ? kAnyDim : all / part;
  return shape;
}

MaybeShape Permute(const Json& config, const Shape& input) {
  if (input.empty()) return std::nullopt;
  const auto order = Numbers(config, "dims", input.size() - 1);
  if (!order) return std::nullopt;
  Shape shape = {input[0]};
  for (const std::int64_t from : *order) {
    if (from < 1 || static_cast<std::size_t>(from) >= input.size()) return std::nullopt;
    shape.push_back(input[static_cast<std::size_t>(from)]);
  }
  return shape;
}

/// [[1, 1], [2, 2]], [1, 2] or 1: what is added before and behind.
MaybeShape Padding(const Json& config, const Shape& input, const char* key, std::int64_t sign) {
  const auto layout = LayoutOf(config, input);
  const auto found = config.find(key);
  if (!layout || found == config.end()) return std::nullopt;
  Shape shape = input;
  for (std::size_t i = 0; i < layout->count; ++i) {
    Json entry = *found;
    if (entry.is_array() && layout->count > 1) entry = i < entry.size() ? entry[i] : Json();
    std::optional<std::int64_t> sum;
    if (const auto number = Number(entry)) {
      sum = 2 * *number;
    } else if (entry.is_array() && entry.size() == 2 && Number(entry[0]) && Number(entry[1])) {
      sum = *Number(entry[0]) + *Number(entry[1]);
    }
    if (!sum) return std::nullopt;
    std::int64_t& dim = shape[layout->first + i];
    if (dim == kAnyDim) continue;
    dim += sign * *sum;
    if (dim < 1) return std::nullopt;
  }
  return shape;
}

MaybeShape UpSampling(const Json& config, const Shape& input) {
  const auto layout = LayoutOf(config, input);
  if (!layout) return std::nullopt;
  const auto size = Numbers(config, "size", layout->count);
  if (!size) return std::nullopt;
  Shape shape = input;
  for (std::size_t i = 0; i < layout->count; ++i) {
    std::int64_t& dim = shape[layout->first + i];
    if (dim != kAnyDim) dim *= (*size)[i];
  }
  return shape;
}

MaybeShape Dense(const Json& config, const Shape& input) {
  const auto units = Number(config, "units");
  if (!units || input.size() < 2) return std::nullopt;
  Shape shape = input;
  shape.back() = *units;
  return shape;
}

MaybeShape Recurrent(const Json& config, const Shape& input) {
  const auto units = Number(config, "units");
  if (!units || input.size() != 3 || Flag(config, "return_state")) return std::nullopt;
  if (Flag(config, "return_sequences")) return Shape{input[0], input[1], *units};
  return Shape{input[0], *units};
}

MaybeShape Embedding(const Json& config, const Shape& input) {
  const auto size = Number(config, "output_dim");
  if (!size || input.size() == kMostDims) return std::nullopt;
  Shape shape = input;
  shape.push_back(*size);
  return shape;
}

MaybeShape RepeatVector(const Json& config, const Shape& input) {
  const auto count = Number(config, "n");
  if (!count || input.size() != 2) return std::nullopt;
  return Shape{input[0], *count, input[1]};
}

MaybeShape Broadcast(std::span<const Shape> inputs) {
  Shape shape;
  for (const Shape& input : inputs) {
    if (input.size() > shape.size()) shape.insert(shape.begin(), input.size() - shape.size(), 1);
    for (std::size_t i = 0; i < input.size(); ++i) {
      std::int64_t& dim = shape[shape.size() - input.size() + i];
      if (dim == 1 || dim == kAnyDim) dim = input[i] == 1 ? dim : input[i];
    }
  }
  return shape;
}

MaybeShape Concatenate(const Json& config, std::span<const Shape> inputs) {
  Shape shape = inputs[0];
  const auto rank = static_cast<std::int64_t>(shape.size());
  std::int64_t axis = Number(config, "axis").value_or(-1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  std::int64_t& sum = shape[static_cast<std::size_t>(axis)];
  for (const Shape& input : inputs.subspan(1)) {
    if (input.size() != shape.size()) return std::nullopt;
    const std::int64_t dim = input[static_cast<std::size_t>(axis)];
    sum = sum == kAnyDim || dim == kAnyDim ? kAnyDim : sum + dim;
  }
  return shape;
}

using Rule = MaybeShape (*)(const Json&, const Shape&);

const std::unordered_map<std::string_view, Rule>& Rules() {
  static const std::unordered_map<std::string_view, Rule> rules = {
      {"Dense", Dense},
      {"Embedding", Embedding},
      {"Flatten", Flatten},
      {"GRU", Recurrent},
      {"LSTM", Recurrent},
      {"Permute", Permute},
      {"RepeatVector", RepeatVector},
      {"Reshape", Reshape},
      {"SimpleRNN", Recurrent},
  };
  return rules;
}

bool KeepsShape(std::string_view type) {
  static const std::unordered_set<std::string_view> names = {"Activation",
                                                             "ActivityRegularization",
                                                             "AlphaDropout",
                                                             "BatchNormalization",
                                                             "Dropout",
                                                             "ELU",
                                                             "GaussianDropout",
                                                             "GaussianNoise",
                                                             "GroupNormalization",
                                                             "Identity",
                                                             "LayerNormalization",
                                                             "LeakyReLU",
                                                             "Masking",
                                                             "Normalization",
                                                             "PReLU",
                                                             "RandomFlip",
                                                             "RandomRotation",
                                                             "RandomZoom",
                                                             "ReLU",
                                                             "Rescaling",
                                                             "Softmax",
                                                             "SpatialDropout1D",
                                                             "SpatialDropout2D",
                                                             "SpatialDropout3D",
                                                             "ThresholdedReLU",
                                                             "UnitNormalization"};
  return names.contains(type);
}

bool IsMerge(std::string_view type) {
  constexpr std::array<std::string_view, 6> kNames = {"Add",     "Average",  "Maximum",
                                                      "Minimum", "Multiply", "Subtract"};
  return std::ranges::find(kNames, type) != kNames.end();
}

/// Classes in one version for each number of dimensions.
MaybeShape Spatial(const std::string& type, const Json& config, const Shape& input) {
  const std::string_view name = type;
  if (!name.ends_with("1D") && !name.ends_with("2D") && !name.ends_with("3D") &&
      !name.ends_with("Transpose")) {
    return std::nullopt;
  }
  if (name.starts_with("Global")) return GlobalPooling(config, input);
  if (name.starts_with("Max") || name.starts_with("Average")) return Pooling(config, input);
  if (name.starts_with("ZeroPadding")) return Padding(config, input, "padding", 1);
  if (name.starts_with("Cropping")) return Padding(config, input, "cropping", -1);
  if (name.starts_with("UpSampling")) return UpSampling(config, input);
  if (name.ends_with("Transpose")) return TransposedConvolution(config, input);
  if (name.find("Conv") != std::string_view::npos) return Convolution(type, config, input);
  return std::nullopt;
}

}  // namespace

std::optional<Shape> ShapeFromJson(const Json& json) {
  if (!json.is_array() || json.size() > kMostDims) return std::nullopt;
  Shape shape;
  for (const Json& entry : json) {
    const auto number = Number(entry);
    if (!entry.is_null() && (!number || *number < -1)) return std::nullopt;
    shape.push_back(number.value_or(kAnyDim));
  }
  return shape;
}

std::optional<Shape> LayerOutputShape(const std::string& type, const Json& config,
                                      std::span<const Shape> inputs) {
  if (inputs.empty() || !config.is_object()) return std::nullopt;
  MaybeShape shape;
  if (IsMerge(type)) {
    shape = Broadcast(inputs);
  } else if (type == "Concatenate") {
    shape = Concatenate(config, inputs);
  } else if (KeepsShape(type)) {
    shape = inputs[0];
  } else if (const auto rule = Rules().find(type); rule != Rules().end()) {
    shape = rule->second(config, inputs[0]);
  } else {
    shape = Spatial(type, config, inputs[0]);
  }
  const auto sane = [](std::int64_t dim) { return dim >= kAnyDim && dim <= kMostSize; };
  if (shape && !std::ranges::all_of(*shape, sane)) return std::nullopt;
  return shape;
}

}  // namespace kenning::tensorflow
