// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where a write of several pieces stands. Private to src/transport.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "kenning/core/transport.h"

namespace kenning::internal {

/// Walks over pieces that the system takes in parts. Borrows them.
class PieceCursor {
 public:
  explicit PieceCursor(std::span<const ConstBytes> pieces) : pieces_(pieces) { SkipEmpty(); }
  bool done() const { return pieces_.empty(); }
  /// What to write next: as many pieces as fit one call. Valid until the next call.
  std::span<iovec> Next() {
    std::size_t count = 0;
    std::size_t offset = offset_;
    for (const ConstBytes piece : pieces_) {
      if (count == vectors_.size()) break;
      if (!piece.empty()) {
        // The system reads only; iovec serves both directions.
        vectors_[count].iov_base = const_cast<std::byte*>(piece.data() + offset);
        vectors_[count].iov_len = piece.size() - offset;
        ++count;
      }
      offset = 0;
    }
    return std::span(vectors_.data(), count);
  }
  void Advance(std::size_t bytes) {
    while (bytes > 0 && !pieces_.empty()) {
      const std::size_t step = std::min(bytes, pieces_.front().size() - offset_);
      offset_ += step;
      bytes -= step;
      if (offset_ == pieces_.front().size()) {
        pieces_ = pieces_.subspan(1);
        offset_ = 0;
      }
    }
    SkipEmpty();
  }

 private:
  void SkipEmpty() {
    while (!pieces_.empty() && pieces_.front().empty()) pieces_ = pieces_.subspan(1);
  }
  std::span<const ConstBytes> pieces_;
  std::size_t offset_ = 0;  // Within the first piece.
  std::array<iovec, 64> vectors_;
};

}  // namespace kenning::internal
