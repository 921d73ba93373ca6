// SPDX-License-Identifier: Apache-2.0
#include "scenario/block_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"
#include "scenario/param_check.h"
#include "scenario/scenario_keys.h"

namespace kenning::scenario {
namespace {

std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates) {
  const std::vector<std::string> nearest = NearestNames(name, candidates, 1);
  return nearest.empty() ? "" : fmt::format("; did you mean \"{}\"?", nearest[0]);
}

void ReportUnknownTopKey(const Member& member, Problems& problems) {
  std::vector<std::string> names;
  for (const BlockKey& key : kBlockKeys) names.emplace_back(key.name);
  problems.Add(member.where, "",
               fmt::format("unknown key \"{}\"{} (known: {})", Printable(member.key, 80),
                           DidYouMean(member.key, names), Join(names)));
}

class Resolver {
 public:
  Resolver(const Registry& registry, const std::vector<std::string>& retyped, Problems& problems)
      : registry_(registry), retyped_(retyped), problems_(problems) {}

  void ResolveKey(const BlockKey& key, const Member& member) {
    if (member.value.kind == Node::Kind::kNull) return;  // `protocol: null` means none.
    if (!key.is_list) return Resolve(key, member.value, key.name);
    if (member.value.kind != Node::Kind::kList) {
      problems_.Add(member.value.where, key.name,
                    fmt::format("found {}; allowed: a list of blocks; put it in [ ]",
                                Describe(member.value)));
      return;
    }
    for (std::size_t i = 0; i < member.value.items.size(); ++i) {
      Resolve(key, member.value.items[i], fmt::format("{}[{}]", key.name, i));
    }
  }
  std::vector<PendingBlock> Take() { return std::move(blocks_); }

 private:
  void Resolve(const BlockKey& key, const Node& node, std::string key_path) {
    PendingBlock block;
    block.node = &node;
    block.key_path = std::move(key_path);
    block.category = key.category;
    block.retyped = std::ranges::find(retyped_, block.key_path) != retyped_.end();
    if (node.kind != Node::Kind::kMap) {
      problems_.Add(node.where, block.key_path,
                    fmt::format("found {}; allowed: an object {{\"type\": …, \"parameters\": …}}",
                                Describe(node)));
    } else {
      CheckKeys(node, block.key_path);
      block.info = FindClass(node, block);
    }
    blocks_.push_back(std::move(block));
  }

  void CheckKeys(const Node& node, const std::string& key_path) {
    static const std::vector<std::string> kKeys = {"type", "parameters"};
    for (const Member& member : node.members) {
      if (std::ranges::find(kKeys, member.key) != kKeys.end()) continue;
      problems_.Add(member.where, key_path,
                    fmt::format("unknown key \"{}\"{} (known: type, parameters)",
                                Printable(member.key, 80), DidYouMean(member.key, kKeys)));
    }
  }

  const BlockInfo* FindClass(const Node& node, const PendingBlock& block) {
    const Node* type = node.Find("type");
    if (type == nullptr) {
      problems_.Add(node.where, block.key_path, "the key \"type\" is missing: name the class");
      return nullptr;
    }
    if (type->kind != Node::Kind::kString) {
      problems_.Add(
          type->where, block.key_path + ".type",
          fmt::format("found {}; allowed: the name of a class, as a string", Describe(*type)));
      return nullptr;
    }
    constexpr std::size_t kLongestName = 300;
    if (type->text.size() > kLongestName) {
      problems_.Add(type->where, block.key_path + ".type",
                    fmt::format("found {}; no class has so long a name", Describe(*type)));
      return nullptr;
    }
    const auto found = registry_.Find(block.category, type->text);
    if (found) return *found;
    problems_.Add(type->where, block.key_path + ".type", found.error().message(),
                  found.error().code() == ErrorCode::kUnavailable);
    return nullptr;
  }

  const Registry& registry_;
  const std::vector<std::string>& retyped_;
  Problems& problems_;
  std::vector<PendingBlock> blocks_;
};

void CheckUnusedKey(const Member& member, Problems& problems) {
  if (member.key != "$schema" && member.key != "name" && member.key != "description") {
    problems.Warn(member.where,
                  fmt::format("\"{}\" is ignored: kenning does this part itself", member.key));
  }
}

/// Collects one block's values.
class ParamReader {
 public:
  ParamReader(const PendingBlock& block, Problems& problems)
      : block_(block), schema_(block.info->schema), problems_(problems) {}

  Params Read() {
    if (const Node* parameters = block_.node->Find("parameters")) ReadNode(*parameters);
    for (const ParamOverride& one : block_.overrides) ReadOverride(one);
    for (const ParamSpec& spec : schema_.params) FillIn(spec);
    return Params(std::move(values_));
  }

 private:
  std::string PathOf(std::string_view name) const {
    return fmt::format("{}.parameters.{}", block_.key_path, name);
  }

  bool Overridden(const ParamSpec& spec) const {
    return std::ranges::any_of(block_.overrides,
                               [&](const ParamOverride& one) { return one.spec == &spec; });
  }

  void ReadNode(const Node& parameters) {
    if (parameters.kind == Node::Kind::kNull) return;
    if (parameters.kind != Node::Kind::kMap) {
      problems_.Add(
          parameters.where, block_.key_path + ".parameters",
          fmt::format("found {}; allowed: an object of parameters", Describe(parameters)));
      return;
    }
    for (const Member& member : parameters.members) ReadMember(member);
  }

  void ReadMember(const Member& member) {
    const ParamSpec* spec = schema_.Find(member.key);
    if (spec == nullptr) return ReportUnknown(member);
    if (const auto [first, inserted] = given_.emplace(spec->name, member.key); !inserted) {
      problems_.Add(member.where, PathOf(Printable(member.key, 80)),
                    fmt::format("an older or newer spelling of \"{}\", which is given, too; keep "
                                "one of them",
                                first->second));
      return;
    }
    // What the command line replaces need not be right.
    if (Overridden(*spec)) return;
    auto value = ParamFromNode(*spec, member.value);
    if (value) {
      values_[spec->name] = *std::move(value);
    } else {
      problems_.Add(member.value.where, PathOf(member.key), value.error().message());
    }
  }

  void ReportUnknown(const Member& member) {
    if (block_.retyped) {
      problems_.Warn(member.where,
                     fmt::format("{} is ignored: the command line chose {}, which has no such "
                                 "parameter",
                                 PathOf(member.key), block_.info->name));
      return;
    }
    std::vector<std::string> names;
    for (const ParamSpec& spec : schema_.params) names.push_back(spec.name);
    const std::string nearest = DidYouMean(member.key, names);
    const std::string help =
        !nearest.empty() ? nearest
        : names.empty()  ? " (it has none)"
                         : fmt::format("; \"kenning info {}\" shows all", block_.info->name);
    problems_.Add(member.where, block_.key_path + ".parameters",
                  fmt::format("{} has no parameter \"{}\"{}", block_.info->name,
                              Printable(member.key, 80), help));
  }

  void ReadOverride(const ParamOverride& one) {
    auto value = ParamFromText(*one.spec, one.source->value);
    if (value) {
      const Result<> allowed = CheckParamValue(*one.spec, *value);
      if (!allowed) value = tl::unexpected(allowed.error());
    }
    given_.emplace(one.spec->name, one.source->target);
    if (value) {
      values_[one.spec->name] = *std::move(value);
    } else {
      problems_.Add({}, one.source->target, value.error().message());
    }
  }

  void FillIn(const ParamSpec& spec) {
    if (given_.contains(spec.name)) return;
    if (spec.default_value) {
      values_[spec.name] = *spec.default_value;
    } else if (spec.required) {
      problems_.Add(block_.node->where, block_.key_path,
                    fmt::format("{} needs the parameter \"{}\" ({}): {}", block_.info->name,
                                spec.name, ParamTypeName(spec.type), spec.description));
    }
  }

  const PendingBlock& block_;
  const ParamSchema& schema_;
  Problems& problems_;
  std::map<std::string, ParamValue, std::less<>> values_;
  std::map<std::string, std::string, std::less<>> given_;
};

}  // namespace

std::vector<PendingBlock> ResolveBlocks(const Node& root, const Registry& registry,
                                        const std::vector<std::string>& retyped,
                                        Problems& problems) {
  Resolver resolver(registry, retyped, problems);
  std::map<std::string_view, std::string_view> seen;
  for (const Member& member : root.members) {
    const std::string_view name = ModernKey(member.key);
    if (std::ranges::find(kUnusedKeys, name) != kUnusedKeys.end()) {
      CheckUnusedKey(member, problems);
      continue;
    }
    const BlockKey* key = FindBlockKey(name);
    if (key == nullptr) {
      ReportUnknownTopKey(member, problems);
      continue;
    }
    const auto [first, inserted] = seen.emplace(name, member.key);
    if (inserted) {
      resolver.ResolveKey(*key, member);
    } else if (first->second != member.key) {  // The reader reports the same key twice.
      problems.Add(member.where, member.key,
                   fmt::format("another spelling of \"{}\", which is given, too; keep one of them",
                               first->second));
    }
  }
  return resolver.Take();
}

ScenarioBlock CheckBlock(const PendingBlock& block, Problems& problems) {
  ScenarioBlock checked;
  checked.key_path = block.key_path;
  checked.type = block.node->Find("type")->text;
  checked.info = block.info;
  const Position where = block.node->where;
  checked.where = {where.line == 0 ? "command line" : problems.file(), where.line, where.column};
  checked.params = ParamReader(block, problems).Read();
  return checked;
}

}  // namespace kenning::scenario
