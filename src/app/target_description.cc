// SPDX-License-Identifier: Apache-2.0
#include "app/target_description.h"

#include <nlohmann/json.hpp>

#include "wire/clean_text.h"

namespace kenning {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostText = 200;
constexpr std::size_t kMostItems = 200;

const Json& At(const Json& object, const char* key) {
  static const Json kNone;
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it == object.end() ? kNone : *it;
}

std::string Text(const Json& value) {
  if (!value.is_string()) return {};
  return wire::CleanText(value.get_ref<const std::string&>(), kMostText);
}

std::optional<std::uint64_t> Count(const Json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;
  return value.get<std::uint64_t>();
}

std::vector<std::string> Texts(const Json& list) {
  std::vector<std::string> texts;
  if (!list.is_array()) return texts;
  for (const Json& one : list) {
    if (texts.size() >= kMostItems) break;
    if (std::string text = Text(one); !text.empty()) texts.push_back(std::move(text));
  }
  return texts;
}

/// An object, or a name alone.
TargetDescription::Engine EngineFrom(const Json& value) {
  TargetDescription::Engine engine;
  engine.engine = value.is_string() ? Text(value) : Text(At(value, "engine"));
  if (engine.engine.empty()) engine.engine = Text(At(value, "name"));
  engine.version = Text(At(value, "version"));
  engine.runtime = Text(At(value, "runtime"));
  engine.formats = Texts(At(value, "formats"));
  return engine;
}

}  // namespace

TargetDescription DescriptionFromHello(const std::string& json) {
  const Json hello = Json::parse(json, nullptr, false);
  TargetDescription target;
  target.agent_version = Text(At(hello, "agent_version"));
  target.authentication = Text(At(hello, "authentication"));
  if (const Json& engines = At(hello, "engines"); engines.is_array()) {
    for (const Json& one : engines) {
      TargetDescription::Engine engine = EngineFrom(one);
      if (!engine.engine.empty() && target.engines.size() < kMostItems) {
        target.engines.push_back(std::move(engine));
      }
    }
  }
  const Json& cpu = At(hello, "cpu");
  target.cpu_model = cpu.is_string() ? Text(cpu) : Text(At(cpu, "model"));
  target.architecture = Text(At(cpu, "architecture"));
  target.cores = Count(At(cpu, "cores")).value_or(0);
  target.features = Texts(At(cpu, "features"));
  target.memory_bytes = Count(At(hello, "memory_bytes")).value_or(0);
  target.kernel = Text(At(hello, "kernel"));
  target.user = Text(At(hello, "user"));
  if (const Json& sandbox = At(hello, "sandbox"); sandbox.is_array()) {
    target.sandbox = Texts(sandbox);
  }
  if (const Json& allowed = At(hello, "optimizers_allowed"); allowed.is_boolean()) {
    target.optimizers_allowed = allowed.get<bool>();
  }
  target.store_used_bytes = Count(At(At(hello, "store"), "used_bytes"));
  target.store_max_bytes = Count(At(At(hello, "store"), "max_bytes"));
  target.max_model_bytes = Count(At(At(hello, "limits"), "max_model_bytes"));
  return target;
}

}  // namespace kenning
