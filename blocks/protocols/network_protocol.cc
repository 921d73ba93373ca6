// SPDX-License-Identifier: Apache-2.0
#include "network_protocol.h"

#include <fmt/format.h>

#include "transport/tcp.h"
#include "wire_params.h"

namespace kenning {
namespace {

class NetworkTransport final : public Transport {
 public:
  NetworkTransport(WireSettings settings, std::string host, std::uint16_t port)
      : settings_(std::move(settings)), host_(std::move(host)), port_(port) {}

  const WireSettings& settings() const override { return settings_; }
  std::string name() const override {
    return fmt::format("tcp://{}", HostAndPort(host_.empty() ? "localhost" : host_, port_));
  }
  Result<std::unique_ptr<Channel>> Connect(Deadline deadline) override {
    return ConnectTcp(host_, port_, deadline);
  }
  Result<std::unique_ptr<Listener>> Listen() override { return ListenTcp(host_, port_); }

 private:
  WireSettings settings_;
  std::string host_;
  std::uint16_t port_;
};

}  // namespace

ParamSchema NetworkProtocolSchema() {
  ParamSchema own = {{
      {.name = "host",
       .type = ParamType::kString,
       .description = "Name or address of the target; on the target, the address to listen on. "
                      "Empty: this machine.",
       .default_value = ParamValue{std::string("localhost")},
       .nullable = true},
      {.name = "port",
       .type = ParamType::kInt,
       .description = "TCP port of the agent; 0 on the target: the system chooses.",
       .default_value = ParamValue{std::int64_t{12345}},
       .minimum = 0,
       .maximum = 65535},
      {.name = "packet_size",
       .type = ParamType::kInt,
       .description = "Accepted for Kenning's scenarios; reads take what is there.",
       .default_value = ParamValue{std::int64_t{4096}},
       .minimum = 1},
  }};
  return WireParams(/*error_recovery=*/false, /*max_message_size=*/1 << 20).Extending(own);
}

Result<std::unique_ptr<Transport>> MakeNetworkProtocol(const Params& params, BlockContext&) {
  KENNING_ASSIGN_OR_RETURN(WireSettings settings, WireSettingsFrom(params, WireDialect::kNetwork));
  return std::make_unique<NetworkTransport>(std::move(settings),
                                            params.Has("host") ? params.String("host") : "",
                                            static_cast<std::uint16_t>(params.Int("port")));
}

}  // namespace kenning
