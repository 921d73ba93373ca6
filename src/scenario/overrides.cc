// SPDX-License-Identifier: Apache-2.0
#include "scenario/overrides.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "kenning/base/strings.h"
#include "scenario/scenario_keys.h"

namespace kenning::scenario {
namespace {

constexpr Position kCommandLine = {};

bool IsFlag(const ScenarioOverride& one) { return one.target.starts_with("--"); }

/// "optimizers[1]" -> key and index. A list's key without an index means its first block.
bool ParseBlock(std::string_view text, KeyPath& path) {
  const std::size_t bracket = text.find('[');
  path.key = ModernKey(text.substr(0, bracket));
  const BlockKey* key = FindBlockKey(path.key);
  if (key == nullptr) return false;
  path.block = path.key;
  if (bracket != std::string_view::npos) {
    if (!key->is_list || !text.ends_with(']')) return false;
    const std::string_view digits = text.substr(bracket + 1, text.size() - bracket - 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), path.index);
    if (error != std::errc() || end != digits.data() + digits.size()) return false;
  }
  if (key->is_list) path.block += fmt::format("[{}]", path.index);
  return true;
}

Member& AddMember(Node& map, std::string_view key) {
  Member member;
  member.key = key;
  map.members.push_back(std::move(member));
  return map.members.back();
}

/// The block's node, made where it is missing; null where the tree has something else there.
Node* BlockNode(const KeyPath& path, Node& root) {
  Node* node = nullptr;
  for (Member& member : root.members) {
    if (ModernKey(member.key) == path.key) node = &member.value;
  }
  if (node == nullptr) {
    node = &AddMember(root, path.key).value;
    node->kind = FindBlockKey(path.key)->is_list ? Node::Kind::kList : Node::Kind::kMap;
  }
  if (FindBlockKey(path.key)->is_list) {
    if (node->kind != Node::Kind::kList || path.index > node->items.size()) return nullptr;
    if (path.index == node->items.size()) {
      node->items.emplace_back();
      node->items.back().kind = Node::Kind::kMap;
    }
    node = &node->items[path.index];
  }
  return node->kind == Node::Kind::kMap ? node : nullptr;
}

/// Every parameter of these blocks that a flag means.
struct FlagMatch {
  PendingBlock* block;
  const ParamSpec* spec;
};
std::vector<FlagMatch> FindFlag(std::string_view flag, std::vector<PendingBlock>& blocks) {
  std::vector<FlagMatch> matches;
  for (PendingBlock& block : blocks) {
    if (block.info == nullptr) continue;
    for (const ParamSpec& spec : block.info->schema.params) {
      if (FlagFor(spec) == flag) matches.push_back({&block, &spec});
    }
  }
  return matches;
}

bool AllKnown(const std::vector<PendingBlock>& blocks) {
  return std::ranges::all_of(blocks, [](const PendingBlock& block) { return block.info; });
}

std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::vector<std::string> nearest = NearestNames(name, candidates, 2);
  return nearest.empty() ? "" : fmt::format("; did you mean {}?", Join(nearest, " or "));
}

void AssignFlag(const ScenarioOverride& one, Problems& problems,
                std::vector<PendingBlock>& blocks) {
  const std::vector<FlagMatch> matches = FindFlag(one.target, blocks);
  if (matches.size() == 1) {
    matches[0].block->overrides.push_back({&one, matches[0].spec});
    return;
  }
  if (matches.size() > 1) {
    std::vector<std::string> paths;
    for (const FlagMatch& match : matches) {
      paths.push_back(
          fmt::format("--set {}.{}={}", match.block->key_path, match.spec->name, one.value));
    }
    problems.Add(kCommandLine, one.target,
                 "several blocks have this parameter; say which: " + Join(paths, " or "));
    return;
  }
  // A block whose class is unknown might have had it; its own problem is reported.
  if (!AllKnown(blocks)) return;
  std::vector<std::string> flags;
  for (const PendingBlock& block : blocks) {
    for (const ParamSpec& spec : block.info->schema.params) flags.push_back(FlagFor(spec));
  }
  problems.Add(kCommandLine, one.target,
               "no block of the scenario has such a parameter" + DidYouMean(one.target, flags));
}

void AssignKeyPath(const ScenarioOverride& one, const KeyPath& path, Problems& problems,
                   std::vector<PendingBlock>& blocks) {
  const auto block = std::ranges::find(blocks, path.block, &PendingBlock::key_path);
  if (block == blocks.end()) {
    problems.Add(kCommandLine, one.target,
                 fmt::format("the scenario has no {0}; --set {0}.type=CLASS adds it", path.block));
    return;
  }
  if (block->info == nullptr) return;
  if (const ParamSpec* spec = block->info->schema.Find(path.parameter)) {
    block->overrides.push_back({&one, spec});
    return;
  }
  std::vector<std::string> names;
  for (const ParamSpec& spec : block->info->schema.params) names.push_back(spec.name);
  problems.Add(kCommandLine, one.target,
               fmt::format("{} has no parameter \"{}\"{}", block->info->name,
                           Printable(path.parameter, 80), DidYouMean(path.parameter, names)));
}

}  // namespace

std::string_view ModernKey(std::string_view key) {
  for (const OldKey& old : kOldKeys) {
    if (key == old.old_name) return old.name;
  }
  return key;
}

const BlockKey* FindBlockKey(std::string_view key) {
  const auto found = std::ranges::find(
      kBlockKeys, key, [](const BlockKey& one) { return std::string_view(one.name); });
  return found == kBlockKeys.end() ? nullptr : &*found;
}

std::optional<KeyPath> ParseKeyPath(std::string_view text) {
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  KeyPath path;
  if (!ParseBlock(text.substr(0, dot), path)) return std::nullopt;
  std::string_view rest = text.substr(dot + 1);
  if (rest == "type") return path;
  constexpr std::string_view kParameters = "parameters.";
  if (rest.starts_with(kParameters)) rest.remove_prefix(kParameters.size());
  if (rest.empty() || rest.find('.') != std::string_view::npos) return std::nullopt;
  path.parameter = rest;
  return path;
}

std::vector<std::string> ApplyTypeOverrides(std::span<const ScenarioOverride> overrides,
                                            Problems& problems, Node& root) {
  std::vector<std::string> retyped;
  for (const ScenarioOverride& one : overrides) {
    if (IsFlag(one)) continue;
    const std::optional<KeyPath> path = ParseKeyPath(one.target);
    if (!path || !path->parameter.empty()) continue;
    Node* block = BlockNode(*path, root);
    if (block == nullptr) {
      problems.Add(kCommandLine, one.target, "there is no such block, and none can be added there");
      continue;
    }
    Node* type = block->Find("type");
    if (type == nullptr) type = &AddMember(*block, "type").value;
    if (type->kind == Node::Kind::kString && type->text == one.value) continue;
    *type = Node{};
    type->kind = Node::Kind::kString;
    type->text = one.value;
    retyped.push_back(path->block);
  }
  return retyped;
}

void AssignOverrides(std::span<const ScenarioOverride> overrides, Problems& problems,
                     std::vector<PendingBlock>& blocks) {
  for (const ScenarioOverride& one : overrides) {
    if (IsFlag(one)) {
      AssignFlag(one, problems, blocks);
      continue;
    }
    const std::optional<KeyPath> path = ParseKeyPath(one.target);
    if (!path) {
      problems.Add(kCommandLine, one.target,
                   "not a key path of a scenario; write for example "
                   "optimizers[0].compiled_model_path or runtime.type");
    } else if (!path->parameter.empty()) {
      AssignKeyPath(one, *path, problems, blocks);
    }
  }
}

}  // namespace kenning::scenario
