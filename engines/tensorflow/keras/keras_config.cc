// SPDX-License-Identifier: Apache-2.0
#include "keras/keras_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "keras/hdf5_attribute.h"
#include "keras/layer_shape.h"
#include "keras/zip_member.h"
#include "saved_model.h"

namespace kenning::tensorflow {
namespace {

using Json = nlohmann::json;

constexpr int kMostModels = 16;  // One inside the other.
constexpr int kMostNesting = 32;
constexpr std::size_t kMostLayers = 20000;
constexpr int kMostPasses = 8;

tl::unexpected<Error> Broken(const char* what) {
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("the configuration of the Keras model is broken ({})", what));
}

const Json& Child(const Json& json, const char* key) {
  static const Json kNone;
  if (!json.is_object()) return kNone;
  const auto found = json.find(key);
  return found == json.end() ? kNone : *found;
}

std::string TextOf(const Json& json, const char* key) {
  const Json& child = Child(json, key);
  return child.is_string() ? child.get<std::string>() : "";
}

/// One tensor between layers: output `index` of the `node`th use of a layer.
struct TensorKey {
  std::string layer;
  std::int64_t node = 0;
  std::int64_t index = 0;
  auto operator<=>(const TensorKey&) const = default;
};

struct TensorFacts {
  Shape shape;
  DType dtype = DType::kFloat32;
};

/// "float32", or a policy such as "mixed_float16" or {"config": {"name": …}}.
DType DTypeOf(const Json& dtype) {
  if (dtype.is_object()) return DTypeOf(Child(Child(dtype, "config"), "name"));
  if (!dtype.is_string()) return DType::kFloat32;
  std::string name = dtype.get<std::string>();
  if (name.starts_with("mixed_")) name = name.substr(6);
  return ParseDType(name).value_or(DType::kFloat32);
}

/// Collects references to tensors in what Keras stores of calls: ["layer", 0, 0, …] of version 2,
/// {"class_name": "__keras_tensor__", …} of version 3, at any depth. Version 3 tells the shapes,
/// too.
class References {
 public:
  explicit References(std::map<TensorKey, TensorFacts>* known) : known_(known) {}
  void Collect(const Json& json, int depth = 0) {
    if (depth > kMostNesting) return;
    if (json.is_array()) {
      if (IsReference(json)) {
        keys.push_back(
            {json[0].get<std::string>(), json[1].get<std::int64_t>(), json[2].get<std::int64_t>()});
        return;
      }
      for (const Json& entry : json) Collect(entry, depth + 1);
    } else if (json.is_object()) {
      const Json& config = Child(json, "config");
      if (TextOf(json, "class_name") == "__keras_tensor__" &&
          IsReference(Child(config, "keras_history"))) {
        Collect(config["keras_history"], depth + 1);
        const auto shape = ShapeFromJson(Child(config, "shape"));
        if (shape && known_ != nullptr) {
          known_->try_emplace(keys.back(), TensorFacts{*shape, DTypeOf(Child(config, "dtype"))});
        }
        return;
      }
      for (const auto& [key, value] : json.items()) Collect(value, depth + 1);
    }
  }
  std::vector<TensorKey> keys;

 private:
  static bool IsReference(const Json& json) {
    return json.is_array() && json.size() >= 3 && json[0].is_string() &&
           json[1].is_number_integer() && json[2].is_number_integer();
  }
  std::map<TensorKey, TensorFacts>* known_;
};

/// The outputs of a model for given inputs (the model's own, where none are given).
struct ModelFacts {
  std::vector<std::string> input_names;
  std::vector<TensorFacts> inputs;
  std::vector<std::string> output_names;
  std::vector<TensorFacts> outputs;
};

Result<ModelFacts> EvaluateModel(const Json& model, std::span<const Shape> given, int depth);

bool IsModel(const std::string& type, const Json& config) {
  return type == "Sequential" || type == "Functional" || type == "Model" ||
         (Child(config, "layers").is_array() && Child(config, "output_layers").is_array());
}

/// Outputs of one use of a layer; empty where they are not known.
Result<std::vector<TensorFacts>> EvaluateLayer(const Json& layer, std::span<const Shape> inputs,
                                               int depth) {
  const std::string type = TextOf(layer, "class_name");
  const Json& config = Child(layer, "config");
  if (IsModel(type, config)) {
    auto facts = EvaluateModel(layer, inputs, depth + 1);
    if (facts) return std::move(facts->outputs);
    if (facts.error().code() == ErrorCode::kUnsupported) return std::vector<TensorFacts>();
    return tl::unexpected(std::move(facts).error());
  }
  const auto shape = LayerOutputShape(type, config, inputs);
  if (!shape) return std::vector<TensorFacts>();
  return std::vector<TensorFacts>{{*shape, DTypeOf(Child(config, "dtype"))}};
}

std::optional<Shape> DeclaredShape(const Json& config) {
  if (auto shape = ShapeFromJson(Child(config, "batch_shape"))) return shape;
  return ShapeFromJson(Child(config, "batch_input_shape"));
}

tl::unexpected<Error> UnknownOutput(const std::string& layer, const std::string& type) {
  return Fail(ErrorCode::kUnsupported,
              fmt::format("what the layer \"{}\" of class {} gives is known to Keras alone", layer,
                          type.empty() ? "unknown" : type));
}

Result<ModelFacts> EvaluateSequential(const Json& config, std::span<const Shape> given, int depth) {
  const Json& layers = config.is_array() ? config : Child(config, "layers");
  if (!layers.is_array() || layers.empty() || layers.size() > kMostLayers) {
    return Broken("no layers");
  }
  const Json& first = Child(layers[0], "config");
  auto shape = DeclaredShape(first);
  if (!shape) shape = ShapeFromJson(Child(config, "build_input_shape"));
  if (!given.empty()) shape = given[0];
  if (!shape) {
    return Fail(ErrorCode::kUnsupported, "the model does not say which shape its input has");
  }
  ModelFacts facts;
  const bool has_input = TextOf(layers[0], "class_name") == "InputLayer";
  facts.input_names.push_back(TextOf(first, "name") + (has_input ? "" : "_input"));
  facts.inputs.push_back({*shape, DTypeOf(Child(first, "dtype"))});
  TensorFacts current = facts.inputs[0];
  std::string name = facts.input_names[0];
  for (std::size_t i = has_input ? 1 : 0; i < layers.size(); ++i) {
    name = TextOf(Child(layers[i], "config"), "name");
    KENNING_ASSIGN_OR_RETURN(const auto outputs,
                             EvaluateLayer(layers[i], {&current.shape, 1}, depth));
    if (outputs.empty()) return UnknownOutput(name, TextOf(layers[i], "class_name"));
    current = outputs[0];
  }
  facts.output_names.push_back(name);
  facts.outputs.push_back(current);
  return facts;
}

/// A graph of layers.
class FunctionalModel {
 public:
  FunctionalModel(const Json& config, int depth) : config_(config), depth_(depth) {}

  Result<ModelFacts> Evaluate(std::span<const Shape> given) {
    const Json& layers = Child(config_, "layers");
    if (!layers.is_array() || layers.size() > kMostLayers) return Broken("no layers");
    KENNING_RETURN_IF_ERROR(ReadInputs(layers, given));
    // Layers stand in the order of computation, but for rare cases.
    for (int pass = 0; pass < kMostPasses; ++pass) {
      const std::size_t before = known_.size();
      for (const Json& layer : layers) KENNING_RETURN_IF_ERROR(EvaluateUses(layer));
      if (known_.size() == before) break;
    }
    return ReadOutputs(layers);
  }

 private:
  Result<> ReadInputs(const Json& layers, std::span<const Shape> given) {
    References references(nullptr);
    references.Collect(Child(config_, "input_layers"));
    for (const TensorKey& key : references.keys) {
      const Json& config = Child(FindLayer(layers, key.layer), "config");
      auto shape = DeclaredShape(config);
      if (facts_.inputs.size() < given.size()) shape = given[facts_.inputs.size()];
      if (!shape) return Broken("an input without a shape");
      const TensorFacts tensor{*shape, DTypeOf(Child(config, "dtype"))};
      known_[key] = tensor;
      facts_.input_names.push_back(key.layer);
      facts_.inputs.push_back(tensor);
    }
    if (facts_.inputs.empty()) return Broken("no inputs");
    return {};
  }

  Result<> EvaluateUses(const Json& layer) {
    const std::string name = NameOf(layer);
    const Json& uses = Child(layer, "inbound_nodes");
    if (!uses.is_array()) return {};
    for (std::size_t use = 0; use < uses.size(); ++use) {
      const auto node = static_cast<std::int64_t>(use);
      if (known_.contains({name, node, 0})) continue;
      References references(&known_);
      references.Collect(uses[use]);
      std::vector<Shape> inputs;
      for (const TensorKey& key : references.keys) {
        const auto found = known_.find(key);
        if (found != known_.end()) inputs.push_back(found->second.shape);
      }
      if (inputs.empty() || inputs.size() != references.keys.size()) continue;
      KENNING_ASSIGN_OR_RETURN(const auto outputs, EvaluateLayer(layer, inputs, depth_));
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        known_.try_emplace({name, node, static_cast<std::int64_t>(i)}, outputs[i]);
      }
    }
    return {};
  }

  Result<ModelFacts> ReadOutputs(const Json& layers) {
    References references(nullptr);
    references.Collect(Child(config_, "output_layers"));
    if (references.keys.empty()) return Broken("no outputs");
    std::map<std::string, int> uses;
    for (const TensorKey& key : references.keys) {
      const auto found = known_.find(key);
      if (found == known_.end()) {
        return UnknownOutput(key.layer, TextOf(FindLayer(layers, key.layer), "class_name"));
      }
      const int use = uses[key.layer]++;
      facts_.output_names.push_back(use == 0 ? key.layer : fmt::format("{}_{}", key.layer, use));
      facts_.outputs.push_back(found->second);
    }
    return std::move(facts_);
  }

  static std::string NameOf(const Json& layer) {
    const std::string name = TextOf(layer, "name");
    return name.empty() ? TextOf(Child(layer, "config"), "name") : name;
  }
  static const Json& FindLayer(const Json& layers, const std::string& name) {
    static const Json kNone;
    for (const Json& layer : layers) {
      if (NameOf(layer) == name) return layer;
    }
    return kNone;
  }

  const Json& config_;
  int depth_;
  std::map<TensorKey, TensorFacts> known_;
  ModelFacts facts_;
};

Result<ModelFacts> EvaluateModel(const Json& model, std::span<const Shape> given, int depth) {
  if (depth > kMostModels) return Broken("models nested too deep");
  const Json& config = Child(model, "config");
  if (TextOf(model, "class_name") == "Sequential") return EvaluateSequential(config, given, depth);
  if (!Child(config, "layers").is_array()) {
    return UnknownOutput(TextOf(config, "name"), TextOf(model, "class_name"));
  }
  return FunctionalModel(config, depth).Evaluate(given);
}

std::vector<TensorSpec> SpecsOf(const std::vector<std::string>& names,
                                const std::vector<TensorFacts>& tensors) {
  std::vector<TensorSpec> specs;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TensorSpec spec;
    spec.name = names[i];
    spec.dtype = tensors[i].dtype;
    spec.shape = tensors[i].shape;
    specs.push_back(std::move(spec));
  }
  return specs;
}

}  // namespace

Result<std::string> ReadKerasConfig(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const RandomFile file, RandomFile::Open(path));
  return ReadKerasConfig(file);
}

Result<std::string> ReadKerasConfig(const RandomAccess& file) {
  if (IsZip(file)) return ReadZipMember(file, "config.json");
  if (!IsHdf5(file)) {
    return Fail(ErrorCode::kInvalidModel,
                "this is no Keras model, which begins as an HDF5 file or a zip archive");
  }
  KENNING_ASSIGN_OR_RETURN(auto config, ReadRootText(file, "model_config"));
  if (config) return *std::move(config);
  return Fail(ErrorCode::kUnsupported,
              "the file holds weights alone, not the model; save it with model.save()");
}

Result<ModelSpec> SpecOfKerasConfig(std::string_view config) {
  const Json model = Json::parse(config, nullptr, false);
  if (!model.is_object()) return Broken("no JSON object");
  KENNING_ASSIGN_OR_RETURN(const ModelFacts facts, EvaluateModel(model, {}, 0));
  ModelSpec spec;
  spec.inputs = SpecsOf(facts.input_names, facts.inputs);
  spec.outputs = SpecsOf(facts.output_names, facts.outputs);
  for (TensorSpec& input : spec.inputs) input.layout = GuessLayout(input.shape);
  return spec;
}

Result<ModelSpec> InspectKeras(const std::filesystem::path& path) {
  const auto named = [&](const Error& error) {
    return Fail(error.code(), fmt::format("{}: {}", path.string(), error.message()));
  };
  const auto config = ReadKerasConfig(path);
  if (!config) return named(config.error());
  auto spec = SpecOfKerasConfig(*config);
  if (!spec) return named(spec.error());
  return spec;
}

}  // namespace kenning::tensorflow
