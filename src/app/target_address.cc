// SPDX-License-Identifier: Apache-2.0
#include "app/target_address.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "app/make_blocks.h"
#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"
#include "transport/devices.h"

namespace kenning {
namespace {

constexpr const char* kNetwork = "NetworkProtocol";
constexpr const char* kUart = "UARTProtocol";

std::optional<std::int64_t> PortFrom(std::string_view text) {
  std::int64_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
    return std::nullopt;
  }
  return port;
}

Result<TargetAddress> NetworkAddress(const std::string& text, std::string_view host_and_port,
                                     bool tls) {
  TargetAddress address{kNetwork, {}};
  if (tls) address.parameters["tls"] = std::string("on");
  const bool bracket = host_and_port.starts_with('[');
  const std::size_t end = bracket ? host_and_port.find(']') : host_and_port.rfind(':');
  std::string_view host = host_and_port.substr(0, end);
  std::string_view rest;
  if (end != std::string_view::npos) rest = host_and_port.substr(bracket ? end + 1 : end);
  if (bracket) host.remove_prefix(1);
  const bool several_colons = !bracket && host.find(':') != std::string_view::npos;
  if (host.empty() || several_colons || (bracket && end == std::string_view::npos) ||
      host.find_first_of("/ []") != std::string_view::npos) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("\"{}\" is no address; write host:port, or [address]:port", text));
  }
  address.parameters["host"] = std::string(host);
  if (rest.empty()) return address;
  const auto port = rest.starts_with(':') ? PortFrom(rest.substr(1)) : std::nullopt;
  if (!port) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("\"{}\" has no port from 1 to 65535 behind the colon", text));
  }
  address.parameters["port"] = *port;
  return address;
}

Result<ParamValue> Checked(const BlockInfo& info, const std::string& name, ParamValue value) {
  const ParamSpec* spec = info.schema.Find(name);
  if (spec == nullptr) {
    std::vector<std::string> names;
    for (const ParamSpec& one : info.schema.params) names.push_back(one.name);
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("{} has no parameter \"{}\"; there are: {}", info.name, name, Join(names)));
  }
  const bool number = spec->type == ParamType::kFloat;
  if (const auto* whole = std::get_if<std::int64_t>(&value); number && whole != nullptr) {
    value = static_cast<double>(*whole);
  }
  const ParamType type = spec->type;
  const bool fits =
      (type == ParamType::kBool && std::holds_alternative<bool>(value)) ||
      (type == ParamType::kInt && std::holds_alternative<std::int64_t>(value)) ||
      (type == ParamType::kFloat && std::holds_alternative<double>(value)) ||
      ((type == ParamType::kString || type == ParamType::kPath || type == ParamType::kUri) &&
       std::holds_alternative<std::string>(value));
  if (!fits) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{} of {} must be of the type {}, not {}", name, info.name,
                            ParamTypeName(type), ToString(value)));
  }
  KENNING_RETURN_IF_ERROR(CheckParamValue(*spec, value), name);
  return value;
}

}  // namespace

Result<TargetAddress> ParseTargetAddress(const std::string& text) {
  if (text.starts_with('/')) return TargetAddress{kUart, {{"port", text}}};
  for (const std::string_view scheme : {"tcp://", "tls://"}) {
    if (!text.starts_with(scheme)) continue;
    return NetworkAddress(text, std::string_view(text).substr(scheme.size()), scheme[1] == 'l');
  }
  if (text.find(':') != std::string::npos) return NetworkAddress(text, text, false);
  if (!IsDeviceName(text)) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("\"{}\" is no target: give a device's name, host:port, tls://host:port "
                            "or the path of a serial line",
                            text));
  }
  KENNING_ASSIGN_OR_RETURN(const Device device, FindDevice(text));
  TargetAddress address{device.protocol, {}};
  for (const auto& [name, value] : device.parameters) {
    std::visit([&, key = name](const auto& held) { address.parameters[key] = held; }, value);
  }
  return address;
}

Result<std::unique_ptr<Transport>> MakeTransport(const TargetAddress& address,
                                                 AppContext& context) {
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info,
                           context.registry.Find(BlockCategory::kProtocol, address.protocol));
  if (info->make_transport == nullptr) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{} cannot reach a target", info->name));
  }
  const Availability here = info->probe ? info->probe() : Availability{};
  if (!here.available) {
    return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", info->name, here.reason));
  }
  std::map<std::string, ParamValue, std::less<>> values = DefaultParams(info->schema).values();
  for (const auto& [name, value] : address.parameters) {
    KENNING_ASSIGN_OR_RETURN(values[name], Checked(*info, name, value));
  }
  for (const ParamSpec& spec : info->schema.params) {
    if (spec.required && !values.contains(spec.name)) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} needs the parameter \"{}\"", info->name, spec.name));
    }
  }
  BlockContext blocks = MakeBlockContext(context, nullptr);
  return info->make_transport(Params(std::move(values)), blocks);
}

}  // namespace kenning
