// SPDX-License-Identifier: Apache-2.0
/// \file
/// Parameters that all protocols share.
#pragma once

#include "kenning/core/transport.h"
#include "kenning/registry/param_schema.h"

namespace kenning {

/// error_recovery, timeout, max_message_size, native, token_file.
ParamSchema WireParams(bool error_recovery, std::int64_t max_message_size);
/// \return the errors of the token's file.
Result<WireSettings> WireSettingsFrom(const Params& params, WireDialect dialect);

}  // namespace kenning
