// SPDX-License-Identifier: Apache-2.0
/// \file
/// SHA-256 of bytes that come piece by piece. Of what is there as a whole: kenning/base/file.h.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace kenning {

using Digest = std::array<std::byte, 32>;

/// Two lower-case hexadecimal digits a byte.
std::string ToHex(std::span<const std::byte> bytes);

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void Add(std::span<const std::byte> bytes);
  void Add(std::string_view bytes) { Add(std::as_bytes(std::span(bytes))); }
  /// Of all that was added; nothing may be added afterwards.
  Digest Finish();
  /// The same as text.
  std::string FinishHex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace kenning
