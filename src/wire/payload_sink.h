// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the bytes of an answer's payload go: straight into the caller's memory, or into a string
/// that grows as the bytes come, never ahead of them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "kenning/core/transport.h"

namespace kenning::wire {

class PayloadSink {
 public:
  /// Into these places, one after the other. Borrowed.
  explicit PayloadSink(std::span<const MutableBytes> places) : places_(places) {
    for (const MutableBytes place : places) most_ += place.size();
  }
  /// Appends to `text`, at most `most` bytes. Borrowed.
  PayloadSink(std::string& text, std::uint64_t most) : text_(&text), most_(most) {}

  /// Bytes that may still come.
  std::uint64_t room() const { return most_ - taken_; }
  std::uint64_t taken() const { return taken_; }

  /// A place for the next bytes, at least one and at most `count` of them, which the caller then
  /// fills. \pre 0 < count <= room()
  MutableBytes Next(std::uint64_t count) {
    if (text_ != nullptr) {
      const std::size_t size = std::min<std::uint64_t>(count, kGrowBytes);
      const std::size_t before = text_->size();
      text_->resize(before + size);
      taken_ += size;
      return std::as_writable_bytes(std::span(*text_).subspan(before));
    }
    while (within_ == places_[place_].size()) {
      ++place_;
      within_ = 0;
    }
    const std::size_t size = std::min<std::uint64_t>(count, places_[place_].size() - within_);
    const MutableBytes next = places_[place_].subspan(within_, size);
    within_ += size;
    taken_ += size;
    return next;
  }

 private:
  static constexpr std::size_t kGrowBytes = std::size_t{1} << 20;
  std::span<const MutableBytes> places_;
  std::size_t place_ = 0;
  std::size_t within_ = 0;
  std::string* text_ = nullptr;
  std::uint64_t most_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace kenning::wire
