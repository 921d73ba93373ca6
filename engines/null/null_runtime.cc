// SPDX-License-Identifier: Apache-2.0
#include "null_runtime.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "faults.h"
#include "kenning/base/file.h"

namespace kenning::null_engine {
namespace {

constexpr std::uint64_t kLargestFile = 1 << 20;

Result<std::vector<TensorSpec>> ReadSpecs(const nlohmann::json& document, const char* key,
                                          const std::string& file) {
  const auto list = document.find(key);
  if (list == document.end() || !list->is_array() || list->empty()) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: \"{}\" must be a list of tensors", file, key));
  }
  std::vector<TensorSpec> specs;
  for (const nlohmann::json& item : *list) {
    TensorSpec spec;
    const auto dtype = item.is_object() ? ParseDType(item.value("dtype", "float32")) : std::nullopt;
    if (!dtype || !item.contains("shape") || !item["shape"].is_array()) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: each of \"{}\" needs a dtype and a shape", file, key));
    }
    spec.name = item.value("name", "");
    spec.dtype = *dtype;
    for (const nlohmann::json& dim : item["shape"]) {
      if (!dim.is_number_integer() || dim.get<std::int64_t>() < kAnyDim) {
        return Fail(
            ErrorCode::kInvalidModel,
            fmt::format("{}: a dimension of \"{}\" is not a whole number", file, spec.name));
      }
      spec.shape.push_back(dim.get<std::int64_t>());
    }
    specs.push_back(std::move(spec));
  }
  return specs;
}

double FirstElement(const TensorView& view) {
  if (view.size_bytes == 0) return 0;
  return view.dtype == DType::kFloat32 ? static_cast<double>(view.as<float>()[0])
                                       : static_cast<double>(std::to_integer<int>(view.data[0]));
}

class NullSession final : public Session {
 public:
  NullSession(ModelSpec spec, Faults faults) : spec_(std::move(spec)), faults_(std::move(faults)) {}

  const ModelSpec& spec() const override { return spec_; }

  Result<std::vector<TensorSpec>> ResolveOutputs(std::span<const Shape> input_shapes) override {
    std::vector<TensorSpec> outputs = spec_.outputs;
    for (TensorSpec& output : outputs) {
      if (!output.shape.empty() && output.shape[0] == kAnyDim && !input_shapes.empty() &&
          !input_shapes[0].empty()) {
        output.shape[0] = input_shapes[0][0];
      }
    }
    return outputs;
  }

  Result<> Invoke(std::span<const TensorView> inputs,
                  std::span<const MutableTensorView> outputs) override {
    if (inputs.size() != spec_.inputs.size() || outputs.size() != spec_.outputs.size()) {
      return Fail(ErrorCode::kInvalidArgument, "wrong number of tensors");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i)
      KENNING_RETURN_IF_ERROR(Check("input", spec_.inputs[i], inputs[i]));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      const MutableTensorView& out = outputs[i];
      const TensorView view{out.data, out.size_bytes, out.dtype, out.shape};
      KENNING_RETURN_IF_ERROR(Check("output", spec_.outputs[i], view));
    }
    KENNING_RETURN_IF_ERROR(faults_.BeforeInvoke());
    const double value = FirstElement(inputs[0]);
    for (const MutableTensorView& output : outputs) {
      if (output.dtype == DType::kFloat32) {
        std::ranges::fill(output.as<float>(), static_cast<float>(value));
      } else {
        std::fill_n(output.data, output.size_bytes, std::byte{0});
      }
    }
    return {};
  }

  Result<std::vector<OperatorProfile>> Profile() override { return std::vector<OperatorProfile>{}; }

 private:
  static Result<> Check(const char* what, const TensorSpec& want, const TensorView& view) {
    const Shape shape(view.shape.begin(), view.shape.end());
    const auto elements = ElementCount(shape);
    if (view.dtype != want.dtype || !ShapesCompatible(shape, want.shape) || !elements ||
        *elements * DTypeSize(view.dtype) != view.size_bytes) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{} \"{}\" must be {}, not {}{} of {} bytes", what, want.name, ToString(want),
                      DTypeName(view.dtype), ShapeToString(shape), view.size_bytes));
    }
    return {};
  }

  ModelSpec spec_;
  Faults faults_;
};

Result<nlohmann::json> ReadDocument(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestFile));
  nlohmann::json document = nlohmann::json::parse(text, nullptr, false);
  if (!document.is_object()) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: not a JSON object", path.string()));
  }
  return document;
}

}  // namespace

Result<ModelSpec> InspectNull(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json document, ReadDocument(path));
  ModelSpec spec;
  KENNING_ASSIGN_OR_RETURN(spec.inputs, ReadSpecs(document, "inputs", path.string()));
  KENNING_ASSIGN_OR_RETURN(spec.outputs, ReadSpecs(document, "outputs", path.string()));
  return spec;
}

Result<std::unique_ptr<Session>> NullRuntime::Load(const std::filesystem::path& path,
                                                   const std::string& format) {
  if (format != "null") {
    return Fail(
        ErrorCode::kUnsupported,
        fmt::format("{}: the null engine runs format \"null\", not \"{}\"", path.string(), format));
  }
  KENNING_ASSIGN_OR_RETURN(ModelSpec spec, InspectNull(path));
  KENNING_ASSIGN_OR_RETURN(const nlohmann::json document, ReadDocument(path));
  KENNING_ASSIGN_OR_RETURN(Faults faults, Faults::FromModel(document, path.string()));
  KENNING_RETURN_IF_ERROR(faults.WhileLoading());
  return std::make_unique<NullSession>(std::move(spec), std::move(faults));
}

}  // namespace kenning::null_engine
