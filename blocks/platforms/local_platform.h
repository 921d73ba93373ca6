// SPDX-License-Identifier: Apache-2.0
/// \file
/// Platform "LocalPlatform": the machine that kenning runs on, read from the system.
#pragma once

#include "kenning/core/platform.h"

namespace kenning {

class LocalPlatform final : public Platform {
 public:
  explicit LocalPlatform(PlatformInfo info);
  const PlatformInfo& info() const override { return info_; }
  bool saturating_int8() const override { return saturating_; }

 private:
  PlatformInfo info_;
  bool saturating_;
};

/// x86 from AVX2 on multiplies unsigned by signed bytes and adds pairs in 16 bits, saturating,
/// unless it has VNNI, which adds in 32 bits.
bool SaturatesInt8(const PlatformInfo& info);

}  // namespace kenning
