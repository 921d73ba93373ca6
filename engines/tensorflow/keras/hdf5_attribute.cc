// SPDX-License-Identifier: Apache-2.0
// Superblock versions 0 to 3, object headers 1 and 2, attribute messages 1 to 3, the global heap.
#include "keras/hdf5_attribute.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace kenning::tensorflow {
namespace {

constexpr std::string_view kSignature{"\x89HDF\r\n\x1a\n", 8};
// Where a superblock may stand: a user's own block may precede it.
constexpr std::array<std::uint64_t, 5> kPlaces = {0, 512, 1024, 2048, 4096};
constexpr std::size_t kMostBlocks = 1024;
constexpr std::size_t kMostMessages = 65536;

constexpr std::uint64_t kAttribute = 0x0C;
constexpr std::uint64_t kContinuation = 0x10;
constexpr std::uint64_t kAttributeInfo = 0x15;
constexpr std::uint64_t kFixedString = 3;
constexpr std::uint64_t kVariableLength = 9;

tl::unexpected<Error> Broken(const char* what) {
  return Fail(ErrorCode::kInvalidModel,
              std::string("the file is truncated or corrupt (HDF5: ") + what + ")");
}

/// Numbers one after the other; a read past the end yields 0 and fails ok().
class Cursor {
 public:
  explicit Cursor(std::string_view bytes) : bytes_(bytes) {}
  bool ok() const { return ok_; }
  std::size_t left() const { return bytes_.size() - at_; }
  std::uint64_t Number(std::size_t size) {
    const std::string_view piece = Bytes(size);
    return ok_ ? LittleEndian(piece, 0, size) : 0;
  }
  std::string_view Bytes(std::size_t size) {
    if (size > left()) ok_ = false;
    if (!ok_) return {};
    const std::string_view piece = bytes_.substr(at_, size);
    at_ += size;
    return piece;
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

struct Superblock {
  std::uint64_t base = 0;
  std::size_t offset_size = 8;
  std::size_t length_size = 8;
  std::uint64_t root = 0;
};

std::optional<std::uint64_t> FindSuperblock(const RandomAccess& file) {
  for (const std::uint64_t place : kPlaces) {
    const auto bytes = file.Read(place, kSignature.size());
    if (bytes && *bytes == kSignature) return place;
  }
  return std::nullopt;
}

Result<Superblock> ReadSuperblock(const RandomAccess& file) {
  const auto place = FindSuperblock(file);
  if (!place) return Broken("no signature");
  constexpr std::uint64_t kMostSuperblock = 128;
  KENNING_ASSIGN_OR_RETURN(
      const std::string bytes,
      file.Read(*place, std::min<std::uint64_t>(kMostSuperblock, file.size() - *place)));
  Cursor cursor(bytes);
  cursor.Bytes(kSignature.size());
  const std::uint64_t version = cursor.Number(1);
  if (version > 3) return Broken("unknown version");
  Superblock block;
  if (version < 2) {
    cursor.Bytes(4);
    block.offset_size = cursor.Number(1);
    block.length_size = cursor.Number(1);
    cursor.Bytes(version == 0 ? 9 : 13);
  } else {
    block.offset_size = cursor.Number(1);
    block.length_size = cursor.Number(1);
    cursor.Bytes(1);
  }
  for (const std::size_t size : {block.offset_size, block.length_size}) {
    if (size != 2 && size != 4 && size != 8) return Broken("unknown sizes");
  }
  block.base = cursor.Number(block.offset_size);
  cursor.Bytes(block.offset_size);  // Free space, or the extension.
  const std::uint64_t end = cursor.Number(block.offset_size);
  if (version < 2) cursor.Bytes(2 * block.offset_size);  // Driver, the root's name.
  block.root = cursor.Number(block.offset_size);
  if (!cursor.ok()) return Broken("its head");
  if (block.base > file.size() || end > file.size() - block.base) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("the file is truncated: it says that it has {} bytes, and has {}", end,
                            file.size()));
  }
  return block;
}

struct Message {
  std::uint64_t type = 0;
  std::uint64_t flags = 0;
  std::string bytes;
};

struct Block {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// Reads the messages of an object's header through all its blocks.
class HeaderReader {
 public:
  HeaderReader(const RandomAccess& file, const Superblock& super) : file_(file), super_(super) {}

  Result<std::vector<Message>> Read(std::uint64_t offset) {
    KENNING_ASSIGN_OR_RETURN(const std::string start, file_.Read(super_.base + offset, 4));
    if (start == "OHDR") {
      KENNING_RETURN_IF_ERROR(ReadHead2(super_.base + offset));
    } else {
      KENNING_RETURN_IF_ERROR(ReadHead1(super_.base + offset));
    }
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      KENNING_RETURN_IF_ERROR(ReadBlock(blocks_[i], i == 0));
    }
    return std::move(messages_);
  }

 private:
  Result<> ReadHead1(std::uint64_t offset) {
    KENNING_ASSIGN_OR_RETURN(const std::string head, file_.Read(offset, 16));
    if (LittleEndian(head, 0, 1) != 1) return Broken("the root's header");
    blocks_.push_back({offset + 16, LittleEndian(head, 8, 4)});
    return {};
  }

  Result<> ReadHead2(std::uint64_t offset) {
    version_ = 2;
    KENNING_ASSIGN_OR_RETURN(const std::string head, file_.Read(offset, 6));
    const std::uint64_t flags = LittleEndian(head, 5, 1);
    has_order_ = (flags & 0x04U) != 0;
    std::uint64_t at = offset + 6;
    if ((flags & 0x20U) != 0) at += 16;
    if ((flags & 0x10U) != 0) at += 4;
    const std::size_t size = std::size_t{1} << (flags & 3U);
    KENNING_ASSIGN_OR_RETURN(const std::string length, file_.Read(at, size));
    blocks_.push_back({at + size, LittleEndian(length, 0, size)});
    return {};
  }

  Result<> ReadBlock(Block block, bool first) {
    KENNING_ASSIGN_OR_RETURN(const std::string bytes, file_.Read(block.offset, block.length));
    std::string_view body = bytes;
    if (version_ == 2 && !first) {
      // A signature before, a checksum behind.
      if (body.size() < 8 || !body.starts_with("OCHK")) return Broken("a block of the root");
      body = body.substr(4, body.size() - 8);
    }
    Cursor cursor(body);
    const std::size_t head = version_ == 1 ? 8 : (has_order_ ? 6 : 4);
    while (cursor.left() >= head) {
      Message message;
      message.type = cursor.Number(version_ == 1 ? 2 : 1);
      const std::uint64_t size = cursor.Number(2);
      message.flags = cursor.Number(1);
      cursor.Bytes(version_ == 1 ? 3 : (has_order_ ? 2 : 0));
      message.bytes = cursor.Bytes(size);
      if (!cursor.ok()) return Broken("a message of the root");
      KENNING_RETURN_IF_ERROR(Add(std::move(message)));
    }
    return {};
  }

  Result<> Add(Message message) {
    if (message.type == kContinuation) {
      Cursor cursor(message.bytes);
      const std::uint64_t offset = cursor.Number(super_.offset_size);
      const std::uint64_t length = cursor.Number(super_.length_size);
      if (!cursor.ok() || blocks_.size() == kMostBlocks) return Broken("too many blocks");
      blocks_.push_back({super_.base + offset, length});
    } else if (message.type == kAttribute || message.type == kAttributeInfo) {
      if (messages_.size() == kMostMessages) return Broken("too many attributes");
      messages_.push_back(std::move(message));
    }
    return {};
  }

  const RandomAccess& file_;
  const Superblock& super_;
  int version_ = 1;
  bool has_order_ = false;
  std::vector<Block> blocks_;
  std::vector<Message> messages_;
};

struct Attribute {
  std::string name;
  std::string datatype;
  std::string dataspace;
  std::string data;
};

Result<Attribute> ParseAttribute(std::string_view bytes) {
  Cursor cursor(bytes);
  const std::uint64_t version = cursor.Number(1);
  cursor.Bytes(1);
  if (version < 1 || version > 3) return Broken("an attribute");
  const std::uint64_t name = cursor.Number(2);
  const std::uint64_t datatype = cursor.Number(2);
  const std::uint64_t dataspace = cursor.Number(2);
  if (version == 3) cursor.Bytes(1);
  const auto padded = [&](std::uint64_t size) {
    const std::string_view piece = cursor.Bytes(size);
    if (version == 1) cursor.Bytes((8 - size % 8) % 8);
    return std::string(piece);
  };
  Attribute attribute;
  attribute.name = padded(name);
  attribute.name = attribute.name.substr(0, attribute.name.find('\0'));
  attribute.datatype = padded(datatype);
  attribute.dataspace = padded(dataspace);
  if (!cursor.ok()) return Broken("an attribute");
  attribute.data = cursor.Bytes(cursor.left());
  return attribute;
}

/// One value: a scalar, or a list of one.
bool IsSingle(const std::string& dataspace, std::size_t length_size) {
  Cursor cursor(dataspace);
  const std::uint64_t version = cursor.Number(1);
  const std::uint64_t rank = cursor.Number(1);
  cursor.Bytes(version == 1 ? 6 : 2);
  if (!cursor.ok()) return false;
  return rank == 0 || (rank == 1 && cursor.Number(length_size) == 1 && cursor.ok());
}

Result<std::string> ReadHeapObject(const RandomAccess& file, const Superblock& super,
                                   std::uint64_t offset, std::uint64_t index) {
  const std::size_t head = 8 + super.length_size;
  KENNING_ASSIGN_OR_RETURN(const std::string start, file.Read(super.base + offset, head));
  if (!start.starts_with("GCOL")) return Broken("its heap");
  const std::uint64_t size = LittleEndian(start, 8, super.length_size);
  KENNING_ASSIGN_OR_RETURN(const std::string heap, file.Read(super.base + offset, size));
  if (heap.size() < head) return Broken("its heap");
  Cursor cursor(std::string_view(heap).substr(head));
  while (cursor.ok() && cursor.left() >= head) {
    const std::uint64_t number = cursor.Number(2);
    cursor.Bytes(6);
    const std::uint64_t length = cursor.Number(super.length_size);
    if (number == 0) break;  // Free space: the end.
    const std::string_view object = cursor.Bytes(length);
    if (cursor.ok() && number == index) return std::string(object);
    cursor.Bytes((8 - length % 8) % 8);
  }
  return Broken("its heap lacks an object");
}

Result<std::string> ReadText(const RandomAccess& file, const Superblock& super,
                             const Attribute& attribute) {
  Cursor type(attribute.datatype);
  const std::uint64_t kind = type.Number(1) & 0x0FU;
  const std::uint64_t bits = type.Number(3);
  const std::uint64_t size = type.Number(4);
  if (!type.ok()) return Broken("the type of an attribute");
  if (!IsSingle(attribute.dataspace, super.length_size)) {
    return Fail(ErrorCode::kUnsupported, "the attribute " + attribute.name + " is a list");
  }
  if (kind == kFixedString && size <= attribute.data.size()) {
    const std::string text = attribute.data.substr(0, size);
    return text.substr(0, text.find('\0'));
  }
  if (kind != kVariableLength || (bits & 0x0FU) != 1) {
    return Fail(ErrorCode::kUnsupported, "the attribute " + attribute.name + " is no text");
  }
  Cursor cursor(attribute.data);
  const std::uint64_t length = cursor.Number(4);
  const std::uint64_t offset = cursor.Number(super.offset_size);
  const std::uint64_t index = cursor.Number(4);
  if (!cursor.ok()) return Broken("the value of an attribute");
  KENNING_ASSIGN_OR_RETURN(std::string text, ReadHeapObject(file, super, offset, index));
  if (length > text.size()) return Broken("the value of an attribute");
  text.resize(length);
  return text;
}

/// A message about attributes elsewhere names that place, or says that there is none (all bits
/// set).
bool PointsElsewhere(const Message& message, std::size_t offset_size) {
  Cursor cursor(message.bytes);
  cursor.Bytes(1);
  const std::uint64_t flags = cursor.Number(1);
  if ((flags & 1U) != 0) cursor.Bytes(2);
  const std::string_view place = cursor.Bytes(offset_size);
  return cursor.ok() && place.find_first_not_of('\xff') != std::string_view::npos;
}

}  // namespace

bool IsHdf5(const RandomAccess& file) { return FindSuperblock(file).has_value(); }

Result<std::optional<std::string>> ReadRootText(const RandomAccess& file, const std::string& name) {
  KENNING_ASSIGN_OR_RETURN(const Superblock super, ReadSuperblock(file));
  KENNING_ASSIGN_OR_RETURN(const std::vector<Message> messages,
                           HeaderReader(file, super).Read(super.root));
  bool elsewhere = false;
  for (const Message& message : messages) {
    if (message.type == kAttributeInfo) {
      elsewhere = elsewhere || PointsElsewhere(message, super.offset_size);
      continue;
    }
    constexpr std::uint64_t kShared = 0x02;
    if ((message.flags & kShared) != 0) continue;
    KENNING_ASSIGN_OR_RETURN(const Attribute attribute, ParseAttribute(message.bytes));
    if (attribute.name != name) continue;
    KENNING_ASSIGN_OR_RETURN(std::string text, ReadText(file, super, attribute));
    return std::optional<std::string>(std::move(text));
  }
  if (elsewhere) {
    return Fail(ErrorCode::kUnsupported,
                "this HDF5 file keeps its attributes in a form that only the newest libraries "
                "read; save the model again with Keras");
  }
  return std::optional<std::string>();
}

}  // namespace kenning::tensorflow
