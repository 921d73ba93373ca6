// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/strings.h"

namespace kenning {
namespace {

std::string_view LastPart(std::string_view dotted) {
  const std::size_t dot = dotted.rfind('.');
  return dot == std::string_view::npos ? dotted : dotted.substr(dot + 1);
}

bool AnswersTo(const BlockInfo& block, std::string_view type) {
  return block.name == type || std::ranges::find(block.aliases, type) != block.aliases.end();
}

/// Kenning moved its modules over the years; a path under any of their names is the same class.
std::string ModernPath(std::string_view type) {
  std::string path(type);
  for (const auto& [old_part, new_part] :
       {std::pair<std::string_view, std::string_view>{"kenning.compilers.", "kenning.optimizers."},
        {"kenning.runtimeprotocols.", "kenning.protocols."},
        {"kenning.interfaces.", "kenning.core."}}) {
    if (path.starts_with(old_part)) path = std::string(new_part) + path.substr(old_part.size());
  }
  return path;
}

}  // namespace

std::string_view CategoryName(BlockCategory category) {
  switch (category) {
    case BlockCategory::kDataset:
      return "dataset";
    case BlockCategory::kModelWrapper:
      return "model_wrapper";
    case BlockCategory::kOptimizer:
      return "optimizers";
    case BlockCategory::kRuntime:
      return "runtime";
    case BlockCategory::kProtocol:
      return "protocol";
    case BlockCategory::kPlatform:
      return "platform";
    case BlockCategory::kReport:
      return "report";
    case BlockCategory::kRuntimeBuilder:
      return "runtime_builder";
    case BlockCategory::kDataConverter:
      return "dataconverter";
    case BlockCategory::kDataProvider:
      return "dataprovider";
    case BlockCategory::kOutputCollector:
      return "outputcollector";
    case BlockCategory::kRunner:
      return "runner";
    case BlockCategory::kOnnxConversion:
      return "onnx_conversion";
    case BlockCategory::kOther:
      return "other";
  }
  return "other";
}

Result<> Registry::Add(BlockInfo block) {
  std::vector<std::string> names = block.aliases;
  names.push_back(block.name);
  for (const auto& other : blocks_) {
    if (other->category != block.category) continue;
    for (const std::string& name : names) {
      if (AnswersTo(*other, name)) {
        return Fail(ErrorCode::kInvalidArgument, fmt::format("block {}: the name {} is taken by {}",
                                                             block.name, name, other->name));
      }
    }
  }
  blocks_.push_back(std::make_unique<BlockInfo>(std::move(block)));
  return {};
}

void Registry::AddInspector(InspectorInfo inspector) {
  inspectors_.push_back(std::move(inspector));
}

namespace {

/// Search of `type` among the blocks that `accept` takes: exact names first, then the last part of
/// a dotted path.
template <typename Accept>
const BlockInfo* Search(const std::vector<std::unique_ptr<BlockInfo>>& blocks,
                        std::string_view type, Accept accept) {
  const std::string modern = ModernPath(type);
  for (const std::string_view name : {type, std::string_view(modern), LastPart(type)}) {
    for (const auto& block : blocks) {
      if (accept(*block) && AnswersTo(*block, name)) return block.get();
    }
  }
  for (const auto& block : blocks) {
    if (!accept(*block)) continue;
    for (const std::string& alias : block->aliases) {
      if (LastPart(alias) == LastPart(type)) return block.get();
    }
  }
  return nullptr;
}

const KnownClass* SearchKnown(std::span<const KnownClass> known, std::string_view type) {
  const std::string modern = ModernPath(type);
  for (const KnownClass& one : known) {
    if (one.dotted_path == modern) return &one;
  }
  for (const KnownClass& one : known) {
    if (LastPart(one.dotted_path) == LastPart(type)) return &one;
  }
  return nullptr;
}

Error NotFoundError(std::string_view what, std::string_view type,
                    const std::vector<std::string>& names) {
  std::string message = fmt::format("no {} is called \"{}\"", what, type);
  const std::vector<std::string> nearest = NearestNames(LastPart(type), names);
  if (!nearest.empty()) message += fmt::format("; did you mean \"{}\"?", Join(nearest, "\", \""));
  message += " (\"kenning list\" shows all)";
  return {ErrorCode::kNotFound, message};
}

/// The category as one speaks of a single block: "model wrapper", "optimizer".
std::string CategoryNoun(BlockCategory category) {
  if (category == BlockCategory::kOptimizer) return "optimizer";
  std::string noun(CategoryName(category));
  std::ranges::replace(noun, '_', ' ');
  return noun;
}

Error UnavailableError(const KnownClass& known) {
  return {ErrorCode::kUnavailable,
          fmt::format("{} is known to Kenning, not available here, because {}",
                      LastPart(known.dotted_path), known.reason)};
}

}  // namespace

void Registry::AddKnown(KnownClass known) {
  if (Search(blocks_, known.dotted_path, [](const BlockInfo&) { return true; }) != nullptr) return;
  known_.push_back(std::move(known));
}

Result<const BlockInfo*> Registry::Find(BlockCategory category, std::string_view type) const {
  const BlockInfo* found =
      Search(blocks_, type, [&](const BlockInfo& block) { return block.category == category; });
  if (found != nullptr) return found;
  if (const BlockInfo* other = Search(blocks_, type, [](const BlockInfo&) { return true; })) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{} belongs under \"{}\", not under \"{}\"", other->name,
                            CategoryName(other->category), CategoryName(category)));
  }
  if (const KnownClass* known = SearchKnown(known_, type)) return Fail(UnavailableError(*known));
  std::vector<std::string> names;
  for (const auto& block : blocks_) {
    if (block->category == category) names.push_back(block->name);
  }
  for (const KnownClass& known : known_) {
    if (known.category == category) names.emplace_back(LastPart(known.dotted_path));
  }
  return Fail(NotFoundError(CategoryNoun(category), type, names));
}

Result<const BlockInfo*> Registry::FindAny(std::string_view type) const {
  if (const BlockInfo* found = Search(blocks_, type, [](const BlockInfo&) { return true; })) {
    return found;
  }
  if (const KnownClass* known = SearchKnown(known_, type)) return Fail(UnavailableError(*known));
  std::vector<std::string> names;
  for (const auto& block : blocks_) names.push_back(block->name);
  for (const KnownClass& known : known_) names.emplace_back(LastPart(known.dotted_path));
  return Fail(NotFoundError("block", type, names));
}

std::vector<const BlockInfo*> Registry::List(BlockCategory category) const {
  std::vector<const BlockInfo*> list;
  for (const auto& block : blocks_) {
    if (block->category == category) list.push_back(block.get());
  }
  std::ranges::sort(list, {}, &BlockInfo::name);
  return list;
}

const InspectorInfo* Registry::InspectorFor(std::string_view format) const {
  const auto it = std::ranges::find(inspectors_, format, &InspectorInfo::format);
  return it == inspectors_.end() ? nullptr : &*it;
}

std::string Registry::FormatOfExtension(std::string_view extension) const {
  for (const InspectorInfo& inspector : inspectors_) {
    for (const std::string& known : inspector.extensions) {
      if (known == extension) return inspector.format;
    }
  }
  return "";
}

std::string Registry::FormatOfPath(const std::filesystem::path& path) const {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    for (const InspectorInfo& inspector : inspectors_) {
      if (inspector.folder_marker.empty()) continue;
      if (std::filesystem::exists(path / inspector.folder_marker, ignored)) return inspector.format;
    }
  }
  return FormatOfExtension(ToLower(path.extension().string()));
}

}  // namespace kenning
