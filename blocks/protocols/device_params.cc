// SPDX-License-Identifier: Apache-2.0
#include "device_params.h"

#include <fmt/format.h>

#include "kenning/registry/params_from_text.h"
#include "transport/devices.h"

namespace kenning {
namespace {

/// A number without a fraction may stand for one with.
bool Fits(ParamType type, const ParamValue& value) {
  switch (type) {
    case ParamType::kBool:
      return std::holds_alternative<bool>(value);
    case ParamType::kInt:
      return std::holds_alternative<std::int64_t>(value);
    case ParamType::kFloat:
      return std::holds_alternative<double>(value);
    default:
      return std::holds_alternative<std::string>(value);
  }
}

ParamValue ValueFor(const ParamSpec& spec, const DeviceValue& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value);
      number != nullptr && spec.type == ParamType::kFloat) {
    return static_cast<double>(*number);
  }
  return std::visit([](const auto& one) { return ParamValue(one); }, value);
}

tl::unexpected<Error> Misfit(const Device& device, std::string_view what) {
  return Fail(ErrorCode::kInvalidData,
              fmt::format("{}: device \"{}\": {}", DevicesFile().string(), device.name, what));
}

}  // namespace

ParamSpec DeviceParam() {
  return {
      .name = "device",
      .type = ParamType::kString,
      .description = "A target known to `kenning devices`; its parameters replace the defaults.",
      .default_value = ParamValue{},
      .nullable = true};
}

Result<Params> WithDevice(const Params& params, const ParamSchema& schema,
                          std::string_view protocol) {
  if (!params.Has("device")) return params;
  KENNING_ASSIGN_OR_RETURN(const Device device, FindDevice(params.String("device")));
  const std::string type = device.protocol.substr(device.protocol.rfind('.') + 1);
  if (type != protocol) {
    return Misfit(device, fmt::format("it is reached by {}, not by {}; name that class in the "
                                      "protocol block",
                                      device.protocol, protocol));
  }
  auto values = params.values();
  const Params defaults = DefaultParams(schema);
  for (const auto& [name, value] : device.parameters) {
    const ParamSpec* spec = schema.Find(name);
    if (spec == nullptr || spec->name == "device") {
      return Misfit(device, fmt::format("{} has no parameter \"{}\"", protocol, name));
    }
    ParamValue ours = ValueFor(*spec, value);
    if (!Fits(spec->type, ours)) {
      return Misfit(device, fmt::format("{} must be of the type {}, not {}", name,
                                        ParamTypeName(spec->type), ToString(ours)));
    }
    if (const auto checked = CheckParamValue(*spec, ours); !checked) {
      return Misfit(device, checked.error().message());
    }
    const auto standard = defaults.values().find(spec->name);
    const auto given = values.find(spec->name);
    const bool is_default = given == values.end() || (standard != defaults.values().end() &&
                                                      given->second == standard->second);
    if (is_default) values[spec->name] = std::move(ours);
  }
  return Params(std::move(values));
}

}  // namespace kenning
