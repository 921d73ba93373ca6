// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>

#include "cli/command_words.h"
#include "cli/commands.h"
#include "kenning/base/log.h"

namespace kenning {
namespace {

CancelToken g_cancel;

/// The first signal asks the work to stop and keep what it has; the second ends the process.
extern "C" void OnInterrupt(int signal) {
  if (g_cancel.cancelled()) ::_exit(128 + signal);
  g_cancel.Cancel();
}

void CatchSignals() {
  struct sigaction action {};
  action.sa_handler = OnInterrupt;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A closed pipe is an error of the write, not the death of the process.
  std::signal(SIGPIPE, SIG_IGN);
}

Result<int> Dispatch(const CommandWords& words, CommandContext& context) {
  using Command = Result<int> (*)(const Words&, CommandContext&);
  struct Entry {
    std::string_view name;
    Command run;
  };
  constexpr Entry kEntries[] = {{"list", ListCommand},
                                {"info", InfoCommand},
                                {"schema", SchemaCommand},
                                {"completion", CompletionCommand},
                                {"cache", CacheCommand},
                                {"toolchain", ToolchainCommand},
                                {"diff", DiffCommand},
                                {"explain", ExplainCommand},
                                {"server", ServerCommand},
                                {"inference_server", InferenceServerCommand},
                                {"json_inference_server", JsonInferenceServerCommand},
                                {"devices", DevicesCommand},
                                {"doctor", DoctorCommand},
                                {"__complete", CompleteCommand},
                                {"json_inference_tester", JsonInferenceTesterCommand},
                                {"inference_tester", InferenceTesterCommand}};
  for (const Entry& entry : kEntries) {
    if (words.subcommands[0] == entry.name) return entry.run(words.rest, context);
  }
  return PipelineCommand(words.subcommands, words.rest, context);
}

Result<int> Run(std::vector<std::string> command_line) {
  const std::vector<std::string> given(command_line.begin() + (command_line.empty() ? 0 : 1),
                                       command_line.end());
  KENNING_ASSIGN_OR_RETURN(const CommandWords words, SplitCommandWords(given));
  if (words.subcommands.empty()) {
    const std::string first = words.rest.empty() ? "--help" : words.rest[0];
    if (first == "--version") {
      fmt::print("kenning {}\n", KENNING_VERSION);
      return 0;
    }
    if (first != "-h" && first != "--help") {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} before any subcommand; see kenning --help", first));
    }
    fmt::print("{}", MainHelp());
    // Nothing asked for is not a success, though what to ask for is shown.
    return words.rest.empty() ? 2 : 0;
  }
  Registry registry;
  RegisterBuiltinBlocks(registry);
  RegisterKnownClasses(registry);
  CommandContext context{registry, g_cancel, std::move(command_line)};
  return Dispatch(words, context);
}

/// A full disk or closed pipe behind standard output must not look like success. Who closed the
/// pipe knows it (`kenning list | head -1`): nothing is said then.
int OutputLost(int reason) {
  if (reason == EPIPE) return 1;
  LogError("standard output cannot be written{}{}", reason == 0 ? "" : ": ",
           reason == 0 ? "" : std::generic_category().message(reason));
  return 1;
}

int Main(int argc, char** argv) {
  CatchSignals();
  const Result<int> code = Run({argv, argv + argc});
  errno = 0;
  const bool written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  const int reason = errno;
  if (!code) {
    LogError("{}", code.error().ToString());
    return ExitCodeFor(code.error().code());
  }
  return *code == 0 && !written ? OutputLost(reason) : *code;
}

}  // namespace
}  // namespace kenning

int main(int argc, char** argv) {
  try {
    return kenning::Main(argc, argv);
  } catch (const std::system_error& error) {
    // What fmt throws where a write fails before the last flush.
    if (std::ferror(stdout) != 0) return kenning::OutputLost(error.code().value());
    fmt::print(stderr, "error: unexpected: {}\n", error.what());
  } catch (const std::bad_alloc&) {
    std::fputs("error: out of memory\n", stderr);
  } catch (const std::exception& exception) {
    fmt::print(stderr, "error: unexpected: {}\n", exception.what());
  }
  return 1;
}
