// SPDX-License-Identifier: Apache-2.0
/// \file
/// A scenario file as a tree with positions, whatever its syntax. Internal to this folder; knows
/// nothing of blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "scenario/problems.h"

namespace kenning::scenario {

struct Member;

/// One value. Only the fields of its kind mean anything.
struct Node {
  enum class Kind : std::uint8_t { kNull, kBool, kInt, kFloat, kString, kList, kMap };
  Kind kind = Kind::kNull;
  bool plain = false;  ///< An unquoted YAML scalar: `yes` may stand for a boolean.
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;
  std::string text;
  std::vector<Node> items;
  std::vector<Member> members;
  Position where;

  const Node* Find(std::string_view key) const;
  Node* Find(std::string_view key);
};

struct Member {
  std::string key;
  Position where;
  Node value;
};

/// The node and everything below it.
std::size_t CountNodes(const Node& node);
/// "\"text\"", 3, null, "a list", "an object": for messages.
std::string Describe(const Node& node);

/// Builds a tree from a parser's events and guards its size: hostile input must not cost more
/// memory than its limits. Every method returns false once building must stop.
class TreeBuilder {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(problems) {}
  bool Scalar(Node node);
  bool StartMap(Position where);
  bool StartList(Position where);
  bool Key(std::string key, Position where);
  void End();
  /// True where the innermost container is a map that has no key waiting for its value.
  bool WantsKey() const;
  /// The node that ended or was added last.
  const Node* last() const { return last_; }
  /// Takes a copy of a finished tree (a YAML alias); its nodes count.
  bool Graft(const Node& node);
  bool has_root() const { return has_root_; }
  Node TakeRoot() { return std::move(root_); }

 private:
  struct Frame {
    Node* node;
    bool key_waiting = false;
    Member pending;
    std::unordered_map<std::string, Position> seen;
  };
  Node* Place(Node node);
  bool Start(Node::Kind kind, Position where);
  bool Count(std::size_t nodes, Position where);

  Problems& problems_;
  Node root_;
  bool has_root_ = false;
  std::vector<Frame> frames_;
  Node* last_ = nullptr;
  std::size_t node_count_ = 0;
};

/// \return false where the text is no tree; the problems say why. `text` is valid UTF-8.
bool ReadJson(std::string_view text, Problems& problems, Node& root);
bool ReadYaml(std::string_view text, Problems& problems, Node& root);

}  // namespace kenning::scenario
