// SPDX-License-Identifier: Apache-2.0
#include "scenario/node.h"

#include <fmt/format.h>

#include <algorithm>

namespace kenning::scenario {
namespace {

constexpr std::size_t kDeepest = 64;
constexpr std::size_t kMostNodes = 100'000;
constexpr std::size_t kShownText = 80;

std::size_t DepthOf(const Node& node) {
  std::size_t depth = 0;
  for (const Node& item : node.items) depth = std::max(depth, DepthOf(item));
  for (const Member& member : node.members) depth = std::max(depth, DepthOf(member.value));
  return depth + 1;
}

}  // namespace

std::size_t CountNodes(const Node& node) {
  std::size_t count = 1;
  for (const Node& item : node.items) count += CountNodes(item);
  for (const Member& member : node.members) count += CountNodes(member.value);
  return count;
}

const Node* Node::Find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

Node* Node::Find(std::string_view key) {
  for (Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::string Describe(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "null";
    case Node::Kind::kBool:
      return node.boolean ? "true" : "false";
    case Node::Kind::kInt:
      return fmt::format("{}", node.integer);
    case Node::Kind::kFloat: {
      const std::string text = fmt::format("{}", node.real);
      return text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
    }
    case Node::Kind::kString:
      return fmt::format("\"{}\"", Printable(node.text, kShownText));
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "an object";
  }
  return "nothing";
}

bool TreeBuilder::Count(std::size_t nodes, Position where) {
  node_count_ += nodes;
  if (node_count_ <= kMostNodes) return true;
  problems_.Add(where, "",
                fmt::format("more than {} values; a scenario has far fewer", kMostNodes));
  return false;
}

Node* TreeBuilder::Place(Node node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    has_root_ = true;
    return &root_;
  }
  Frame& frame = frames_.back();
  if (frame.node->kind == Node::Kind::kList) {
    frame.node->items.push_back(std::move(node));
    return &frame.node->items.back();
  }
  frame.pending.value = std::move(node);
  frame.key_waiting = false;
  frame.node->members.push_back(std::move(frame.pending));
  frame.pending = {};
  return &frame.node->members.back().value;
}

bool TreeBuilder::Scalar(Node node) {
  if (!Count(1, node.where)) return false;
  last_ = Place(std::move(node));
  return true;
}

bool TreeBuilder::Graft(const Node& node) {
  if (!Count(CountNodes(node), node.where)) return false;
  if (frames_.size() + DepthOf(node) > kDeepest) {
    problems_.Add(node.where, "", fmt::format("nested deeper than {} levels", kDeepest));
    return false;
  }
  last_ = Place(node);
  return true;
}

bool TreeBuilder::Start(Node::Kind kind, Position where) {
  if (!Count(1, where)) return false;
  if (frames_.size() >= kDeepest) {
    problems_.Add(where, "", fmt::format("nested deeper than {} levels", kDeepest));
    return false;
  }
  Node node;
  node.kind = kind;
  node.where = where;
  // The parent's vectors do not grow while the child is open, so the pointer holds.
  Frame frame;
  frame.node = Place(std::move(node));
  frames_.push_back(std::move(frame));
  return true;
}

bool TreeBuilder::StartMap(Position where) { return Start(Node::Kind::kMap, where); }
bool TreeBuilder::StartList(Position where) { return Start(Node::Kind::kList, where); }

bool TreeBuilder::Key(std::string key, Position where) {
  if (!Count(1, where)) return false;
  Frame& frame = frames_.back();
  const auto [first, inserted] = frame.seen.emplace(key, where);
  if (!inserted) {
    problems_.Add(where, "",
                  fmt::format("the key \"{}\" was given before, on line {}; keep one of them",
                              Printable(key, kShownText), first->second.line));
  }
  frame.pending.key = std::move(key);
  frame.pending.where = where;
  frame.key_waiting = true;
  return true;
}

bool TreeBuilder::WantsKey() const {
  return !frames_.empty() && frames_.back().node->kind == Node::Kind::kMap &&
         !frames_.back().key_waiting;
}

void TreeBuilder::End() {
  last_ = frames_.back().node;
  frames_.pop_back();
}

}  // namespace kenning::scenario
