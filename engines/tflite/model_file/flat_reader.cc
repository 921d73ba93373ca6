// SPDX-License-Identifier: Apache-2.0
#include "flat_reader.h"

#include <fmt/format.h>

namespace kenning::tflite {

void FlatBuffer::SetError(std::string text) {
  if (error_.empty()) error_ = std::move(text);
}

bool FlatBuffer::InRange(std::uint64_t position, std::uint64_t size) {
  if (!ok()) return false;
  if (position <= bytes_.size() && size <= bytes_.size() - position) return true;
  SetError(fmt::format("refers to {} bytes at {}, of a file of {} bytes", size, position,
                       bytes_.size()));
  return false;
}

bool FlatBuffer::Spend(std::uint64_t elements) {
  if (!ok()) return false;
  if (elements <= budget_) {
    budget_ -= elements;
    return true;
  }
  SetError("its parts overlap: more elements than the file can hold");
  return false;
}

std::uint64_t FlatBuffer::Follow(std::uint64_t position) {
  const auto offset = Read<std::uint32_t>(position);
  if (!ok()) return 0;
  if (offset < 4) {
    SetError(fmt::format("an offset at {} points at itself", position));
    return 0;
  }
  return InRange(position + offset, 4) ? position + offset : 0;
}

FlatTable::FlatTable(FlatBuffer* buffer, std::uint64_t position) : buffer_(buffer) {
  if (position == 0) return;
  const auto back = buffer->Read<std::int32_t>(position);
  const std::int64_t fields = static_cast<std::int64_t>(position) - back;
  if (!buffer->ok()) return;
  if (fields < 0 || !buffer->InRange(static_cast<std::uint64_t>(fields), 4)) {
    buffer->SetError(
        fmt::format("the field list of the table at {} is outside the file", position));
    return;
  }
  fields_ = static_cast<std::uint64_t>(fields);
  fields_size_ = buffer->Read<std::uint16_t>(fields_);
  table_size_ = buffer->Read<std::uint16_t>(fields_ + 2);
  if (fields_size_ < 4 || fields_size_ % 2 != 0 || !buffer->InRange(fields_, fields_size_) ||
      !buffer->InRange(position, table_size_)) {
    buffer->SetError(fmt::format("the table at {} is malformed", position));
    return;
  }
  position_ = position;
}

FlatTable FlatTable::Root(FlatBuffer* buffer) { return {buffer, buffer->Follow(0)}; }

std::uint64_t FlatTable::Field(std::uint32_t field) const {
  const std::uint32_t slot = 4 + 2 * field;
  if (position_ == 0 || slot + 2 > fields_size_) return 0;
  const auto offset = buffer_->Read<std::uint16_t>(fields_ + slot);
  if (offset == 0) return 0;
  if (offset >= table_size_) {
    buffer_->SetError(fmt::format("a field of the table at {} is outside it", position_));
    return 0;
  }
  return position_ + offset;
}

FlatVector FlatTable::Vector(std::uint32_t field, std::uint32_t element_size) const {
  const std::uint64_t at = Field(field);
  if (at == 0) return {};
  const std::uint64_t start = buffer_->Follow(at);
  if (start == 0) return {};
  const auto size = buffer_->Read<std::uint32_t>(start);
  if (!buffer_->InRange(start + 4, std::uint64_t{size} * element_size)) return {};
  return {buffer_, start + 4, size};
}

std::string_view FlatTable::Text(std::uint32_t field) const {
  const FlatVector text = Vector(field, 1);
  if (text.size() == 0 || !buffer_->Spend(text.size())) return {};
  return buffer_->bytes().substr(text.start(), text.size());
}

FlatTable FlatTable::Table(std::uint32_t field) const {
  const std::uint64_t at = Field(field);
  return at == 0 ? FlatTable() : FlatTable(buffer_, buffer_->Follow(at));
}

FlatTable FlatTable::TableAt(const FlatVector& vector, std::uint32_t index) const {
  if (index >= vector.size() || !buffer_->Spend(1)) return {};
  return {buffer_, buffer_->Follow(vector.start() + std::uint64_t{index} * 4)};
}

}  // namespace kenning::tflite
