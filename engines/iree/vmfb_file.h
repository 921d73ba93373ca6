// SPDX-License-Identifier: Apache-2.0
/// \file
/// The container of an IREE module, `.vmfb`: checked before IREE sees it. Knows nothing of IREE.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>

#include "kenning/base/result.h"

namespace kenning::iree {

/// Bytes at an address that IREE can map a module from.
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

/// Whether `bytes` are a whole module. A module is a FlatBuffer with the mark "IREE" and, as the
/// compiler writes it by default, a ZIP archive at the same time: then every member's place and
/// checksum is checked, so that no damaged machine code is ever run. \return kInvalidModel.
Result<> CheckVmfb(std::span<const std::byte> bytes);

/// The FlatBuffer of a module that CheckVmfb has passed: all but its large constants and its code.
std::span<const std::byte> FlatBufferOf(std::span<const std::byte> module);

/// Reads and checks a module of at most 4 GiB. \return kNotFound, kIo, kInvalidModel,
/// kResourceExhausted.
Result<AlignedBytes> ReadVmfb(const std::filesystem::path& path);

}  // namespace kenning::iree
