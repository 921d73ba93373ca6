// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/simple_options.h"
#include "kenning/base/file.h"
#include "scenario/scenario.h"

namespace kenning {

Result<int> SchemaCommand(const Words& words, CommandContext& context) {
  CLI::App app("The JSON Schema of scenario files, for editors.", "kenning schema");
  std::string output;
  app.add_option("-o,--output", output, "File; by default standard output")->type_name("FILE");
  app.footer("Example:\n  kenning schema -o kenning.schema.json");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  const std::string text = ScenarioJsonSchema(context.registry) + "\n";
  if (output.empty()) {
    fmt::print("{}", text);
    return 0;
  }
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(output, text));
  return 0;
}

}  // namespace kenning
