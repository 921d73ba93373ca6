// SPDX-License-Identifier: Apache-2.0
// Measurements files: any bytes give a record or an error, and what was read can be written and
// read again.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kenning/base/check.h"
#include "report/run_record_io.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto record = kenning::RunRecordFromJson(text, "fuzz.json");
  if (!record) {
    KENNING_CHECK(!record.error().message().empty());
    return 0;
  }
  const std::string written = kenning::RunRecordToJson(*record);
  KENNING_CHECK(kenning::RunRecordFromJson(written, "again.json").has_value());
  return 0;
}
