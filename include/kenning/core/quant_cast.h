// SPDX-License-Identifier: Apache-2.0
/// \file
/// The one place where values are cast between a float spec and a quantised spec.
/// Rounds to nearest even, saturates, maps NaN to the zero point.
#pragma once

#include "kenning/base/result.h"
#include "kenning/core/tensor.h"

namespace kenning {

/// float32 -> int8/uint8/int16/uint16/int32 by `to.quant`; or a plain numeric cast where `to.quant`
/// is empty. Shapes must match. \return kInvalidArgument on a dtype pair or size that does not fit.
Result<> CastTensor(const TensorView& from, const std::optional<QuantParams>& from_quant,
                    const MutableTensorView& to, const std::optional<QuantParams>& to_quant);

}  // namespace kenning
