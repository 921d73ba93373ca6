// SPDX-License-Identifier: Apache-2.0
#include "network_protocol.h"

#include <fmt/format.h>

#include <optional>

#include "device_params.h"
#include "transport/tcp.h"
#include "transport/tls_server.h"
#include "wire_params.h"

namespace kenning {
namespace {

class NetworkTransport final : public Transport {
 public:
  NetworkTransport(WireSettings settings, std::string host, std::uint16_t port,
                   std::optional<TlsSettings> tls)
      : settings_(std::move(settings)),
        host_(host.empty() ? "localhost" : std::move(host)),
        port_(port),
        tls_(std::move(tls)) {}

  const WireSettings& settings() const override { return settings_; }
  std::string name() const override {
    return fmt::format("{}://{}", tls_ ? "tls" : "tcp", HostAndPort(host_, port_));
  }
  Result<std::unique_ptr<Channel>> Connect(Deadline deadline) override {
    KENNING_ASSIGN_OR_RETURN(std::unique_ptr<Channel> channel, ConnectTcp(host_, port_, deadline));
    if (!tls_) return channel;
    TlsSettings tls = *tls_;
    if (tls.server_name.empty()) tls.server_name = host_;
    return TlsConnect(std::move(channel), tls, deadline);
  }
  Result<std::unique_ptr<Listener>> Listen() override {
    if (tls_) KENNING_RETURN_IF_ERROR(CheckTlsServerFiles(*tls_));
    KENNING_ASSIGN_OR_RETURN(std::unique_ptr<Listener> plain, ListenTcp(host_, port_));
    if (!tls_) return plain;
    return std::make_unique<TlsListener>(std::move(plain), *tls_);
  }

 private:
  WireSettings settings_;
  std::string host_;
  std::uint16_t port_;
  std::optional<TlsSettings> tls_;
};

ParamSpec Optional(std::string name, ParamType type, std::string description) {
  return {.name = std::move(name),
          .type = type,
          .description = std::move(description),
          .default_value = ParamValue{},
          .nullable = true};
}

std::string TextOf(const Params& params, std::string_view name) {
  return params.Has(name) ? params.String(name) : std::string();
}

Result<std::optional<TlsSettings>> TlsFrom(const Params& params) {
  TlsSettings tls{.ca = TextOf(params, "tls_ca"),
                  .certificate = TextOf(params, "tls_certificate"),
                  .key = TextOf(params, "tls_key"),
                  .server_name = TextOf(params, "tls_name"),
                  .fingerprint = TextOf(params, "tls_fingerprint")};
  if (params.String("tls") == "on") return tls;
  for (const char* name : {"tls_ca", "tls_certificate", "tls_key", "tls_name", "tls_fingerprint"}) {
    if (!TextOf(params, name).empty()) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{} has no effect while TLS is off; add tls: on, or drop it", name));
    }
  }
  return std::nullopt;
}

}  // namespace

ParamSchema NetworkProtocolSchema() {
  ParamSchema own = {{
      DeviceParam(),
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
      {.name = "tls",
       .type = ParamType::kString,
       .description = "Whether the connection is encrypted, by TLS 1.3 (docs/howto/"
                      "secure-target.md).",
       .default_value = ParamValue{std::string("off")},
       .allowed = {"off", "on"}},
      Optional("tls_ca", ParamType::kPath,
               "Certificate of the authority that signed the other side's (PEM)."),
      Optional("tls_certificate", ParamType::kPath, "Our own certificate (PEM)."),
      Optional("tls_key", ParamType::kPath, "Its private key (PEM), readable by its owner alone."),
      Optional("tls_name", ParamType::kString,
               "Name in the target's certificate, where it is not the host's."),
      Optional("tls_fingerprint", ParamType::kString,
               "SHA-256 of the target's certificate; then tls_ca and names are not asked."),
  }};
  return WireParams(/*error_recovery=*/false, /*max_message_size=*/1 << 20).Extending(own);
}

Result<std::unique_ptr<Transport>> MakeNetworkProtocol(const Params& given, BlockContext&) {
  KENNING_ASSIGN_OR_RETURN(const Params params,
                           WithDevice(given, NetworkProtocolSchema(), "NetworkProtocol"));
  KENNING_ASSIGN_OR_RETURN(WireSettings settings, WireSettingsFrom(params, WireDialect::kNetwork));
  KENNING_ASSIGN_OR_RETURN(std::optional<TlsSettings> tls, TlsFrom(params));
  return std::make_unique<NetworkTransport>(std::move(settings), TextOf(params, "host"),
                                            static_cast<std::uint16_t>(params.Int("port")),
                                            std::move(tls));
}

}  // namespace kenning
