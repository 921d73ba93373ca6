// SPDX-License-Identifier: Apache-2.0
#include "cli/load_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace kenning {
namespace {

using testing::HasSubstr;

Result<std::optional<LoadSettings>> Parse(std::vector<std::string> words) {
  CLI::App app;
  LoadFlags flags;
  flags.AddTo(app);
  std::ranges::reverse(words);
  app.parse(std::move(words));
  return flags.Collect();
}

TEST(LoadOptionsTest, TimesWithUnits) {
  EXPECT_EQ(ParseSeconds("10"), 10);
  EXPECT_EQ(ParseSeconds("1.5s"), 1.5);
  EXPECT_EQ(ParseSeconds("10ms"), 0.01);
  EXPECT_EQ(ParseSeconds("250us"), 250e-6);
  EXPECT_EQ(ParseSeconds("2min"), 120);
  for (const char* text : {"", "ms", "10 ms", "-1s", "nan", "1h", "1e99s"}) {
    EXPECT_FALSE(ParseSeconds(text)) << text;
  }
}

TEST(LoadOptionsTest, AllOfThem) {
  auto parsed =
      Parse({"--load-pattern",       "server", "--load-rate",    "120.5", "--latency-bound", "10ms",
             "--latency-percentile", "99.9",   "--min-duration", "2s",    "--max-duration",  "1min",
             "--min-queries",        "100",    "--max-queries",  "200",   "--streams",       "3",
             "--samples-per-query",  "4",      "--seed",         "9"});
  ASSERT_TRUE(parsed) << parsed.error().ToString();
  LoadSettings expected;
  expected.pattern = LoadPattern::kServer;
  expected.rate_qps = 120.5;
  expected.latency_bound_ns = 10'000'000;
  expected.percentile = 0.999;
  expected.min_duration_s = 2;
  expected.max_duration_s = 60;
  expected.min_queries = 100;
  expected.max_queries = 200;
  expected.streams = 3;
  expected.samples_per_query = 4;
  expected.seed = 9;
  EXPECT_NEAR((*parsed)->percentile, 0.999, 1e-12);
  (*parsed)->percentile = 0.999;
  EXPECT_EQ(**parsed, expected);
}

TEST(LoadOptionsTest, DefaultsAndMistakes) {
  EXPECT_FALSE(Parse({})->has_value());
  EXPECT_EQ((*Parse({"--load-pattern", "single-stream"}))->percentile, 0.9);
  EXPECT_EQ((*Parse({"--load-pattern", "offline", "--min-duration", "20min"}))->max_duration_s,
            1200);
  EXPECT_THAT(Parse({"--streams", "2"}).error().message(),
              HasSubstr("--streams needs --load-pattern"));
  EXPECT_THAT(Parse({"--load-pattern", "server"}).error().message(), HasSubstr("needs a rate"));
  EXPECT_FALSE(Parse({"--load-pattern", "offline", "--min-duration", "x"}));
  EXPECT_FALSE(Parse({"--load-pattern", "offline", "--samples-per-query", "0"}));
}

}  // namespace
}  // namespace kenning
