// SPDX-License-Identifier: Apache-2.0
#include "uart_protocol.h"

#include <fmt/format.h>

#include "device_params.h"
#include "transport/uart.h"
#include "wire_params.h"

namespace kenning {
namespace {

class UartTransport final : public Transport {
 public:
  UartTransport(WireSettings settings, UartSettings line)
      : settings_(std::move(settings)), line_(std::move(line)) {}

  const WireSettings& settings() const override { return settings_; }
  std::string name() const override {
    return fmt::format("{} at {} baud", line_.port, line_.baud_rate);
  }
  // A line is there or not: nothing is waited for.
  Result<std::unique_ptr<Channel>> Connect(Deadline) override { return OpenUart(line_); }
  Result<std::unique_ptr<Listener>> Listen() override { return ListenUart(line_); }

 private:
  WireSettings settings_;
  UartSettings line_;
};

}  // namespace

ParamSchema UartProtocolSchema() {
  ParamSchema own = {{
      DeviceParam(),
      {.name = "port",
       .type = ParamType::kPath,
       .description =
           "The serial line: /dev/ttyUSB0, /dev/serial/by-id/…; needed without a device.",
       .default_value = ParamValue{},
       .nullable = true},
      {.name = "baudrate",
       .type = ParamType::kInt,
       .description = "Bits per second; any that the driver takes.",
       .default_value = ParamValue{std::int64_t{9600}},
       .minimum = 50,
       .maximum = 100'000'000},
  }};
  return WireParams(/*error_recovery=*/true, /*max_message_size=*/136).Extending(own);
}

Availability ProbeUart() {
  if (UartIsBuilt()) return {};
  return {.available = false,
          .reason =
              "this build has no serial lines; install libserialport-dev and build kenning "
              "with -DKENNING_UART=ON"};
}

Result<std::unique_ptr<Transport>> MakeUartProtocol(const Params& given, BlockContext&) {
  KENNING_ASSIGN_OR_RETURN(const Params params,
                           WithDevice(given, UartProtocolSchema(), "UARTProtocol"));
  if (!params.Has("port")) {
    return Fail(ErrorCode::kInvalidArgument,
                "UARTProtocol: which serial line? Give port, for example /dev/ttyUSB0 (see: ls "
                "/dev/serial/by-id)");
  }
  KENNING_ASSIGN_OR_RETURN(WireSettings settings, WireSettingsFrom(params, WireDialect::kUart));
  return std::make_unique<UartTransport>(
      std::move(settings), UartSettings{.port = params.String("port"),
                                        .baud_rate = static_cast<int>(params.Int("baudrate"))});
}

}  // namespace kenning
