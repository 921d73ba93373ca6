// SPDX-License-Identifier: Apache-2.0
// Measurement files that are cut, changed or made to harm: an error that names the file, or a
// record that can be written and reported; never a crash.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "kenning/base/file.h"
#include "report/report.h"
#include "report/run_record_io.h"
#include "sample_record.h"

namespace kenning {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// Read, and whatever is accepted used as a report would.
void ReadAndUse(const std::string& text) {
  const Result<RunRecord> read = RunRecordFromJson(text, "hostile.json");
  if (!read) {
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData) << read.error().ToString();
    EXPECT_THAT(read.error().ToString(), HasSubstr("hostile.json"));
    return;
  }
  const std::vector<RunRecord> runs = {MakeSampleRecord(40), *read};
  EXPECT_FALSE(ComparisonTable(runs).empty());
  EXPECT_FALSE(RunRecordToJson(*read).empty());
}

TEST(HostileFileTest, TruncatedAnywhere) {
  const std::string text = RunRecordToJson(MakeSampleRecord(4));
  for (std::size_t size = 0; size + 2 < text.size(); size += 13) {
    const Result<RunRecord> read = RunRecordFromJson(text.substr(0, size), "cut.json");
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(read.error().ToString(), HasSubstr("cut.json"));
  }
}

/// Every value of the file, as JSON pointers, arrays by their first element only.
void Pointers(const json& value, const std::string& prefix, std::vector<std::string>& out) {
  out.push_back(prefix);
  if (value.is_object()) {
    for (const auto& [key, item] : value.items()) Pointers(item, prefix + "/" + key, out);
  } else if (value.is_array() && !value.empty()) {
    Pointers(value[0], prefix + "/0", out);
  }
}

std::vector<json> WrongValues() {
  return {json(nullptr),
          json("text"),
          json(-1),
          json(1e300),
          json(-9'223'372'036'854'775'807LL - 1),
          json(18'446'744'073'709'551'615ULL),
          json(4'000'000'000U),
          json(0.5),
          json(true),
          json::array(),
          json::array({json::array({1})}),
          json::object(),
          json::object({{"name", 1}})};
}

TEST(HostileFileTest, EveryValueOfOursReplaced) {
  const json whole = json::parse(RunRecordToJson(MakeSampleRecord(3)));
  std::vector<std::string> pointers;
  Pointers(whole.at("kenning_cpp"), "/kenning_cpp", pointers);
  ASSERT_GT(pointers.size(), 80U);
  for (const std::string& pointer : pointers) {
    for (const json& wrong : WrongValues()) {
      json changed = whole;
      changed[json::json_pointer(pointer)] = wrong;
      SCOPED_TRACE(pointer + " = " + wrong.dump());
      ReadAndUse(changed.dump());
    }
  }
}

TEST(HostileFileTest, EveryValueOfKenningsReplaced) {
  const Result<std::string> text = ReadFile(std::filesystem::path(KENNING_SOURCE_DIR) /
                                            "tests/compat/testdata/kenning_local.json");
  ASSERT_TRUE(text);
  const json whole = json::parse(*text);
  std::vector<std::string> pointers;
  Pointers(whole, "", pointers);
  for (const std::string& pointer : pointers) {
    for (const json& wrong : WrongValues()) {
      json changed = whole;
      changed[json::json_pointer(pointer)] = wrong;
      SCOPED_TRACE(pointer + " = " + wrong.dump());
      ReadAndUse(changed.dump());
    }
  }
}

TEST(HostileFileTest, MissingKeysAreNamed) {
  const json whole = json::parse(RunRecordToJson(MakeSampleRecord(3)));
  for (const auto& [key, value] : whole.at("kenning_cpp").items()) {
    json changed = whole;
    changed["kenning_cpp"].erase(key);
    const Result<RunRecord> read = RunRecordFromJson(changed.dump(), "hostile.json");
    if (read) continue;
    EXPECT_THAT(read.error().ToString(), HasSubstr(key));
    EXPECT_THAT(read.error().ToString(), HasSubstr("hostile.json"));
  }
}

TEST(HostileFileTest, AWrongTypeIsNamedByItsPath) {
  json whole = json::parse(RunRecordToJson(MakeSampleRecord(3)));
  whole["kenning_cpp"]["environment"]["platform"]["cpu_model"] = 3;
  const Result<RunRecord> read = RunRecordFromJson(whole.dump(), "hostile.json");
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().ToString(), HasSubstr("cpu_model"));
}

TEST(HostileFileTest, ANewerFormatAsksForAnUpdate) {
  json whole = json::parse(RunRecordToJson(MakeSampleRecord(3)));
  whole["kenning_cpp"]["format_version"] = 2;
  const Result<RunRecord> read = RunRecordFromJson(whole.dump(), "newer.json");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData);
  EXPECT_THAT(read.error().ToString(), HasSubstr("newer.json"));
  EXPECT_THAT(read.error().ToString(), HasSubstr("version 2"));
}

TEST(HostileFileTest, NestingWithoutEnd) {
  constexpr std::size_t kDepth = 1'000'000;
  const std::string nested = std::string(kDepth, '[') + std::string(kDepth, ']');
  ReadAndUse(nested);
  ReadAndUse(std::string(kDepth, '['));
  ReadAndUse(R"({"build_cfg":)" + nested + R"(,"target_inference_step":[1e-3]})");
  RunRecord record = MakeSampleRecord(3);
  record.scenario_json = R"({"dataset":)" + nested + "}";
  ReadAndUse(RunRecordToJson(record));
}

TEST(HostileFileTest, BytesChangedAtRandom) {
  const std::string text = RunRecordToJson(MakeSampleRecord(2));
  std::mt19937 generator(20260131);
  for (int round = 0; round < 400; ++round) {
    std::string changed = text;
    for (int i = 0; i < 3; ++i) {
      changed[generator() % changed.size()] = static_cast<char>(generator() % 256);
    }
    ReadAndUse(changed);
  }
}

TEST(HostileFileTest, OtherFilesAreRecognisedAsSuch) {
  for (const char* text : {"", "{}", "[]", "null", "3", "<html></html>",
                           "\x7f"
                           "ELF",
                           R"({"dataset": {"type": "X"}})"}) {
    const Result<RunRecord> read = RunRecordFromJson(text, "other.json");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), ErrorCode::kInvalidData) << text;
    EXPECT_THAT(read.error().ToString(), HasSubstr("other.json"));
  }
}

}  // namespace
}  // namespace kenning
