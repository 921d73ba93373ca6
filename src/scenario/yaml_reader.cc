// SPDX-License-Identifier: Apache-2.0
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <sstream>

#include "scenario/node.h"

namespace kenning::scenario {
namespace {

/// Ends parsing from inside a handler; never leaves this file.
struct Stop {};

Position PositionOf(const YAML::Mark& mark) { return {mark.line + 1, mark.column + 1}; }

bool IsOneOf(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

template <typename Number, typename... Base>
bool ParseWhole(std::string_view text, Number& number, Base... base) {
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, base...);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool ReadInteger(std::string_view text, std::int64_t& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with("0x")) return ParseWhole(text.substr(2), value, 16);
  if (text.starts_with("0o")) return ParseWhole(text.substr(2), value, 8);
  return ParseWhole(text, value);
}

bool ReadFloat(std::string_view text, double& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  // Otherwise from_chars would take the words "inf" and "nan".
  if (digits.empty() || (digits[0] != '.' && (digits[0] < '0' || digits[0] > '9'))) return false;
  return ParseWhole(text, value) && std::isfinite(value);
}

/// The core schema of YAML 1.2.
Node ResolvePlain(const std::string& text, Position where) {
  Node node;
  node.where = where;
  node.plain = true;
  node.text = text;
  if (IsOneOf(text, {"", "~", "null", "Null", "NULL"})) {
    node.kind = Node::Kind::kNull;
  } else if (IsOneOf(text, {"true", "True", "TRUE", "false", "False", "FALSE"})) {
    node.kind = Node::Kind::kBool;
    node.boolean = text[0] == 't' || text[0] == 'T';
  } else if (ReadInteger(text, node.integer)) {
    node.kind = Node::Kind::kInt;
  } else if (ReadFloat(text, node.real)) {
    node.kind = Node::Kind::kFloat;
  } else {
    node.kind = Node::Kind::kString;
  }
  return node;
}

class Handler final : public YAML::EventHandler {
 public:
  Handler(TreeBuilder& builder, Problems& problems) : builder_(builder), problems_(problems) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.where = PositionOf(mark);
    Add(std::move(node), anchor);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    const Position where = PositionOf(mark);
    CheckTag(tag, where);
    if (tag == "?" || tag.empty()) return Add(ResolvePlain(value, where), anchor);
    Node node;
    node.kind = Node::Kind::kString;
    node.where = where;
    node.text = value;
    Add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) Refuse(PositionOf(mark), "an alias inside its own anchor");
    Node copy = found->second;
    copy.where = PositionOf(mark);
    if (builder_.WantsKey()) return Add(std::move(copy), 0);
    if (!builder_.Graft(copy)) throw Stop();
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor);
    if (!builder_.StartList(PositionOf(mark))) throw Stop();
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor);
    if (!builder_.StartMap(PositionOf(mark))) throw Stop();
  }
  void OnMapEnd() override { Close(); }

 private:
  [[noreturn]] void Refuse(Position where, const std::string& what) {
    problems_.Add(where, "", what + " is not allowed here");
    throw Stop();
  }
  void CheckTag(const std::string& tag, Position where) {
    if (IsOneOf(tag, {"", "?", "!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:map",
                      "tag:yaml.org,2002:seq"})) {
      return;
    }
    Refuse(where, "the tag " + Printable(tag, 80));
  }
  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    CheckTag(tag, PositionOf(mark));
    if (builder_.WantsKey()) Refuse(PositionOf(mark), "a list or an object as a key");
    open_anchors_.push_back(anchor);
  }
  void Close() {
    builder_.End();
    Remember(open_anchors_.back());
    open_anchors_.pop_back();
  }
  void Add(Node node, YAML::anchor_t anchor) {
    if (builder_.WantsKey()) {
      if (node.kind == Node::Kind::kList || node.kind == Node::Kind::kMap) {
        Refuse(node.where, "a list or an object as a key");
      }
      if (node.plain && node.text == "<<") {
        Refuse(node.where, "the merge key << (write the keys out)");
      }
      if (anchor != 0) anchors_[anchor] = node;
      if (!builder_.Key(std::move(node.text), node.where)) throw Stop();
      return;
    }
    if (!builder_.Scalar(std::move(node))) throw Stop();
    Remember(anchor);
  }
  void Remember(YAML::anchor_t anchor) {
    constexpr std::size_t kMostAnchoredNodes = 20'000;
    if (anchor == 0) return;
    anchored_nodes_ += CountNodes(*builder_.last());
    if (anchored_nodes_ > kMostAnchoredNodes) {
      Refuse(builder_.last()->where, "so much text under anchors");
    }
    anchors_[anchor] = *builder_.last();
  }

  TreeBuilder& builder_;
  Problems& problems_;
  std::map<YAML::anchor_t, Node> anchors_;
  std::vector<YAML::anchor_t> open_anchors_;
  std::size_t anchored_nodes_ = 0;
};

/// For the second document, which there must not be.
class Ignore final : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override {
    where = PositionOf(mark);
    throw Stop();
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
  Position where;
};

bool HasSecondDocument(YAML::Parser& parser, Position& where) {
  Ignore ignore;
  try {
    parser.HandleNextDocument(ignore);
  } catch (const Stop&) {
    where = ignore.where;
    return true;
  }
  return false;
}

}  // namespace

bool ReadYaml(std::string_view text, Problems& problems, Node& root) {
  TreeBuilder builder(problems);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Handler handler(builder, problems);
    if (parser.HandleNextDocument(handler)) {
      Position where;
      if (HasSecondDocument(parser, where)) {
        problems.Add(where, "", "a second document; a scenario file holds one");
        return false;
      }
    }
  } catch (const Stop&) {
    return false;
  } catch (const YAML::Exception& error) {
    problems.Add(error.mark.is_null() ? Position{1, 1} : PositionOf(error.mark), "",
                 "this is not YAML: " + error.msg);
    return false;
  }
  root = builder.TakeRoot();
  return true;
}

}  // namespace kenning::scenario
