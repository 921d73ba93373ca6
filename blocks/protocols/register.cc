// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/check.h"
#include "network_protocol.h"
#include "uart_protocol.h"

namespace kenning {

void RegisterProtocols(Registry& registry) {
  BlockInfo network;
  network.category = BlockCategory::kProtocol;
  network.name = "NetworkProtocol";
  network.aliases = {"kenning.protocols.network.NetworkProtocol"};
  network.summary = "A target in the network, by TCP.";
  network.schema = NetworkProtocolSchema();
  network.make_transport = MakeNetworkProtocol;
  KENNING_CHECK(registry.Add(std::move(network)).has_value());

  BlockInfo uart;
  uart.category = BlockCategory::kProtocol;
  uart.name = "UARTProtocol";
  uart.aliases = {"kenning.protocols.uart.UARTProtocol"};
  uart.summary = "A target at a serial line.";
  uart.schema = UartProtocolSchema();
  uart.probe = ProbeUart;
  uart.make_transport = MakeUartProtocol;
  KENNING_CHECK(registry.Add(std::move(uart)).has_value());
}

}  // namespace kenning
