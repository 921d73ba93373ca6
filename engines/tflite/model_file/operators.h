// SPDX-License-Identifier: Apache-2.0
/// \file
/// Numbers of the format's built-in operators.
#pragma once

#include <string>

namespace kenning::tflite {

inline constexpr int kAdd = 0;
inline constexpr int kConv2d = 3;
inline constexpr int kDepthwiseConv2d = 4;
inline constexpr int kDequantize = 6;
inline constexpr int kFullyConnected = 9;
inline constexpr int kSoftmax = 25;
inline constexpr int kCustom = 32;
inline constexpr int kSub = 41;
inline constexpr int kLogSoftmax = 50;
inline constexpr int kLess = 58;
inline constexpr int kGreater = 61;
inline constexpr int kGreaterEqual = 62;
inline constexpr int kLessEqual = 63;
inline constexpr int kTransposeConv = 67;
inline constexpr int kEqual = 71;
inline constexpr int kNotEqual = 72;
inline constexpr int kSquaredDifference = 99;
inline constexpr int kQuantize = 114;
inline constexpr int kBatchMatmul = 126;
inline constexpr int kConv3d = 132;

/// Whether it is a convolution or a product of matrices.
constexpr bool IsHeavy(int builtin) {
  return builtin == kConv2d || builtin == kDepthwiseConv2d || builtin == kFullyConnected ||
         builtin == kTransposeConv || builtin == kConv3d || builtin == kBatchMatmul;
}

/// "CONV_2D"; "BUILTIN_999" for a number that is not known.
std::string BuiltinName(int builtin);

}  // namespace kenning::tflite
