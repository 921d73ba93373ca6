// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/console_progress.h"
#include "cli/simple_options.h"
#include "kenning/base/log.h"
#include "kenning/base/strings.h"
#include "kenning/toolchain/toolchain.h"

namespace kenning {
namespace {

std::string Versions(const ToolchainInfo& info) {
  std::vector<std::string> parts;
  for (const auto& [package, version] : info.versions) {
    parts.push_back(fmt::format("{} {}", package, version));
  }
  return Join(parts);
}

std::string Costs(const ToolchainInfo& info) {
  return fmt::format("{} to download, {} on disk, about {:.0f} minutes",
                     HumanBytes(info.download_bytes), HumanBytes(info.disk_bytes),
                     std::max(1.0, info.minutes));
}

int PrintList(const std::vector<ToolchainInfo>& all) {
  for (const ToolchainInfo& info : all) {
    const bool installed = ToolchainInstalled(info);
    fmt::print("{:<12} {:<10} {}\n", info.name, installed ? "installed" : "absent", info.summary);
    fmt::print("{:<12} {:<10} {}\n", "", "", Versions(info));
    fmt::print("{:<12} {:<10} {}\n", "", "",
               installed ? ToolchainFolder(info).string() : Costs(info));
  }
  fmt::print("in {}\n", ToolchainRoot().string());
  return 0;
}

Result<int> Install(const std::vector<ToolchainInfo>& chosen, bool dry_run,
                    CommandContext& context) {
  ConsoleProgress progress = ConsoleProgress::ForStandardError();
  for (const ToolchainInfo& info : chosen) {
    if (ToolchainInstalled(info)) {
      fmt::print("{}: already installed in {}\n", info.name, ToolchainFolder(info).string());
      continue;
    }
    fmt::print("{}: {} ({})\n", info.name, Versions(info), Costs(info));
    std::fflush(stdout);
    if (dry_run) continue;
    KENNING_RETURN_IF_ERROR(InstallToolchain(info, progress, context.cancel),
                            "installing the toolchain " + info.name);
    fmt::print("{}: installed in {}\n", info.name, ToolchainFolder(info).string());
    std::fflush(stdout);
  }
  if (dry_run) fmt::print("Nothing was installed.\n");
  return 0;
}

Result<int> Remove(const std::vector<ToolchainInfo>& chosen) {
  for (const ToolchainInfo& info : chosen) {
    KENNING_ASSIGN_OR_RETURN(const std::uint64_t freed, RemoveToolchain(info));
    fmt::print("{}: {} freed\n", info.name, HumanBytes(freed));
  }
  return 0;
}

Result<int> Doctor(const std::vector<ToolchainInfo>& chosen, CommandContext& context) {
  int code = 0;
  for (const ToolchainInfo& info : chosen) {
    KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> findings,
                             CheckToolchain(info, context.cancel));
    if (findings.empty()) {
      fmt::print("{}: well ({})\n", info.name, Versions(info));
      continue;
    }
    code = 1;
    for (const std::string& finding : findings) fmt::print("{}: {}\n", info.name, finding);
  }
  return code;
}

}  // namespace

Result<int> ToolchainCommand(const Words& words, CommandContext& context) {
  CLI::App app(
      "Frameworks that exist only in Python, which some optimizers work with: each with locked "
      "versions in an environment of its own, outside kenning's process.",
      "kenning toolchain");
  std::string action = "list";
  std::vector<std::string> names;
  bool dry_run = false;
  app.add_option("action", action, "list, install, remove or doctor")
      ->check(CLI::IsMember({"list", "install", "remove", "doctor"}))
      ->capture_default_str();
  app.add_option("name", names, "Toolchains, or \"all\"; doctor takes those installed by default");
  app.add_flag("--dry-run", dry_run, "install: only say what would be installed");
  app.footer(
      "An install that was interrupted goes on where it stopped. The folder is\n"
      "$KENNING_TOOLCHAIN_DIR, else $XDG_DATA_HOME/kenning/toolchains, else\n"
      "~/.local/share/kenning/toolchains.\n\n"
      "Examples:\n"
      "  kenning toolchain list\n"
      "  kenning toolchain install tensorflow\n"
      "  kenning toolchain install all --dry-run\n"
      "  kenning toolchain doctor\n"
      "  kenning toolchain remove tensorflow");
  KENNING_ASSIGN_OR_RETURN(const std::optional<int> ended, ParseWith(app, words));
  if (ended) return *ended;
  KENNING_ASSIGN_OR_RETURN(const std::vector<ToolchainInfo> all, ListToolchains());
  if (action == "list") return PrintList(all);
  std::vector<ToolchainInfo> chosen;
  for (const std::string& name : names) {
    if (name == "all") {
      chosen = all;
      break;
    }
    KENNING_ASSIGN_OR_RETURN(ToolchainInfo info, FindToolchain(name));
    chosen.push_back(std::move(info));
  }
  if (names.empty() && action == "doctor") {
    for (const ToolchainInfo& info : all) {
      if (ToolchainInstalled(info)) chosen.push_back(info);
    }
    if (chosen.empty()) fmt::print("No toolchain is installed; see kenning toolchain list.\n");
  } else if (names.empty()) {
    std::vector<std::string> known = {"all"};
    for (const ToolchainInfo& info : all) known.push_back(info.name);
    return Fail(
        ErrorCode::kInvalidScenario,
        fmt::format("kenning toolchain {} needs a name; there are: {}", action, Join(known)));
  }
  if (action == "install") return Install(chosen, dry_run, context);
  if (action == "remove") return Remove(chosen);
  return Doctor(chosen, context);
}

}  // namespace kenning
