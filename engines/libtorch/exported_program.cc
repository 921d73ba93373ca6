// SPDX-License-Identifier: Apache-2.0
#include "exported_program.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

#include "script_builder.h"
#include "torch_api.h"
#include "torch_archive.h"

namespace kenning::libtorch {
namespace {

using Json = nlohmann::json;
using Reader = caffe2::serialize::PyTorchStreamReader;

constexpr std::size_t kMaxJsonBytes = std::size_t{1} << 28U;
constexpr std::size_t kMaxNodes = 50'000;

tl::unexpected<Error> Broken(const std::string& what) {
  return Fail(ErrorCode::kInvalidModel, "the exported program is broken: " + what);
}

/// The numbers of torch.export's schema are LibTorch's plus one, but for bfloat16.
std::optional<at::ScalarType> TypeOfSchema(std::int64_t number) {
  constexpr std::int64_t kBFloat16 = 13;
  if (number == kBFloat16) return at::kBFloat16;
  constexpr std::int64_t kBool = 12;
  if (number < 1 || number > kBool) return std::nullopt;
  return static_cast<at::ScalarType>(number - 1);
}

Result<Json> ReadJson(Reader& reader, const std::string& name) {
  if (!reader.hasRecord(name)) return Broken(name + " is missing");
  if (reader.getRecordSize(name) > kMaxJsonBytes) return Broken(name + " is too large");
  const auto [data, size] = reader.getRecord(name);
  const auto* text = static_cast<const char*>(data.get());
  Json json = Json::parse(text, text + size, nullptr, false);
  if (!json.is_object()) return Broken(name + " is not JSON");
  return json;
}

/// Sizes that depend on an input are kAnyDim.
Result<Shape> SizesOf(const Json& sizes) {
  Shape shape;
  for (const Json& size : sizes) {
    shape.push_back(size.contains("as_int") ? size["as_int"].get<std::int64_t>() : kAnyDim);
    if (shape.back() < kAnyDim) return Broken("a negative size");
  }
  return shape;
}

/// A tensor's data: its storage, with sizes, strides and offset from the description.
Result<at::Tensor> ReadTensor(Reader& reader, const std::string& record, const Json& meta) {
  const auto type = TypeOfSchema(meta.at("dtype").get<std::int64_t>());
  if (!type) return Fail(ErrorCode::kUnsupported, record + " has a type that is not read");
  KENNING_ASSIGN_OR_RETURN(const Shape sizes, SizesOf(meta.at("sizes")));
  KENNING_ASSIGN_OR_RETURN(const Shape strides, SizesOf(meta.at("strides")));
  const auto offset = meta.at("storage_offset").value("as_int", std::int64_t{-1});
  if (!ElementCount(sizes) || strides.size() != sizes.size() || offset < 0) {
    return Broken(record + " has a wrong shape");
  }
  if (!reader.hasRecord(record)) return Broken(record + " is missing");
  const auto [data, bytes] = reader.getRecord(record);
  const auto stored = static_cast<std::int64_t>(bytes / at::elementSize(*type));
  std::int64_t last = offset;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::int64_t reach = 0;
    if (strides[i] < 0 ||
        __builtin_mul_overflow(std::max<std::int64_t>(sizes[i] - 1, 0), strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return Broken(record + " has a wrong shape");
    }
  }
  if (*ElementCount(sizes) == 0) return at::empty(sizes, *type);
  if (last >= stored) return Broken(record + " is shorter than its shape");
  auto* start =
      static_cast<char*>(data.get()) + static_cast<std::size_t>(offset) * at::elementSize(*type);
  return at::from_blob(start, sizes, strides, *type).contiguous().clone();
}

/// Tensors of the archive by their names in the program.
class TensorSource {
 public:
  static Result<TensorSource> Open(Reader& reader) {
    TensorSource source(reader);
    for (const std::string kind : {"weights", "constants"}) {
      const std::string singular = kind == "weights" ? "weights" : "constants";
      const std::string name = fmt::format("data/{}/model_{}_config.json", kind, singular);
      if (!reader.hasRecord(name)) continue;
      KENNING_ASSIGN_OR_RETURN(const Json config, ReadJson(reader, name));
      for (const auto& [tensor, entry] : config.at("config").items()) {
        source.entries_[tensor] = {
            fmt::format("data/{}/{}", kind, entry.at("path_name").get<std::string>()), entry};
      }
    }
    return source;
  }

  Result<at::Tensor> Read(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found == entries_.end()) return Broken("tensor " + name + " is missing");
    const auto& [record, entry] = found->second;
    if (entry.value("use_pickle", false)) {
      return Fail(ErrorCode::kUnsupported, "tensor " + name + " is stored as a pickle");
    }
    return ReadTensor(*reader_, record, entry.at("tensor_meta"));
  }

 private:
  explicit TensorSource(Reader& reader) : reader_(&reader) {}
  Reader* reader_;
  std::map<std::string, std::pair<std::string, Json>> entries_;
};

class Program {
 public:
  Program(const Json& graph_module, const TensorSource& tensors)
      : graph_(graph_module.at("graph")),
        signature_(graph_module.at("signature")),
        tensors_(tensors) {}

  Result<TorchModel> Build() {
    TorchModel model;
    KENNING_RETURN_IF_ERROR(AddInputs(model.spec));
    if (graph_.at("nodes").size() > kMaxNodes) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("more than {} nodes", kMaxNodes));
    }
    for (const Json& node : graph_.at("nodes")) {
      KENNING_RETURN_IF_ERROR(AddNode(node),
                              fmt::format("node {}", node.at("target").get<std::string>()));
    }
    std::vector<std::string> outputs;
    for (const Json& output : signature_.at("output_specs")) {
      if (!output.contains("user_output")) {
        return Fail(ErrorCode::kUnsupported, "the program changes its own state");
      }
      const Json& argument = output["user_output"].at("arg");
      if (!argument.contains("as_tensor")) {
        return Fail(ErrorCode::kUnsupported, "an output that is no tensor");
      }
      const auto name = argument["as_tensor"].at("name").get<std::string>();
      KENNING_ASSIGN_OR_RETURN(std::string expression, Named(name));
      outputs.push_back(std::move(expression));
      KENNING_ASSIGN_OR_RETURN(TensorSpec spec, SpecOf(name));
      model.spec.outputs.push_back(std::move(spec));
    }
    model.module = builder_.Build(outputs);
    return model;
  }

 private:
  Result<std::string> Named(const std::string& name) const {
    const auto found = names_.find(name);
    if (found == names_.end()) return Broken(name + " is used before it is defined");
    return found->second;
  }

  Result<TensorSpec> SpecOf(const std::string& name) const {
    const Json& meta = graph_.at("tensor_values").at(name);
    const auto type = TypeOfSchema(meta.at("dtype").get<std::int64_t>());
    const auto dtype = type ? FromTorchType(*type) : std::nullopt;
    if (!dtype) return Fail(ErrorCode::kUnsupported, name + " has a type that kenning lacks");
    TensorSpec spec;
    spec.name = name;
    spec.dtype = *dtype;
    KENNING_ASSIGN_OR_RETURN(spec.shape, SizesOf(meta.at("sizes")));
    if (spec.shape.size() == 4) spec.layout = "NCHW";
    return spec;
  }

  Result<> AddInputs(ModelSpec& spec) {
    for (const Json& input : signature_.at("input_specs")) {
      if (input.contains("user_input")) {
        const Json& argument = input["user_input"].at("arg");
        if (argument.contains("as_none")) continue;
        if (!argument.contains("as_tensor")) {
          return Fail(ErrorCode::kUnsupported, "an input that is no tensor");
        }
        const auto name = argument["as_tensor"].at("name").get<std::string>();
        names_[name] = builder_.AddInput();
        KENNING_ASSIGN_OR_RETURN(TensorSpec tensor, SpecOf(name));
        spec.inputs.push_back(std::move(tensor));
        continue;
      }
      KENNING_RETURN_IF_ERROR(AddStored(input));
    }
    return {};
  }

  Result<> AddStored(const Json& input) {
    for (const auto& [kind, key] :
         std::map<std::string, std::string>{{"parameter", "parameter_name"},
                                            {"buffer", "buffer_name"},
                                            {"tensor_constant", "tensor_constant_name"}}) {
      if (!input.contains(kind)) continue;
      KENNING_ASSIGN_OR_RETURN(const at::Tensor tensor,
                               tensors_.Read(input[kind].at(key).get<std::string>()));
      names_[input[kind].at("arg").at("name").get<std::string>()] = builder_.AddTensor(tensor);
      return {};
    }
    return Fail(ErrorCode::kUnsupported, "an input that is neither tensor nor weight");
  }

  /// A number that may be computed: {"as_int": 1} or {"as_name": "sym_size"}.
  Result<std::string> Number(const Json& number) const {
    if (number.contains("as_int")) return std::to_string(number["as_int"].get<std::int64_t>());
    if (number.contains("as_name")) return Named(number["as_name"].get<std::string>());
    return Broken("a number");
  }

  Result<std::string> List(const Json& elements, bool numbers) const {
    std::vector<std::string> parts;
    for (const Json& element : elements) {
      KENNING_ASSIGN_OR_RETURN(std::string part,
                               numbers ? Number(element) : TensorArgument(element));
      parts.push_back(std::move(part));
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }

  Result<std::string> TensorArgument(const Json& argument) const {
    if (argument.contains("as_none")) return std::string("None");
    return Named(argument.contains("as_tensor") ? argument["as_tensor"].at("name")
                                                : argument.at("name"));
  }

  Result<std::string> Argument(const Json& argument) const {
    if (!argument.is_object() || argument.size() != 1) return Broken("an argument");
    const std::string kind = argument.begin().key();
    const Json& value = argument.begin().value();
    if (kind == "as_tensor") return Named(value.at("name"));
    if (kind == "as_none") return std::string("None");
    if (kind == "as_int") return std::to_string(value.get<std::int64_t>());
    if (kind == "as_float") return PyFloat(value.get<double>());
    if (kind == "as_bool") return PyBool(value.get<bool>());
    if (kind == "as_ints") return PyInts(value.get<std::vector<std::int64_t>>());
    if (kind == "as_floats" || kind == "as_bools") return Scalars(kind, value);
    if (kind == "as_sym_int") return Number(value);
    if (kind == "as_sym_ints") return List(value, true);
    if (kind == "as_tensors" || kind == "as_optional_tensors") return List(value, false);
    if (kind == "as_scalar_type") {
      const auto type = TypeOfSchema(value.get<std::int64_t>());
      if (!type) return Broken("a type");
      return std::to_string(static_cast<int>(*type));
    }
    // Where a tensor lies and how it is ordered follow from the others.
    if (kind == "as_device" || kind == "as_layout" || kind == "as_memory_format") {
      return std::string("None");
    }
    if (kind == "as_string") return Text(value.get<std::string>());
    return Fail(ErrorCode::kUnsupported, "an argument of kind " + kind);
  }

  static Result<std::string> Scalars(const std::string& kind, const Json& values) {
    std::vector<std::string> parts;
    for (const Json& value : values) {
      parts.push_back(kind == "as_bools" ? PyBool(value.get<bool>())
                                         : PyFloat(value.get<double>()));
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }

  static Result<std::string> Text(const std::string& text) {
    const bool plain =
        std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
    if (!plain) return Broken("a text argument");
    return "\"" + text + "\"";
  }

  /// The expression of a node: an ATen operator, or arithmetic of sizes.
  Result<std::string> Call(const Json& node) const {
    static const std::regex kAten(R"(torch\.ops\.aten\.([a-z0-9_]+)\.[A-Za-z0-9_]+)");
    static const std::map<std::string, std::string> kArithmetic = {{"_operator.add", "+"},
                                                                   {"_operator.sub", "-"},
                                                                   {"_operator.mul", "*"},
                                                                   {"_operator.floordiv", "//"},
                                                                   {"_operator.mod", "%"}};
    const auto target = node.at("target").get<std::string>();
    std::vector<std::string> arguments;
    for (const Json& input : node.at("inputs")) {
      KENNING_ASSIGN_OR_RETURN(std::string text, Argument(input.at("arg")));
      constexpr int kKeyword = 2;
      if (input.value("kind", 1) == kKeyword) {
        KENNING_ASSIGN_OR_RETURN(const std::string name, Text(input.at("name")));
        text = name.substr(1, name.size() - 2) + "=" + text;
      }
      arguments.push_back(std::move(text));
    }
    if (const auto sign = kArithmetic.find(target);
        sign != kArithmetic.end() && arguments.size() == 2) {
      return fmt::format("({} {} {})", arguments[0], sign->second, arguments[1]);
    }
    std::smatch match;
    if (!std::regex_match(target, match, kAten)) {
      return Fail(ErrorCode::kUnsupported, "an operator outside ATen has no TorchScript form here");
    }
    const std::string op = match[1];
    if (op == "from_file" || op == "save") return Broken("an operator that reaches for files");
    if (op == "sym_size" && arguments.size() == 2) {
      return fmt::format("{}.size({})", arguments[0], arguments[1]);
    }
    return fmt::format("torch.{}({})", op, fmt::join(arguments, ", "));
  }

  Result<> AddNode(const Json& node) {
    const auto target = node.at("target").get<std::string>();
    const bool is_check = target.find("_assert") != std::string::npos ||
                          target.find("sym_constrain_range") != std::string::npos;
    if (is_check) return {};
    KENNING_ASSIGN_OR_RETURN(const std::string call, Call(node));
    const Json& outputs = node.at("outputs");
    if (outputs.size() == 1 && outputs[0].contains("as_tensors")) {
      return AddMany(outputs[0]["as_tensors"], call);
    }
    if (outputs.size() == 1) {
      const Json& output = outputs[0].begin().value();
      names_[output.contains("name") ? output["name"] : output.at("as_name")] =
          builder_.Assign(call);
      return {};
    }
    Json tensors = Json::array();
    for (const Json& output : outputs) tensors.push_back(output.value("as_tensor", Json::object()));
    return AddMany(tensors, call);
  }

  Result<> AddMany(const Json& tensors, const std::string& call) {
    if (tensors.empty()) return {};
    const std::vector<std::string> made = builder_.AssignMany(tensors.size(), call);
    for (std::size_t i = 0; i < made.size(); ++i) names_[tensors[i].value("name", "")] = made[i];
    return {};
  }

  const Json& graph_;
  const Json& signature_;
  const TensorSource& tensors_;
  ScriptBuilder builder_;
  std::map<std::string, std::string> names_;
};

Result<TorchModel> Read(const std::filesystem::path& path) {
  Reader reader(path.string());
  KENNING_ASSIGN_OR_RETURN(const Json program, ReadJson(reader, "models/model.json"));
  KENNING_ASSIGN_OR_RETURN(const TensorSource tensors, TensorSource::Open(reader));
  Program builder(program.at("graph_module"), tensors);
  return builder.Build();
}

}  // namespace

Result<TorchModel> ReadExportedProgram(const std::filesystem::path& path) {
  KENNING_RETURN_IF_ERROR(CheckExported(path));
  // nlohmann::json's exceptions mean a program that is not of the form that torch.export gives.
  return Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<TorchModel> {
    KENNING_ASSIGN_OR_RETURN(TorchModel model, Read(path), path.string());
    return model;
  });
}

}  // namespace kenning::libtorch
