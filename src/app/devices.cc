// SPDX-License-Identifier: Apache-2.0
#include "app/devices.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "app/target_description.h"
#include "app/text_table.h"
#include "kenning/base/strings.h"
#include "wire/target_client.h"

namespace kenning {
namespace {

constexpr std::size_t kAtATime = 16;
constexpr int kClockRounds = 8;

std::string ParameterText(const DeviceValue& value) {
  return std::visit(
      [](const auto& held) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, std::string>) {
          return held;
        } else {
          return fmt::format("{}", held);
        }
      },
      value);
}

std::string ParameterOr(const Device& device, const char* name, const std::string& otherwise) {
  const auto it = device.parameters.find(name);
  return it == device.parameters.end() ? otherwise : ParameterText(it->second);
}

bool IsUart(const Device& device) { return device.protocol.ends_with("UARTProtocol"); }

DeviceSeen SeenFrom(const TargetDescription& target, bool tls) {
  DeviceSeen seen;
  seen.at = WallTimeUtc();
  seen.agent = target.agent_version;
  seen.cpu = target.cpu_model.empty() ? target.architecture : target.cpu_model;
  for (const TargetDescription::Engine& engine : target.engines) {
    std::string name = engine.engine;
    if (!engine.version.empty()) name += " " + engine.version;
    if (std::ranges::find(seen.engines, name) == seen.engines.end()) seen.engines.push_back(name);
  }
  seen.authentication = target.authentication;
  if (tls) seen.authentication = target.authentication == "token" ? "tls, token" : "tls";
  return seen;
}

Result<> Ask(Transport& transport, double timeout_s, const CancelToken& cancel,
             DeviceProbe& probe) {
  KENNING_ASSIGN_OR_RETURN(auto channel, transport.Connect(Deadline::After(timeout_s)));
  WireSettings settings = transport.settings();
  settings.timeout_s = timeout_s;
  wire::ClientOptions options;
  options.cancel = &cancel;
  KENNING_ASSIGN_OR_RETURN(
      auto client, wire::TargetClient::Connect(std::move(channel), settings, std::move(options)));
  KENNING_ASSIGN_OR_RETURN(probe.native, client->Negotiate());
  probe.reachable = true;
  const bool tls = transport.name().starts_with("tls://");
  TargetDescription target;
  if (probe.native) {
    KENNING_ASSIGN_OR_RETURN(const wire::TargetInfo info, client->Info());
    target = DescriptionFromHello(info.json);
    KENNING_ASSIGN_OR_RETURN(const wire::ClockOffset clock, client->MeasureClock(kClockRounds));
    probe.round_trip_ns = clock.round_trip_ns;
  }
  probe.seen = SeenFrom(target, tls);
  static_cast<void>(client->Disconnect());
  return {};
}

DeviceProbe ProbeOne(const Device& device, double timeout_s, AppContext& context) {
  DeviceProbe probe;
  probe.name = device.name;
  TargetAddress address{device.protocol, {}};
  for (const auto& [name, value] : device.parameters) {
    std::visit([&, key = name](const auto& held) { address.parameters[key] = held; }, value);
  }
  const auto asked = [&]() -> Result<> {
    KENNING_ASSIGN_OR_RETURN(const auto transport, MakeTransport(address, context));
    return Ask(*transport, timeout_s, context.cancel, probe);
  };
  if (const Result<> done = asked(); !done) {
    probe.problem = done.error().ToString();
    probe.busy = done.error().message().find("busy:") != std::string::npos;
    // Who says no is there.
    probe.reachable |= probe.busy || done.error().code() == ErrorCode::kUnavailable;
  }
  return probe;
}

}  // namespace

std::vector<DeviceProbe> ProbeDevices(const std::vector<Device>& devices, double timeout_s,
                                      AppContext& context) {
  std::vector<DeviceProbe> probes(devices.size());
  for (std::size_t from = 0; from < devices.size(); from += kAtATime) {
    std::vector<std::thread> threads;
    for (std::size_t i = from; i < std::min(devices.size(), from + kAtATime); ++i) {
      threads.emplace_back([&, i] { probes[i] = ProbeOne(devices[i], timeout_s, context); });
    }
    for (std::thread& thread : threads) thread.join();
  }
  return probes;
}

Result<> KeepSeen(const std::vector<DeviceProbe>& probes) {
  if (std::ranges::none_of(probes, [](const DeviceProbe& one) { return one.seen.has_value(); })) {
    return {};
  }
  return UpdateDevices(DevicesFile(), [&probes](std::vector<Device>& devices) -> Result<> {
    for (const DeviceProbe& probe : probes) {
      const auto device = std::ranges::find(devices, probe.name, &Device::name);
      if (probe.seen && device != devices.end()) device->seen = probe.seen;
    }
    return {};
  });
}

Result<> AddDevice(const Device& device, bool replace, AppContext& context) {
  if (!IsDeviceName(device.name)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("\"{}\" is no name of a device: letters, digits, '.', '_' and '-', at "
                            "most 64, the first a letter or digit",
                            device.name));
  }
  TargetAddress address{device.protocol, {}};
  for (const auto& [name, value] : device.parameters) {
    std::visit([&, key = name](const auto& held) { address.parameters[key] = held; }, value);
  }
  KENNING_RETURN_IF_ERROR(MakeTransport(address, context), "device " + device.name);
  return UpdateDevices(DevicesFile(), [&](std::vector<Device>& devices) -> Result<> {
    const auto there = std::ranges::find(devices, device.name, &Device::name);
    if (there == devices.end()) {
      devices.push_back(device);
      return {};
    }
    if (!replace) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("there is a device {} already ({}); give --replace, or another name",
                              device.name, AddressOf(*there)));
    }
    *there = device;
    return {};
  });
}

Result<> RemoveDevice(const std::string& name) {
  KENNING_RETURN_IF_ERROR(FindDevice(name));
  return UpdateDevices(DevicesFile(), [&name](std::vector<Device>& devices) -> Result<> {
    std::erase_if(devices, [&name](const Device& one) { return one.name == name; });
    return {};
  });
}

std::string AddressOf(const Device& device) {
  if (IsUart(device)) {
    return fmt::format("{} at {} baud", ParameterOr(device, "port", "?"),
                       ParameterOr(device, "baudrate", "default"));
  }
  const std::string host = ParameterOr(device, "host", "localhost");
  const bool v6 = host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", ParameterOr(device, "tls", "off") == "on" ? "tls" : "tcp",
                     v6 ? "[" : "", host, v6 ? "]" : "", ParameterOr(device, "port", "12345"));
}

std::string DevicesTable(const std::vector<Device>& devices) {
  std::vector<std::vector<std::string>> rows{
      {"name", "address", "agent", "engines", "cpu", "authentication", "seen"}};
  for (const Device& device : devices) {
    const DeviceSeen seen = device.seen.value_or(DeviceSeen{});
    rows.push_back({device.name, AddressOf(device),
                    device.seen && seen.agent.empty() ? "Kenning" : seen.agent, Join(seen.engines),
                    seen.cpu, seen.authentication, device.seen ? seen.at : "never"});
  }
  return TextTable(rows, rows[0].size());
}

std::string DescribeDevice(const Device& device) {
  std::string text =
      fmt::format("{}\n  {} by {}\n", device.name, AddressOf(device), device.protocol);
  if (!device.note.empty()) text += fmt::format("  {}\n", device.note);
  for (const auto& [name, value] : device.parameters) {
    text += fmt::format("  {}: {}\n", name, ParameterText(value));
  }
  if (!device.seen)
    return text + "  never probed; see: kenning devices probe " + device.name + "\n";
  const DeviceSeen& seen = *device.seen;
  text += fmt::format("  seen {}: {}\n", seen.at,
                      seen.agent.empty() ? "Kenning's protocol alone" : "agent " + seen.agent);
  if (!seen.cpu.empty()) text += fmt::format("  cpu: {}\n", seen.cpu);
  if (!seen.engines.empty()) text += fmt::format("  engines: {}\n", Join(seen.engines));
  if (!seen.authentication.empty()) {
    text += fmt::format("  authentication: {}\n", seen.authentication);
  }
  return text;
}

std::string ProbesTable(const std::vector<DeviceProbe>& probes) {
  std::vector<std::vector<std::string>> rows{
      {"name", "state", "agent", "engines", "cpu", "authentication", "round trip"}};
  std::string problems;
  for (const DeviceProbe& probe : probes) {
    const DeviceSeen seen = probe.seen.value_or(DeviceSeen{});
    const char* state = probe.busy               ? "busy"
                        : !probe.reachable       ? "not reachable"
                        : !probe.problem.empty() ? "refuses"
                                                 : "ready";
    rows.push_back({probe.name, state, probe.seen && !probe.native ? "Kenning" : seen.agent,
                    Join(seen.engines), seen.cpu, seen.authentication,
                    probe.round_trip_ns > 0
                        ? fmt::format("{:.0f} us", static_cast<double>(probe.round_trip_ns) / 1e3)
                        : ""});
    if (!probe.problem.empty()) problems += fmt::format("{}: {}\n", probe.name, probe.problem);
  }
  return TextTable(rows, rows[0].size()) + problems;
}

std::string ProbesToJson(const std::vector<DeviceProbe>& probes) {
  using Json = nlohmann::ordered_json;
  Json list = Json::array();
  for (const DeviceProbe& probe : probes) {
    Json one = {{"name", probe.name}, {"reachable", probe.reachable}, {"busy", probe.busy}};
    if (!probe.problem.empty()) one["problem"] = probe.problem;
    if (probe.seen) {
      one["native"] = probe.native;
      one["agent"] = probe.seen->agent;
      one["engines"] = probe.seen->engines;
      one["cpu"] = probe.seen->cpu;
      one["authentication"] = probe.seen->authentication;
    }
    if (probe.round_trip_ns > 0) one["round_trip_ns"] = probe.round_trip_ns;
    list.push_back(std::move(one));
  }
  const Json root = {{"devices", std::move(list)}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kenning
