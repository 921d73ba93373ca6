// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/param_schema.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace kenning {
namespace {

template <typename... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <typename... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

}  // namespace

std::string_view ParamTypeName(ParamType type) {
  switch (type) {
    case ParamType::kBool:
      return "bool";
    case ParamType::kInt:
      return "int";
    case ParamType::kFloat:
      return "float";
    case ParamType::kString:
      return "string";
    case ParamType::kPath:
      return "path";
    case ParamType::kUri:
      return "path or URI";
    case ParamType::kStringList:
      return "list of strings";
    case ParamType::kIntList:
      return "list of ints";
    case ParamType::kFloatList:
      return "list of floats";
  }
  return "unknown";
}

std::string ToString(const ParamValue& value) {
  return std::visit(
      Overloaded{
          [](std::monostate) -> std::string { return "null"; },
          [](bool v) -> std::string { return v ? "true" : "false"; },
          [](std::int64_t v) { return fmt::format("{}", v); },
          [](double v) { return fmt::format("{}", v); },
          [](const std::string& v) { return fmt::format("\"{}\"", v); },
          [](const std::vector<std::string>& v) {
            return v.empty() ? std::string("[]") : fmt::format("[\"{}\"]", fmt::join(v, "\", \""));
          },
          [](const std::vector<std::int64_t>& v) {
            return fmt::format("[{}]", fmt::join(v, ", "));
          },
          [](const std::vector<double>& v) { return fmt::format("[{}]", fmt::join(v, ", ")); },
      },
      value);
}

const ParamSpec* ParamSchema::Find(std::string_view name) const {
  for (const ParamSpec& param : params) {
    if (param.name == name || std::ranges::find(param.aliases, name) != param.aliases.end()) {
      return &param;
    }
  }
  return nullptr;
}

ParamSchema ParamSchema::Extending(const ParamSchema& base) const {
  ParamSchema merged = base;
  for (const ParamSpec& param : params) {
    const auto same = std::ranges::find(merged.params, param.name, &ParamSpec::name);
    if (same == merged.params.end()) {
      merged.params.push_back(param);
    } else {
      *same = param;
    }
  }
  return merged;
}

std::string FlagFor(const ParamSpec& spec) {
  if (!spec.flag.empty()) return spec.flag;
  std::string flag = "--" + spec.name;
  std::ranges::replace(flag, '_', '-');
  return flag;
}

bool Params::Has(std::string_view name) const {
  const auto it = values_.find(name);
  return it != values_.end() && !std::holds_alternative<std::monostate>(it->second);
}

}  // namespace kenning
