// SPDX-License-Identifier: Apache-2.0
#include "scenario/param_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"

namespace kenning::scenario {
namespace {

Result<ParamValue> WrongType(const ParamSpec& spec, const Node& found, std::string_view hint = "") {
  const std::string allowed =
      spec.allowed.empty() ? std::string(ParamTypeName(spec.type))
                           : fmt::format("{} ({})", ParamTypeName(spec.type), Join(spec.allowed));
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("found {}; allowed: {}{}{}", Describe(found), allowed,
                          spec.nullable ? " or null" : "", hint));
}

/// YAML 1.1 writes booleans as words, and Kenning's YAML reader takes them.
bool BoolWord(const Node& node, bool& value) {
  if (node.kind == Node::Kind::kBool) {
    value = node.boolean;
    return true;
  }
  if (node.kind != Node::Kind::kString || !node.plain) return false;
  static constexpr std::array kYes = {"yes", "Yes", "YES", "on", "On", "ON"};
  static constexpr std::array kNo = {"no", "No", "NO", "off", "Off", "OFF"};
  value = std::ranges::find(kYes, node.text) != kYes.end();
  return value || std::ranges::find(kNo, node.text) != kNo.end();
}

bool ReadItem(const Node& node, std::string& item) {
  item = node.text;
  return node.kind == Node::Kind::kString;
}
bool ReadItem(const Node& node, std::int64_t& item) {
  item = node.integer;
  return node.kind == Node::Kind::kInt;
}
bool ReadItem(const Node& node, double& item) {
  item = node.kind == Node::Kind::kInt ? static_cast<double>(node.integer) : node.real;
  return node.kind == Node::Kind::kInt || node.kind == Node::Kind::kFloat;
}

template <typename Item>
Result<ParamValue> ReadScalar(const ParamSpec& spec, const Node& node, std::string_view hint = "") {
  Item item{};
  if (!ReadItem(node, item)) return WrongType(spec, node, hint);
  return ParamValue{std::move(item)};
}

template <typename Item>
Result<ParamValue> ReadList(const ParamSpec& spec, const Node& node) {
  if (node.kind != Node::Kind::kList) return WrongType(spec, node, "; put it in [ ]");
  std::vector<Item> items;
  for (const Node& element : node.items) {
    Item item{};
    if (!ReadItem(element, item)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("element {} is {}; allowed: {}", items.size(), Describe(element),
                              ParamTypeName(spec.type)));
    }
    items.push_back(std::move(item));
  }
  return ParamValue{std::move(items)};
}

Result<ParamValue> ReadString(const ParamSpec& spec, const Node& node) {
  const bool quotable = node.plain && node.kind != Node::Kind::kList &&
                        node.kind != Node::Kind::kMap && node.kind != Node::Kind::kNull;
  KENNING_ASSIGN_OR_RETURN(
      ParamValue value, ReadScalar<std::string>(spec, node, quotable ? "; put it in quotes" : ""));
  const bool is_path = spec.type == ParamType::kPath || spec.type == ParamType::kUri;
  // The operating system would silently read the name up to there.
  if (is_path && node.text.find('\0') != std::string::npos) {
    return WrongType(spec, node, " without NUL characters");
  }
  return value;
}

Result<ParamValue> ReadValue(const ParamSpec& spec, const Node& node) {
  switch (spec.type) {
    case ParamType::kBool: {
      bool value = false;
      if (!BoolWord(node, value)) {
        return WrongType(spec, node,
                         node.kind == Node::Kind::kString ? "; write true or false" : "");
      }
      return ParamValue{value};
    }
    case ParamType::kInt:
      return ReadScalar<std::int64_t>(spec, node);
    case ParamType::kFloat:
      return ReadScalar<double>(spec, node);
    case ParamType::kString:
    case ParamType::kPath:
    case ParamType::kUri:
      return ReadString(spec, node);
    case ParamType::kStringList:
      return ReadList<std::string>(spec, node);
    case ParamType::kIntList:
      return ReadList<std::int64_t>(spec, node);
    case ParamType::kFloatList:
      return ReadList<double>(spec, node);
  }
  return WrongType(spec, node);
}

}  // namespace

Result<ParamValue> ParamFromNode(const ParamSpec& spec, const Node& node) {
  if (node.kind == Node::Kind::kNull && spec.nullable) return ParamValue{};
  KENNING_ASSIGN_OR_RETURN(ParamValue value, ReadValue(spec, node));
  KENNING_RETURN_IF_ERROR(CheckParamValue(spec, value));
  return value;
}

}  // namespace kenning::scenario
