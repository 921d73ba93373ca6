// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

#include "scenario/node.h"

namespace kenning::scenario {
namespace {

/// Where each token stands that makes a parser event (a container's start, a key, a scalar), in
/// order, and the text without its trailing commas.
struct Tokens {
  std::string text;
  std::vector<Position> positions;
};

/// Moves along a text and counts lines, and columns in characters.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}
  bool done() const { return offset_ >= text_.size(); }
  char current() const { return text_[offset_]; }
  std::size_t offset() const { return offset_; }
  Position position() const { return {line_, column_}; }
  void Advance() {
    const char c = text_[offset_++];
    if (c == '\n') {
      ++line_;
      column_ = 1;
    } else if (offset_ >= text_.size() ||
               (static_cast<unsigned char>(text_[offset_]) & 0xC0U) != 0x80U) {
      ++column_;
    }
  }

 private:
  std::string_view text_;
  std::size_t offset_ = 0;
  int line_ = 1;
  int column_ = 1;
};

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool EndsScalar(char c) {
  return IsSpace(c) || std::string_view(",:[]{}\"").find(c) != std::string_view::npos;
}

void SkipString(Cursor& cursor) {
  cursor.Advance();
  while (!cursor.done() && cursor.current() != '"') {
    if (cursor.current() == '\\') cursor.Advance();
    if (!cursor.done()) cursor.Advance();
  }
  if (!cursor.done()) cursor.Advance();
}

/// The real parser comes after this one and refuses whatever is not JSON; so this one need only be
/// right where the text is.
Tokens Scan(std::string_view text, Problems& problems) {
  Tokens tokens{std::string(text), {}};
  Cursor cursor(text);
  char last = '\0';  // 'v' after a value, otherwise the last structural character.
  bool removable = false;
  std::size_t comma = 0;
  Position comma_where;
  while (!cursor.done()) {
    const char c = cursor.current();
    if (IsSpace(c)) {
      cursor.Advance();
    } else if (c == ',') {
      removable = last == 'v';
      comma = cursor.offset();
      comma_where = cursor.position();
      last = ',';
      cursor.Advance();
    } else if (c == '}' || c == ']') {
      if (last == ',' && removable) {
        tokens.text[comma] = ' ';
        problems.Warn(comma_where, "trailing comma ignored; strict JSON readers refuse it");
      }
      last = 'v';
      cursor.Advance();
    } else if (c == ':') {
      last = ':';
      cursor.Advance();
    } else {
      tokens.positions.push_back(cursor.position());
      last = c == '{' || c == '[' ? c : 'v';
      if (c == '"') {
        SkipString(cursor);
      } else {
        cursor.Advance();
        while (last == 'v' && !cursor.done() && !EndsScalar(cursor.current())) cursor.Advance();
      }
    }
  }
  return tokens;
}

Position PositionOf(std::string_view text, std::size_t offset) {
  Cursor cursor(text);
  while (!cursor.done() && cursor.offset() < offset) cursor.Advance();
  return cursor.position();
}

class SaxHandler {
 public:
  SaxHandler(const Tokens& tokens, TreeBuilder& builder, Problems& problems)
      : tokens_(tokens), builder_(builder), problems_(problems) {}

  // The names are those of nlohmann's SAX interface.
  bool null() { return builder_.Scalar(Make(Node::Kind::kNull)); }
  bool boolean(bool value) {
    Node node = Make(Node::Kind::kBool);
    node.boolean = value;
    return builder_.Scalar(std::move(node));
  }
  bool number_integer(std::int64_t value) {
    Node node = Make(Node::Kind::kInt);
    node.integer = value;
    return builder_.Scalar(std::move(node));
  }
  bool number_unsigned(std::uint64_t value) {
    if (value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return number_integer(static_cast<std::int64_t>(value));
    }
    return number_float(static_cast<double>(value), "");
  }
  bool number_float(double value, const std::string&) {
    Node node = Make(Node::Kind::kFloat);
    node.real = value;
    return builder_.Scalar(std::move(node));
  }
  bool string(std::string& value) {
    Node node = Make(Node::Kind::kString);
    node.text = std::move(value);
    return builder_.Scalar(std::move(node));
  }
  bool binary(std::vector<std::uint8_t>&) { return false; }
  bool start_object(std::size_t) { return builder_.StartMap(Next()); }
  bool key(std::string& value) { return builder_.Key(std::move(value), Next()); }
  bool end_object() { return End(); }
  bool start_array(std::size_t) { return builder_.StartList(Next()); }
  bool end_array() { return End(); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& error) {
    std::string text = error.what();
    // "[json.exception.parse_error.101] parse error at line 4, column 1: syntax error …"
    const std::size_t column = text.find(", column ");
    const std::size_t colon = column == std::string::npos ? column : text.find(": ", column);
    if (colon != std::string::npos) {
      text = text.substr(colon + 2);
    } else if (const std::size_t bracket = text.find("] "); bracket != std::string::npos) {
      text = text.substr(bracket + 2);
    }
    const std::size_t offset = position == 0 ? 0 : position - 1;
    problems_.Add(PositionOf(tokens_.text, offset), "", "this is not JSON: " + text);
    return false;
  }

 private:
  bool End() {
    builder_.End();
    return true;
  }
  Position Next() {
    if (next_ >= tokens_.positions.size()) return {1, 1};
    return tokens_.positions[next_++];
  }
  Node Make(Node::Kind kind) {
    Node node;
    node.kind = kind;
    node.where = Next();
    return node;
  }
  const Tokens& tokens_;
  TreeBuilder& builder_;
  Problems& problems_;
  std::size_t next_ = 0;
};

}  // namespace

bool ReadJson(std::string_view text, Problems& problems, Node& root) {
  const Tokens tokens = Scan(text, problems);
  TreeBuilder builder(problems);
  SaxHandler handler(tokens, builder, problems);
  if (!nlohmann::json::sax_parse(tokens.text, &handler)) return false;
  root = builder.TakeRoot();
  return true;
}

}  // namespace kenning::scenario
