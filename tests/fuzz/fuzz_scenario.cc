// SPDX-License-Identifier: Apache-2.0
// Scenario files: any bytes give a scenario or an error, as JSON and as YAML.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "kenning/registry/registry.h"
#include "scenario/scenario.h"

namespace {

const kenning::Registry& BuiltinRegistry() {
  static const auto* const registry = [] {
    auto* made = new kenning::Registry;
    kenning::RegisterBuiltinBlocks(*made);
    kenning::RegisterKnownClasses(*made);
    return made;
  }();
  return *registry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"fuzz.json", "fuzz.yaml"}) {
    const auto scenario = kenning::ParseScenario(text, name, BuiltinRegistry());
    if (scenario) continue;
    // An error that says nothing is as bad as a crash.
    KENNING_CHECK(!scenario.error().message().empty());
  }
  return 0;
}
