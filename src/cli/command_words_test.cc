// SPDX-License-Identifier: Apache-2.0
#include "cli/command_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Result<CommandWords> Split(std::vector<std::string> words) { return SplitCommandWords(words); }

TEST(CommandWordsTest, ChainsEndAtTheFirstOption) {
  const auto words = Split({"optimize", "test", "report", "--cfg", "x.json"});
  ASSERT_TRUE(words) << words.error().ToString();
  EXPECT_THAT(words->subcommands, ElementsAre("optimize", "test", "report"));
  EXPECT_THAT(words->rest, ElementsAre("--cfg", "x.json"));
}

TEST(CommandWordsTest, OtherSubcommandsKeepTheirWords) {
  const auto words = Split({"info", "test"});
  ASSERT_TRUE(words);
  EXPECT_THAT(words->subcommands, ElementsAre("info"));
  EXPECT_THAT(words->rest, ElementsAre("test"));
}

TEST(CommandWordsTest, MistakesAreNamed) {
  const auto typo = Split({"optimise", "test"});
  ASSERT_FALSE(typo);
  EXPECT_EQ(typo.error().code(), ErrorCode::kInvalidScenario);
  EXPECT_THAT(typo.error().message(), HasSubstr("did you mean optimize?"));
  EXPECT_FALSE(Split({"test", "list"}));
  EXPECT_FALSE(Split({"test", "test"}));
  EXPECT_THAT(Split({"report", "one.json"}).error().message(),
              HasSubstr("give measurements with --measurements one.json"));
  EXPECT_THAT(Split({"optimize", "test", "some.yaml"}).error().message(),
              HasSubstr("give the scenario with --cfg some.yaml"));
  EXPECT_THAT(Split({"optimize", "tset"}).error().message(), HasSubstr("did you mean test?"));
  const auto flow = Split({"flow", "--cfg", "1"});
  ASSERT_FALSE(flow);
  EXPECT_EQ(flow.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(flow.error().message(), HasSubstr("known to Kenning, not available here, because"));
}

TEST(CommandWordsTest, HelpNamesEverySubcommand) {
  for (const SubcommandInfo& one : Subcommands()) {
    if (!one.summary.empty()) {
      EXPECT_THAT(MainHelp(), HasSubstr(std::string(one.name)));
    }
  }
}

}  // namespace
}  // namespace kenning
