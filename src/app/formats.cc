// SPDX-License-Identifier: Apache-2.0
#include "app/formats.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/make_blocks.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

using Formats = std::vector<std::string>;

bool Contains(const Formats& list, const std::string& item) {
  return std::ranges::find(list, item) != list.end();
}

/// The formats that a model_framework stands for: Kenning names frameworks, too.
Formats FormatsOfFramework(const std::string& name) {
  if (name == "tensorflow") return {"savedmodel", "keras"};
  if (name == "torch" || name == "pytorch") return {"torchscript", "torch_export"};
  return {name};
}

/// What a block takes, best first.
Formats Accepted(const ScenarioBlock& block) {
  const auto value = block.params.values().find("model_framework");
  if (value == block.params.values().end() || !block.params.Has("model_framework")) {
    return block.info->accepts;
  }
  const std::string& framework = block.params.String("model_framework");
  if (framework == "any") return block.info->accepts;
  const Formats wanted = FormatsOfFramework(framework);
  Formats accepted;
  std::ranges::copy_if(block.info->accepts, std::back_inserter(accepted),
                       [&wanted](const std::string& format) { return Contains(wanted, format); });
  return accepted;
}

/// What an optimizer may give for a model of format `given`.
Formats Offered(const ScenarioBlock& block, const std::string& given, const Registry& registry) {
  if (block.info->produces.empty()) return {given};
  if (block.info->produces.size() > 1 && block.params.Has("compiled_model_path")) {
    // Only the name counts: what lies there now may be the result of another scenario.
    const std::filesystem::path path = block.params.String("compiled_model_path");
    std::string named = registry.FormatOfExtension(ToLower(path.extension().string()));
    if (Contains(block.info->produces, named)) return {std::move(named)};
  }
  return block.info->produces;
}

/// "; put ONNXCompiler (keras to onnx) before it", where an optimizer closes the gap.
std::string Bridge(const Formats& offered, const Formats& accepted, const Registry& registry) {
  std::vector<std::string> bridges;
  for (const BlockInfo* info : registry.List(BlockCategory::kOptimizer)) {
    for (const std::string& from : offered) {
      const auto to = std::ranges::find_if(info->produces, [&accepted](const std::string& format) {
        return Contains(accepted, format);
      });
      if (!Contains(info->accepts, from) || to == info->produces.end()) continue;
      bridges.push_back(fmt::format("{} ({} to {})", info->name, from, *to));
      break;
    }
  }
  return bridges.empty() ? "" : fmt::format("; put {} before it", Join(bridges, " or "));
}

/// The best format for both sides; empty where there is none.
std::string Agree(const Formats& offered, const Formats& accepted) {
  for (const std::string& format : accepted) {
    if (Contains(offered, format)) return format;
  }
  return "";
}

std::string Taken(const ScenarioBlock& block, const Formats& accepted) {
  if (accepted == block.info->accepts) return Join(accepted);
  return fmt::format("{} (model_framework \"{}\")", accepted.empty() ? "nothing" : Join(accepted),
                     block.params.String("model_framework"));
}

}  // namespace

std::vector<std::string> ChainFormats(const Scenario& scenario, const std::string& model_format,
                                      const Registry& registry, const FormatProblem& report) {
  std::vector<std::string> formats;
  Formats offered = {model_format};
  const auto hand_over = [&](const ScenarioBlock& to, const char* verb, const char* from) {
    const Formats accepted = Accepted(to);
    std::string format = Agree(offered, accepted);
    if (format.empty()) {
      report(to, fmt::format("{} {} {}, but {} {}{}", to.info->name, verb, Taken(to, accepted),
                             from, Join(offered, " or "), Bridge(offered, accepted, registry)));
      format = offered.front();
    }
    formats.push_back(std::move(format));
  };
  for (const ScenarioBlock& block : scenario.optimizers) {
    hand_over(block, "takes", "the block before gives");
    offered = Offered(block, formats.back(), registry);
  }
  if (scenario.runtime) {
    hand_over(*scenario.runtime, "runs", "the model arrives as");
  } else {
    formats.push_back(offered.front());
  }
  return formats;
}

std::vector<const BlockInfo*> RuntimesFor(std::string_view format, const Registry& registry) {
  std::vector<const BlockInfo*> runtimes = registry.List(BlockCategory::kRuntime);
  std::erase_if(runtimes, [format](const BlockInfo* info) {
    return std::ranges::find(info->accepts, format) == info->accepts.end();
  });
  std::ranges::stable_sort(runtimes, {},
                           [](const BlockInfo* info) { return info->accepts.size(); });
  return runtimes;
}

}  // namespace kenning
