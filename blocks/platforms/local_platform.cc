// SPDX-License-Identifier: Apache-2.0
#include "local_platform.h"

#include <algorithm>

namespace kenning {

LocalPlatform::LocalPlatform(PlatformInfo info)
    : info_(std::move(info)), saturating_(SaturatesInt8(info_)) {}

bool SaturatesInt8(const PlatformInfo& info) {
  const auto has = [&info](const char* feature) {
    return std::ranges::find(info.features, feature) != info.features.end();
  };
  const bool x86 = info.architecture == "x86_64" || info.architecture == "i686";
  return x86 && !has("avx512_vnni") && !has("avx_vnni");
}

}  // namespace kenning
