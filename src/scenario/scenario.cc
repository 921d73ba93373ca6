// SPDX-License-Identifier: Apache-2.0
#include "scenario/scenario.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "scenario/block_check.h"
#include "scenario/json_params.h"
#include "scenario/utf8.h"

namespace kenning {
namespace {

using scenario::Node;
using scenario::PendingBlock;
using scenario::Position;
using scenario::Problems;

constexpr std::uint64_t kLargestJsonBytes = 16U << 20U;
/// The YAML library's scanner costs more than linear time on hostile text.
constexpr std::uint64_t kLargestYamlBytes = 1U << 20U;

bool LooksLikeJson(std::string_view text, const std::string& file_name) {
  const std::string extension = ToLower(std::filesystem::path(file_name).extension().string());
  if (extension == ".json") return true;
  if (extension == ".yaml" || extension == ".yml") return false;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

bool ReadTree(std::string_view text, const std::string& file_name, Problems& problems, Node& root) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const bool json = LooksLikeJson(text, file_name);
  const std::uint64_t limit = json ? kLargestJsonBytes : kLargestYamlBytes;
  if (text.size() > limit) {
    problems.Add({1, 1}, "", fmt::format("{} bytes; a scenario may have {}", text.size(), limit));
    return false;
  }
  if (const auto bad = scenario::FindInvalidUtf8(text)) {
    problems.Add(*bad, "", "this is not UTF-8 text");
    return false;
  }
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    problems.Add({1, 1}, "", "the file is empty; a scenario is an object of blocks");
    return false;
  }
  return json ? scenario::ReadJson(text, problems, root) : scenario::ReadYaml(text, problems, root);
}

bool CheckRoot(const Node& root, Problems& problems) {
  if (root.kind == Node::Kind::kMap) return true;
  // YAML of comments alone has no position.
  const Position where = root.where.line == 0 ? Position{1, 1} : root.where;
  const bool flow = root.kind == Node::Kind::kList;
  problems.Add(
      where, "",
      fmt::format("found {}; a scenario is an object of blocks{}", scenario::Describe(root),
                  flow ? " (flows of runners are not part of this version)" : ""));
  return false;
}

std::optional<ScenarioBlock>* SlotFor(Scenario& scenario, BlockCategory category) {
  switch (category) {
    case BlockCategory::kModelWrapper:
      return &scenario.model_wrapper;
    case BlockCategory::kDataset:
      return &scenario.dataset;
    case BlockCategory::kRuntime:
      return &scenario.runtime;
    case BlockCategory::kProtocol:
      return &scenario.protocol;
    case BlockCategory::kPlatform:
      return &scenario.platform;
    case BlockCategory::kRuntimeBuilder:
      return &scenario.runtime_builder;
    case BlockCategory::kReport:
      return &scenario.report;
    default:
      return nullptr;
  }
}

nlohmann::json BlockJson(const ScenarioBlock& block) {
  nlohmann::json parameters = nlohmann::json::object();
  for (const auto& [name, value] : block.params.values()) {
    parameters[name] = scenario::ToJson<nlohmann::json>(value);
  }
  return {{"type", block.info->name}, {"parameters", std::move(parameters)}};
}

std::string CanonicalJson(const Scenario& scenario) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto* block :
       {&scenario.model_wrapper, &scenario.dataset, &scenario.runtime, &scenario.protocol,
        &scenario.platform, &scenario.runtime_builder, &scenario.report}) {
    if (*block) json[(*block)->key_path] = BlockJson(**block);
  }
  nlohmann::json optimizers = nlohmann::json::array();
  for (const ScenarioBlock& block : scenario.optimizers) optimizers.push_back(BlockJson(block));
  json["optimizers"] = std::move(optimizers);
  // Text of the command line need not be UTF-8.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<Scenario> CheckTree(Node root, const Registry& registry,
                           std::span<const ScenarioOverride> overrides, Problems& problems) {
  const std::vector<std::string> retyped = scenario::ApplyTypeOverrides(overrides, problems, root);
  std::vector<PendingBlock> blocks = scenario::ResolveBlocks(root, registry, retyped, problems);
  scenario::AssignOverrides(overrides, problems, blocks);
  Scenario result;
  for (const PendingBlock& block : blocks) {
    if (block.info == nullptr) continue;
    ScenarioBlock checked = scenario::CheckBlock(block, problems);
    if (block.category == BlockCategory::kOptimizer) {
      result.optimizers.push_back(std::move(checked));
    } else if (auto* slot = SlotFor(result, block.category)) {
      *slot = std::move(checked);
    }
  }
  KENNING_RETURN_IF_ERROR(problems.Finish());
  result.canonical_json = CanonicalJson(result);
  result.warnings = problems.TakeWarnings();
  return result;
}

}  // namespace

std::string ToString(const SourcePosition& position) {
  if (position.line == 0) return position.file;
  return fmt::format("{}:{}:{}", position.file, position.line, position.column);
}

Result<Scenario> ParseScenario(std::string_view text, const std::string& file_name,
                               const Registry& registry,
                               std::span<const ScenarioOverride> overrides) {
  Problems problems(file_name);
  Node root;
  if (!ReadTree(text, file_name, problems, root) || !CheckRoot(root, problems)) {
    KENNING_RETURN_IF_ERROR(problems.Finish());
    return Fail(ErrorCode::kInvalidScenario, file_name + ": cannot be read as a scenario");
  }
  KENNING_ASSIGN_OR_RETURN(Scenario scenario,
                           CheckTree(std::move(root), registry, overrides, problems));
  scenario.path = file_name;
  return scenario;
}

Result<Scenario> LoadScenario(const std::filesystem::path& path, const Registry& registry,
                              std::span<const ScenarioOverride> overrides) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestJsonBytes),
                           "reading the scenario");
  return ParseScenario(text, path.string(), registry, overrides);
}

BlockChoices PeekBlocks(const std::filesystem::path& path, const Registry& registry,
                        std::span<const ScenarioOverride> overrides) {
  Result<std::string> text = std::string("{}");
  if (!path.empty()) text = ReadFile(path, kLargestJsonBytes);
  BlockChoices choices;
  Problems problems(path.string());
  Node root;
  root.kind = Node::Kind::kMap;
  choices.complete =
      text && ReadTree(*text, path.string(), problems, root) && root.kind == Node::Kind::kMap;
  if (!choices.complete) root = Node{.kind = Node::Kind::kMap};
  const std::vector<std::string> retyped = scenario::ApplyTypeOverrides(overrides, problems, root);
  for (const PendingBlock& block : scenario::ResolveBlocks(root, registry, retyped, problems)) {
    if (block.info == nullptr) {
      choices.complete = false;
    } else {
      choices.blocks.push_back({block.key_path, block.info});
    }
  }
  return choices;
}

}  // namespace kenning
