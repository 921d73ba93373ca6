// SPDX-License-Identifier: Apache-2.0
#include "ov_quant.h"

#include <cmath>
#include <openvino/op/constant.hpp>
#include <string_view>

namespace kenning::openvino {
namespace {

bool MovesOnly(const ov::Node& node) {
  const std::string_view type = node.get_type_name();
  return type == "Transpose" || type == "Reshape" || type == "Squeeze" || type == "Unsqueeze";
}

bool IsType(const ov::Node& node, std::string_view type) { return node.get_type_name() == type; }

/// The value of a constant with one element.
std::optional<double> Scalar(const ov::Node& node, std::size_t port) {
  const auto* constant = dynamic_cast<const ov::op::v0::Constant*>(node.get_input_node_ptr(port));
  if (constant == nullptr) {
    // A type conversion of a constant is left in place by some readers.
    const ov::Node* convert = node.get_input_node_ptr(port);
    if (!IsType(*convert, "Convert")) return {};
    constant = dynamic_cast<const ov::op::v0::Constant*>(convert->get_input_node_ptr(0));
  }
  if (constant == nullptr || ov::shape_size(constant->get_shape()) != 1) return {};
  return constant->cast_vector<double>().front();
}

/// The only reader of a tensor; null where there are several.
const ov::Node* OnlyReader(const ov::Node& node) {
  const auto readers = node.output(0).get_target_inputs();
  return readers.size() == 1 ? readers.begin()->get_node() : nullptr;
}

std::optional<QuantParams> Params(double scale, double zero_point) {
  if (!std::isfinite(scale) || scale <= 0 || !std::isfinite(zero_point) ||
      std::abs(zero_point) > 1e9) {
    return {};
  }
  return QuantParams{{static_cast<float>(scale)}, {std::llround(zero_point)}, 0};
}

struct Range {
  double low = 0;
  double high = 0;
};

std::optional<Range> RangeAt(const ov::Node& fake_quantize, std::size_t first_port) {
  const auto low = Scalar(fake_quantize, first_port);
  const auto high = Scalar(fake_quantize, first_port + 1);
  if (!low || !high || *low >= *high) return {};
  return Range{*low, *high};
}

std::optional<QuantParams> FromRanges(const std::optional<Range>& integers,
                                      const std::optional<Range>& reals) {
  if (!integers || !reals) return {};
  const double scale = (reals->high - reals->low) / (integers->high - integers->low);
  return Params(scale, integers->low - reals->low / scale);
}

/// [Subtract zero point,] Multiply scale.
std::optional<QuantParams> FromArithmetic(const ov::Node* node) {
  double zero_point = 0;
  if (IsType(*node, "Subtract")) {
    const auto value = Scalar(*node, 1);
    if (!value) return {};
    zero_point = *value;
    node = OnlyReader(*node);
  }
  if (node == nullptr || !IsType(*node, "Multiply")) return {};
  const auto scale = Scalar(*node, 1);
  return scale ? Params(*scale, zero_point) : std::nullopt;
}

}  // namespace

std::optional<QuantParams> QuantOfInput(const ov::Output<const ov::Node>& input) {
  if (!input.get_element_type().is_integral_number()) return {};
  const ov::Node* node = OnlyReader(*input.get_node());
  while (node != nullptr && MovesOnly(*node)) node = OnlyReader(*node);
  if (node == nullptr || !IsType(*node, "Convert") || !node->get_output_element_type(0).is_real()) {
    return {};
  }
  node = OnlyReader(*node);
  if (node == nullptr) return {};
  if (IsType(*node, "FakeQuantize")) return FromRanges(RangeAt(*node, 1), RangeAt(*node, 3));
  return FromArithmetic(node);
}

std::optional<QuantParams> QuantOfOutput(const ov::Output<const ov::Node>& output) {
  if (!output.get_element_type().is_integral_number()) return {};
  const ov::Node* node = output.get_node();
  if (IsType(*node, "Result")) node = node->get_input_node_ptr(0);
  while (MovesOnly(*node)) node = node->get_input_node_ptr(0);
  if (!IsType(*node, "Convert")) return {};
  node = node->get_input_node_ptr(0);
  if (!IsType(*node, "FakeQuantize")) return {};
  return FromRanges(RangeAt(*node, 3), RangeAt(*node, 1));
}

}  // namespace kenning::openvino
