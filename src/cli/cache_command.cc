// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/simple_options.h"
#include "kenning/base/strings.h"
#include "resource/resource.h"

namespace kenning {

Result<int> CacheCommand(const Words& words, CommandContext& /*context*/) {
  CLI::App app("Downloaded models and data sets.", "kenning cache");
  std::string action = "list";
  app.add_option("action", action, "list, clear or path")
      ->check(CLI::IsMember({"list", "clear", "path"}))
      ->capture_default_str();
  app.footer(
      "The folder is $KENNING_CACHE_DIR, else $XDG_CACHE_HOME/kenning, else ~/.cache/kenning.\n\n"
      "Examples:\n  kenning cache list\n  kenning cache clear");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  if (action == "path") {
    fmt::print("{}\n", CacheDir().string());
    return 0;
  }
  if (action == "clear") {
    KENNING_ASSIGN_OR_RETURN(const std::uint64_t freed, ClearCache());
    fmt::print("{} freed in {}\n", HumanBytes(freed), CacheDir().string());
    return 0;
  }
  std::uint64_t total = 0;
  for (const CacheEntry& entry : ListCache()) {
    fmt::print("{:>10}  {}\n", HumanBytes(entry.size_bytes), entry.path.string());
    total += entry.size_bytes;
  }
  fmt::print("{:>10}  in {}\n", HumanBytes(total), CacheDir().string());
  return 0;
}

}  // namespace kenning
