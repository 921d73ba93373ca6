// SPDX-License-Identifier: Apache-2.0
/// \file
/// The file of a program of ExecuTorch, `.pte`: read and checked before ExecuTorch sees it. Knows
/// nothing of ExecuTorch's interface.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>

#include "kenning/base/result.h"

namespace kenning::executorch_engine {

/// Bytes at a multiple of 64, as the data inside need.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  /// Uninitialised. \return kResourceExhausted.
  static Result<AlignedBytes> Create(std::size_t size);
  std::span<std::byte> span() { return {data_.get(), size_}; }
  std::span<const std::byte> span() const { return {data_.get(), size_}; }

 private:
  struct Free {
    void operator()(std::byte* data) const { std::free(data); }
  };
  std::unique_ptr<std::byte[], Free> data_;
  std::size_t size_ = 0;
};

/// Whether the marks are there and the lengths in the header lie within the file. \return
/// kInvalidModel.
Result<> CheckPte(std::span<const std::byte> bytes);

/// Reads and checks a program of at most 4 GiB. \return kNotFound, kIo, kInvalidModel,
/// kResourceExhausted.
Result<AlignedBytes> ReadPte(const std::filesystem::path& path);

}  // namespace kenning::executorch_engine
