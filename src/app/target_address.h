// SPDX-License-Identifier: Apache-2.0
/// \file
/// How a target is named on a command line, and the way to it.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "app/app.h"
#include "kenning/core/transport.h"

namespace kenning {

/// A protocol block's class and the parameters that are not as by default.
struct TargetAddress {
  std::string protocol;  ///< "NetworkProtocol"
  std::map<std::string, ParamValue> parameters;
};

/// "tcp://host:port", "tls://host:port", "host:port", "[::1]:port", a path of a serial line
/// ("/dev/ttyUSB0"), else the name of a known device. \return kInvalidScenario for none of these,
/// kNotFound for an unknown device, kInvalidData where the devices' file is wrong.
Result<TargetAddress> ParseTargetAddress(const std::string& text);

/// \return kInvalidScenario for a parameter that the protocol has not or cannot take,
/// kUnavailable, or the block's own error.
Result<std::unique_ptr<Transport>> MakeTransport(const TargetAddress& address, AppContext& context);

}  // namespace kenning
