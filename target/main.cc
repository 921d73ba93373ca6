// SPDX-License-Identifier: Apache-2.0
// kenning-agent: what runs on the device.
#include <fmt/format.h>

#include <cstdio>
#include <exception>

#include "agent_command.h"
#include "kenning/base/log.h"
#include "kenning/registry/registry.h"

int main(int argc, char** argv) {
  using namespace kenning;
  try {
    Registry registry;
    RegisterBuiltinBlocks(registry);
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const Result<int> code = target::AgentCommand(words, {}, registry);
    if (code) return std::fflush(stdout) == 0 ? *code : 1;
    LogError("{}", code.error().ToString());
    return ExitCodeFor(code.error().code());
  } catch (const std::exception& exception) {
    fmt::print(stderr, "error: unexpected: {}\n", exception.what());
  }
  return 1;
}
