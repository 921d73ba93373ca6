// SPDX-License-Identifier: Apache-2.0
/// \file
/// Protocol "NetworkProtocol": the wire over TCP.
#pragma once

#include "kenning/registry/registry.h"

namespace kenning {

ParamSchema NetworkProtocolSchema();

/// Reads the token's file at once; touches no network. \return kInvalidArgument, kNotFound.
Result<std::unique_ptr<Transport>> MakeNetworkProtocol(const Params& params, BlockContext& context);

}  // namespace kenning
