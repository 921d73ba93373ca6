// SPDX-License-Identifier: Apache-2.0
#include "wire/multipart.h"

#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/check.h"

namespace kenning::wire {
namespace {

constexpr std::size_t kGrowBytes = std::size_t{4} << 20;
constexpr std::size_t kKeptBytes = std::size_t{4} << 20;
constexpr std::uint8_t kMagic = 0x4B;

}  // namespace

OutgoingParts::OutgoingParts(std::uint32_t max_message_size, bool checksums)
    : room_(max_message_size - kHeaderBytes), checksums_(checksums) {
  KENNING_CHECK(max_message_size > kHeaderBytes);
}

void OutgoingParts::Clear() {
  headers_used_ = 0;
  pieces_.clear();
}

void OutgoingParts::Add(const Header& header, std::span<const ConstBytes> payload) {
  std::size_t total = 0;
  for (const ConstBytes piece : payload) total += piece.size();
  Header part = header;
  part.flags = static_cast<std::uint16_t>(part.flags & ~(kFirst | kLast | kHasPayload));
  const std::uint16_t common = part.flags;
  std::size_t done = 0;
  do {
    const std::size_t size = std::min(room_, total - done);
    part.flags = common;
    if (size > 0) part.flags |= kHasPayload;
    if (done == 0) part.flags |= kFirst;
    if (done + size == total) part.flags |= kLast;
    AddPart(part, payload, done, size);
    done += size;
  } while (done < total);
}

void OutgoingParts::AddPart(Header header, std::span<const ConstBytes> payload, std::size_t skip,
                            std::size_t size) {
  header.payload_size = static_cast<std::uint32_t>(size);
  header.checksum = 0;
  if (headers_used_ == headers_.size()) headers_.emplace_back();
  HeaderBytes& bytes = headers_[headers_used_++];
  bytes = EncodeHeader(header);
  pieces_.emplace_back(bytes);
  std::uint8_t all = kMagic;
  for (ConstBytes piece : payload) {
    const std::size_t before = std::min(skip, piece.size());
    skip -= before;
    piece = piece.subspan(before);
    piece = piece.first(std::min(size, piece.size()));
    if (piece.empty()) continue;
    size -= piece.size();
    pieces_.push_back(piece);
    if (checksums_) all = static_cast<std::uint8_t>(all ^ XorOf(piece));
  }
  if (!checksums_) return;
  header.checksum = static_cast<std::uint8_t>(all ^ XorOf(bytes));
  bytes = EncodeHeader(header);
}

PartJoiner::PartJoiner(std::function<std::uint64_t(MessageType)> cap) : cap_(std::move(cap)) {}

PartJoiner::Partial* PartJoiner::Of(MessageType type) {
  const auto index = static_cast<std::uint64_t>(type);
  return index < partials_.size() ? &partials_[index] : nullptr;
}

void PartJoiner::Drop(MessageType type) {
  Partial* partial = Of(type);
  if (partial == nullptr) return;
  partial->open = false;
  partial->size = 0;
  if (partial->buffer.size() > kKeptBytes) partial->buffer = {};
}

void PartJoiner::DropAll() {
  for (std::size_t i = 0; i < partials_.size(); ++i) Drop(static_cast<MessageType>(i));
}

bool PartJoiner::Swallows(const Header& header) {
  Partial* partial = Of(header.type);
  if (partial == nullptr || !partial->refused) return false;
  if (header.has(kFirst)) {
    partial->refused = false;
    return false;
  }
  if (header.has(kLast)) partial->refused = false;
  return true;
}

void PartJoiner::Refuse(const Header& header) {
  Partial* partial = Of(header.type);
  if (partial == nullptr) return;
  Drop(header.type);
  partial->refused = !header.has(kLast);
}

Result<> PartJoiner::Check(const Header& header) {
  Partial* partial = Of(header.type);
  if (partial == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("this server knows no message of {}", TypeName(header.type)));
  }
  Result<> checked = CheckRules(header, *partial);
  if (!checked) Refuse(header);
  return checked;
}

Result<> PartJoiner::CheckRules(const Header& header, Partial& partial) {
  if (header.has(kFirst)) {
    Drop(header.type);
    partial.open = true;
    partial.first = header;
  } else if (!partial.open) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("a part of {} without a first part", TypeName(header.type)));
  } else if (partial.first.flow != header.flow) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("parts of {} with different flow control", TypeName(header.type)));
  }
  const std::uint64_t cap = cap_(header.type);
  const std::uint64_t wanted = partial.size + std::uint64_t{header.body_size()};
  if (wanted > cap) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} with {} bytes of payload; at most {} are taken",
                            TypeName(header.type), wanted, cap));
  }
  return {};
}

Result<ConstBytes> PartJoiner::ReadBody(const Header& header, MessageReader& reader,
                                        Deadline deadline) {
  Partial& partial = *Of(header.type);
  const std::size_t begin = partial.size;
  const std::size_t end = begin + header.body_size();
  while (partial.size < end) {
    if (partial.size == partial.buffer.size()) {
      const std::size_t grown = partial.size + std::max(partial.size, kGrowBytes);
      partial.buffer.resize(std::min(end, grown));
    }
    const std::size_t upto = std::min(end, partial.buffer.size());
    KENNING_RETURN_IF_ERROR(reader.Read(
        MutableBytes(partial.buffer).subspan(partial.size, upto - partial.size), deadline));
    partial.size = upto;
  }
  return ConstBytes(partial.buffer).subspan(begin, end - begin);
}

JoinedMessage PartJoiner::Finish(const Header& header) {
  Partial& partial = *Of(header.type);
  partial.open = false;
  JoinedMessage message;
  message.header = partial.first;
  message.header.flags |= kLast;
  message.header.payload_size = static_cast<std::uint32_t>(partial.size);
  message.payload = ConstBytes(partial.buffer).first(partial.size);
  return message;
}

}  // namespace kenning::wire
