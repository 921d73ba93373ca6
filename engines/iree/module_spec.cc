// SPDX-License-Identifier: Apache-2.0
#include "module_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "io_spec/io_spec_json.h"

namespace kenning::iree {
namespace {

struct TypeName {
  std::string_view iree;
  DType dtype;
};
constexpr TypeName kTypeNames[] = {
    {"f32", DType::kFloat32},   {"f64", DType::kFloat64}, {"f16", DType::kFloat16},
    {"bf16", DType::kBFloat16}, {"i8", DType::kInt8},     {"si8", DType::kInt8},
    {"ui8", DType::kUint8},     {"i16", DType::kInt16},   {"si16", DType::kInt16},
    {"ui16", DType::kUint16},   {"i32", DType::kInt32},   {"si32", DType::kInt32},
    {"ui32", DType::kUint32},   {"i64", DType::kInt64},   {"si64", DType::kInt64},
    {"ui64", DType::kUint64},   {"i1", DType::kBool},
};

tl::unexpected<Error> NotATensor(std::string_view text) {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("\"{}\" is not a tensor that kenning carries", text));
}

/// "1x?x3xf32".
Result<TensorSpec> ParseTensor(std::string_view name, std::string_view text) {
  TensorSpec spec;
  spec.name = name;
  std::string_view rest = text;
  while (!rest.empty() && (rest.front() == '?' || (rest.front() >= '0' && rest.front() <= '9'))) {
    const std::size_t end = rest.find('x');
    if (end == std::string_view::npos) return NotATensor(text);
    std::int64_t dim = kAnyDim;
    if (rest.front() != '?') {
      const auto parsed = std::from_chars(rest.data(), rest.data() + end, dim);
      if (parsed.ec != std::errc() || parsed.ptr != rest.data() + end) return NotATensor(text);
    }
    spec.shape.push_back(dim);
    rest.remove_prefix(end + 1);
  }
  const auto* type = std::ranges::find(kTypeNames, rest, &TypeName::iree);
  if (type == std::end(kTypeNames)) return NotATensor(text);
  spec.dtype = type->dtype;
  return spec;
}

/// "%input0: tensor<…>, %input1: tensor<…>".
Result<std::vector<TensorSpec>> ParseTensors(std::string_view text) {
  std::vector<TensorSpec> specs;
  constexpr std::string_view kType = ": tensor<";
  while (!text.empty()) {
    const std::size_t type = text.find(kType);
    const std::size_t end = text.find('>');
    if (text.front() != '%' || type == std::string_view::npos || end == std::string_view::npos ||
        end < type) {
      return NotATensor(text);
    }
    const std::size_t shape = type + kType.size();
    KENNING_ASSIGN_OR_RETURN(
        TensorSpec spec, ParseTensor(text.substr(1, type - 1), text.substr(shape, end - shape)));
    specs.push_back(std::move(spec));
    text.remove_prefix(end + 1);
    // Attributes may follow: " {iree.abi.output = 0}".
    const std::size_t next = text.find('%');
    text = next == std::string_view::npos ? std::string_view() : text.substr(next);
  }
  return specs;
}

/// Counts of a calling convention of references alone, "0rr_r"; empty for any other.
std::optional<std::pair<std::size_t, std::size_t>> TensorCounts(std::string_view convention) {
  if (convention.empty() || convention.front() != '0') return std::nullopt;
  convention.remove_prefix(1);
  const std::size_t split = std::min(convention.find('_'), convention.size());
  const std::string_view arguments = convention.substr(0, split);
  const std::string_view results =
      split < convention.size() ? convention.substr(split + 1) : std::string_view();
  const auto references = [](std::string_view text) {
    return text.find_first_not_of('r') == std::string_view::npos;
  };
  if (!references(arguments) || !references(results) || results.empty()) return std::nullopt;
  return std::pair{arguments.size(), results.size()};
}

Result<ModelSpec> SpecOf(const iree_vm_function_t& function, const std::filesystem::path& path) {
  const std::string_view stored =
      ToView(iree_vm_function_lookup_attr_by_name(&function, ToIree(kSpecAttribute)));
  if (!stored.empty()) return ModelSpecFromJson(stored, path.string());
  const std::string_view declared =
      ToView(iree_vm_function_lookup_attr_by_name(&function, ToIree("iree.abi.declaration")));
  if (!declared.empty()) return ParseDeclaration(declared);
  std::filesystem::path beside = path;
  beside += ".json";
  if (std::filesystem::exists(beside)) return LoadModelSpec(beside);
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the module does not say which tensors it takes: compile it with "
                          "IREECompiler, or put its IO specification at {}",
                          beside.string()));
}

/// What the engine sees is what the session tells: no second list of "processed" tensors.
ModelSpec EngineSide(ModelSpec spec) {
  if (!spec.processed_inputs.empty()) spec.inputs = std::move(spec.processed_inputs);
  if (!spec.processed_outputs.empty()) spec.outputs = std::move(spec.processed_outputs);
  spec.processed_inputs.clear();
  spec.processed_outputs.clear();
  return spec;
}

}  // namespace

Result<ModelSpec> ParseDeclaration(std::string_view text) {
  const std::size_t open = text.find('(');
  const std::size_t arrow = text.find(") -> (");
  if (open == std::string_view::npos || arrow == std::string_view::npos || arrow < open ||
      text.back() != ')') {
    return NotATensor(text);
  }
  ModelSpec spec;
  KENNING_ASSIGN_OR_RETURN(spec.inputs, ParseTensors(text.substr(open + 1, arrow - open - 1)));
  const std::size_t results = arrow + std::string_view(") -> (").size();
  KENNING_ASSIGN_OR_RETURN(spec.outputs,
                           ParseTensors(text.substr(results, text.size() - results - 1)));
  return spec;
}

Result<ModuleEntry> FindEntry(const iree_vm_module_t* module, const std::filesystem::path& path) {
  const iree_vm_module_signature_t signature = iree_vm_module_signature(module);
  for (iree_host_size_t i = 0; i < signature.export_function_count; ++i) {
    iree_vm_function_t function;
    KENNING_RETURN_IF_ERROR(ToResult(iree_vm_module_lookup_function_by_ordinal(
                                         module, IREE_VM_FUNCTION_LINKAGE_EXPORT, i, &function),
                                     ErrorCode::kInvalidModel, path.string()));
    const std::string_view name = ToView(iree_vm_function_name(&function));
    // The compiler's initialisers, and twins of functions that also take fences.
    if (name.starts_with("__") || name.ends_with("$async")) continue;
    const auto counts =
        TensorCounts(ToView(iree_vm_function_signature(&function).calling_convention));
    if (!counts) continue;
    KENNING_ASSIGN_OR_RETURN(ModelSpec spec, SpecOf(function, path),
                             fmt::format("{}: function {}", path.string(), name));
    spec = EngineSide(std::move(spec));
    const auto [inputs, outputs] = *counts;
    if (spec.inputs.size() != inputs || spec.outputs.size() != outputs) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: function {} takes {} tensors and gives {}, its IO specification "
                              "names {} and {}",
                              path.string(), name, inputs, outputs, spec.inputs.size(),
                              spec.outputs.size()));
    }
    for (const auto* tensors : {&spec.inputs, &spec.outputs}) {
      for (const TensorSpec& tensor : *tensors) {
        if (!ToElementType(tensor.dtype)) return NotATensor(ToString(tensor));
      }
    }
    return ModuleEntry{function, std::move(spec)};
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: no exported function takes and gives tensors alone", path.string()));
}

}  // namespace kenning::iree
