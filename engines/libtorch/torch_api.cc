// SPDX-License-Identifier: Apache-2.0
#include "torch_api.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <array>

namespace kenning::libtorch {
namespace {

constexpr std::array<std::pair<DType, at::ScalarType>, 13> kTypes = {{
    {DType::kFloat32, at::kFloat},
    {DType::kFloat64, at::kDouble},
    {DType::kFloat16, at::kHalf},
    {DType::kBFloat16, at::kBFloat16},
    {DType::kInt8, at::kChar},
    {DType::kUint8, at::kByte},
    {DType::kInt16, at::kShort},
    {DType::kUint16, at::kUInt16},
    {DType::kInt32, at::kInt},
    {DType::kUint32, at::kUInt32},
    {DType::kInt64, at::kLong},
    {DType::kUint64, at::kUInt64},
    {DType::kBool, at::kBool},
}};

}  // namespace

std::string Version() { return TORCH_VERSION; }

std::optional<DType> FromTorchType(at::ScalarType type) {
  for (const auto& [ours, torch] : kTypes) {
    if (torch == type) return ours;
  }
  return std::nullopt;
}

std::optional<at::ScalarType> ToTorchType(DType dtype) {
  for (const auto& [ours, torch] : kTypes) {
    if (ours == dtype) return torch;
  }
  return std::nullopt;
}

void UseThreads(int num_threads) {
  if (num_threads > 0 && at::get_num_threads() != num_threads) at::set_num_threads(num_threads);
}

std::string ShortMessage(const char* what) {
  constexpr std::size_t kMaxLength = 700;
  std::string text = what;
  if (const auto at = text.find("Exception raised from"); at != std::string::npos) text.resize(at);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > kMaxLength) {
    // The interpreter's trace comes first, the reason last.
    text = "…" + text.substr(text.size() - kMaxLength);
  }
  return text;
}

}  // namespace kenning::libtorch
