// SPDX-License-Identifier: Apache-2.0
#include "engine_case.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"

namespace kenning {
namespace {

__extension__ typedef _Float16 Half;

/// As gtest wants the names of parameters.
std::string OnlyWordCharacters(std::string name) {
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

std::string ProblemOf(const nlohmann::json& facts) {
  if (!facts.is_object()) return "a case must be an object";
  for (const char* key : {"runtime", "format", "model"}) {
    if (!facts.contains(key) || !facts[key].is_string()) {
      return std::string("\"") + key + "\" must be a text";
    }
  }
  for (const char* key : {"inputs", "outputs"}) {
    if (!facts.contains(key) || !facts[key].is_array() || facts[key].empty()) {
      return std::string("\"") + key + "\" must be a list with an entry for each tensor";
    }
  }
  return "";
}

void AddCases(const std::string& engine, const std::filesystem::path& folder,
              const std::string& text, std::vector<EngineCase>& cases) {
  nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) {
    cases.push_back({engine + "_file", folder, {}, "conformance.json is not JSON"});
    return;
  }
  if (!document.is_array()) document = nlohmann::json::array({document});
  for (const nlohmann::json& facts : document) {
    const std::string name = facts.is_object() ? facts.value("name", "default") : "default";
    cases.push_back({OnlyWordCharacters(engine + "_" + name), folder, facts, ProblemOf(facts)});
  }
}

/// Calls `visit` with a null pointer to the element type.
template <typename Visit>
auto WithElementType(DType dtype, Visit visit) {
  switch (dtype) {
    case DType::kFloat64:
      return visit(static_cast<double*>(nullptr));
    case DType::kFloat16:
      return visit(static_cast<Half*>(nullptr));
    case DType::kInt8:
      return visit(static_cast<std::int8_t*>(nullptr));
    case DType::kUint8:
    case DType::kBool:
      return visit(static_cast<std::uint8_t*>(nullptr));
    case DType::kInt16:
      return visit(static_cast<std::int16_t*>(nullptr));
    case DType::kUint16:
      return visit(static_cast<std::uint16_t*>(nullptr));
    case DType::kInt32:
      return visit(static_cast<std::int32_t*>(nullptr));
    case DType::kUint32:
      return visit(static_cast<std::uint32_t*>(nullptr));
    case DType::kInt64:
      return visit(static_cast<std::int64_t*>(nullptr));
    case DType::kUint64:
      return visit(static_cast<std::uint64_t*>(nullptr));
    default:
      return visit(static_cast<float*>(nullptr));
  }
}

}  // namespace

std::vector<EngineCase> AllEngineCases() {
  std::vector<EngineCase> cases;
  const std::filesystem::path engines = std::filesystem::path(KENNING_SOURCE_DIR) / "engines";
  for (const auto& entry : std::filesystem::directory_iterator(engines)) {
    const auto text = ReadFile(entry.path() / "conformance.json");
    if (text) AddCases(entry.path().filename().string(), entry.path(), *text, cases);
  }
  std::ranges::sort(cases, {}, &EngineCase::name);
  return cases;
}

Params CaseParams(const ParamSchema& schema, const nlohmann::json& parameters) {
  auto values = DefaultParams(schema).values();
  for (const auto& [name, value] : parameters.items()) {
    const ParamSpec* spec = schema.Find(name);
    EXPECT_NE(spec, nullptr) << "the runtime has no parameter " << name;
    if (spec == nullptr) continue;
    const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
    const auto parsed = ParamFromText(*spec, text);
    EXPECT_TRUE(parsed) << name << ": " << parsed.error().ToString();
    if (parsed) values[spec->name] = *parsed;
  }
  return Params(std::move(values));
}

std::size_t CountElements(const TensorView& tensor) {
  return tensor.size_bytes / DTypeSize(tensor.dtype);
}

double GetElement(const TensorView& tensor, std::size_t index) {
  if (tensor.dtype == DType::kBFloat16) {
    const std::uint32_t bits = std::uint32_t{tensor.as<std::uint16_t>()[index]} << 16;
    return static_cast<double>(std::bit_cast<float>(bits));
  }
  return WithElementType(tensor.dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    return static_cast<double>(tensor.as<Element>()[index]);
  });
}

void SetElement(const MutableTensorView& tensor, std::size_t index, double value) {
  if (tensor.dtype == DType::kBFloat16) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    tensor.as<std::uint16_t>()[index] = static_cast<std::uint16_t>(bits >> 16);
    return;
  }
  WithElementType(tensor.dtype, [&](auto* type) {
    using Element = std::remove_pointer_t<decltype(type)>;
    if constexpr (std::is_integral_v<Element>) {
      value = std::clamp(value, static_cast<double>(std::numeric_limits<Element>::min()),
                         static_cast<double>(std::numeric_limits<Element>::max()));
    }
    tensor.as<Element>()[index] = static_cast<Element>(value);
  });
}

void FillTensor(const nlohmann::json& values, const std::filesystem::path& folder, Tensor& tensor) {
  const std::size_t count = CountElements(tensor.view());
  if (values.is_object()) {
    const std::filesystem::path path = folder / values.value("file", "");
    const auto bytes = ReadFile(path);
    ASSERT_TRUE(bytes) << bytes.error().ToString();
    ASSERT_EQ(bytes->size(), tensor.size_bytes()) << path;
    std::memcpy(tensor.data(), bytes->data(), bytes->size());
    return;
  }
  const bool same = values.is_number();
  if (!same) {
    ASSERT_TRUE(values.is_array()) << "values must be a list, a number or a file";
    ASSERT_EQ(values.size(), count) << "values for a tensor " << ShapeToString(tensor.shape());
  }
  for (std::size_t i = 0; i < count; ++i) {
    SetElement(tensor.mutable_view(), i, (same ? values : values[i]).get<double>());
  }
}

}  // namespace kenning
