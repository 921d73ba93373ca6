// SPDX-License-Identifier: Apache-2.0
/// \file
/// A block declares its parameters once; validation, command-line flags, `kenning info`, JSON
/// Schema and documentation all come from this declaration.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "kenning/base/check.h"

namespace kenning {

enum class ParamType : std::uint8_t {
  kBool,
  kInt,
  kFloat,
  kString,
  kPath,  ///< A file or folder of this machine; relative to the working directory.
  kUri,   ///< A path, file://, http(s):// or kenning:// resource.
  kStringList,
  kIntList,
  kFloatList,
};
std::string_view ParamTypeName(ParamType type);

/// monostate is null. Paths and URIs are strings.
using ParamValue =
    std::variant<std::monostate, bool, std::int64_t, double, std::string, std::vector<std::string>,
                 std::vector<std::int64_t>, std::vector<double>>;
/// For people: `"text"`, 3, [1, 2], null.
std::string ToString(const ParamValue& value);

struct ParamSpec {
  std::string name;  ///< Key in scenario files, snake_case.
  ParamType type = ParamType::kString;
  std::string description;                  ///< One sentence.
  std::optional<ParamValue> default_value;  ///< Empty and not required: absent unless given.
  bool required = false;
  bool nullable = false;
  std::vector<std::string> allowed;  ///< Allowed spellings of a string (or of a list's elements).
  std::optional<double> minimum;     ///< Inclusive, for kInt and kFloat.
  std::optional<double> maximum;
  std::string flag;                  ///< "--dataset-root"; empty: derived from the name.
  std::vector<std::string> aliases;  ///< Older spellings of the key.
};

struct ParamSchema {
  std::vector<ParamSpec> params;
  /// By name or alias; null where there is none.
  const ParamSpec* Find(std::string_view name) const;
  /// The parameters of `base` followed by ours; ours replace those of the same name.
  ParamSchema Extending(const ParamSchema& base) const;
};
/// "--dataset-root" for a spec.
std::string FlagFor(const ParamSpec& spec);

/// Checked values: every key is in the schema, every value of its type, defaults filled in.
/// The typed getters abort on a type mismatch, which the check has made impossible.
class Params {
 public:
  Params() = default;
  explicit Params(std::map<std::string, ParamValue, std::less<>> values)
      : values_(std::move(values)) {}

  /// Present and not null.
  bool Has(std::string_view name) const;
  bool Bool(std::string_view name) const { return Get<bool>(name); }
  std::int64_t Int(std::string_view name) const { return Get<std::int64_t>(name); }
  double Float(std::string_view name) const { return Get<double>(name); }
  const std::string& String(std::string_view name) const { return Get<std::string>(name); }
  const std::vector<std::string>& StringList(std::string_view name) const {
    return Get<std::vector<std::string>>(name);
  }
  const std::vector<std::int64_t>& IntList(std::string_view name) const {
    return Get<std::vector<std::int64_t>>(name);
  }
  const std::vector<double>& FloatList(std::string_view name) const {
    return Get<std::vector<double>>(name);
  }
  const std::map<std::string, ParamValue, std::less<>>& values() const { return values_; }

 private:
  template <typename T>
  const T& Get(std::string_view name) const {
    auto it = values_.find(name);
    KENNING_CHECK(it != values_.end());
    const T* value = std::get_if<T>(&it->second);
    KENNING_CHECK(value != nullptr);
    return *value;
  }
  std::map<std::string, ParamValue, std::less<>> values_;
};

}  // namespace kenning
