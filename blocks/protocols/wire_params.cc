// SPDX-License-Identifier: Apache-2.0
#include "wire_params.h"

#include "transport/secret_file.h"

namespace kenning {

ParamSchema WireParams(bool error_recovery, std::int64_t max_message_size) {
  return {{
      {.name = "error_recovery",
       .type = ParamType::kBool,
       .description = "Kenning's checksum is sent and checked.",
       .default_value = ParamValue{error_recovery}},
      {.name = "timeout",
       .type = ParamType::kFloat,
       .description = "Seconds to wait for one answer; 0 or less: a limit by the kind of request.",
       .default_value = ParamValue{-1.0}},
      {.name = "max_message_size",
       .type = ParamType::kInt,
       .description = "Bytes of one message of Kenning's protocol; longer ones are split.",
       .default_value = ParamValue{max_message_size},
       .minimum = 64,
       .maximum = 1e9},
      {.name = "native",
       .type = ParamType::kString,
       .description = "The fast protocol between kenning's own host and agent: used where the "
                      "other side has it (auto), never (off), or required (on).",
       .default_value = ParamValue{std::string("auto")},
       .allowed = {"auto", "off", "on"}},
      {.name = "token_file",
       .type = ParamType::kPath,
       .description = "File with the secret that host and agent share; readable by its owner "
                      "alone.",
       .default_value = ParamValue{},
       .nullable = true},
  }};
}

Result<WireSettings> WireSettingsFrom(const Params& params, WireDialect dialect) {
  WireSettings settings;
  settings.dialect = dialect;
  settings.error_recovery = params.Bool("error_recovery");
  settings.max_message_size = static_cast<std::uint32_t>(params.Int("max_message_size"));
  if (params.Float("timeout") > 0) settings.timeout_s = params.Float("timeout");
  const std::string& native = params.String("native");
  if (native == "on") settings.native = NativeMode::kOn;
  if (native == "off") settings.native = NativeMode::kOff;
  if (params.Has("token_file")) {
    KENNING_ASSIGN_OR_RETURN(settings.token, ReadSecretFile(params.String("token_file")),
                             "reading the parameter token_file");
    if (settings.native == NativeMode::kOff) {
      return Fail(ErrorCode::kInvalidArgument,
                  "token_file needs the native mode, as Kenning's protocol knows no secrets; drop "
                  "native: off, or token_file");
    }
  }
  return settings;
}

}  // namespace kenning
