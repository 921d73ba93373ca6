// SPDX-License-Identifier: Apache-2.0
#include "kenning/registry/params_from_text.h"

#include <gtest/gtest.h>

namespace kenning {
namespace {

ParamSpec Spec(ParamType type) {
  ParamSpec spec;
  spec.name = "parameter";
  spec.type = type;
  return spec;
}

TEST(ParamFromTextTest, ReadsEachType) {
  EXPECT_EQ(ParamFromText(Spec(ParamType::kInt), "-7").value(), ParamValue{std::int64_t{-7}});
  EXPECT_EQ(ParamFromText(Spec(ParamType::kFloat), "0.25").value(), ParamValue{0.25});
  EXPECT_EQ(ParamFromText(Spec(ParamType::kBool), "").value(), ParamValue{true});
  EXPECT_EQ(ParamFromText(Spec(ParamType::kBool), "no").value(), ParamValue{false});
  EXPECT_EQ(ParamFromText(Spec(ParamType::kIntList), "1,2").value(),
            (ParamValue{std::vector<std::int64_t>{1, 2}}));
  EXPECT_EQ(ParamFromText(Spec(ParamType::kIntList), "[1, 2]").value(),
            (ParamValue{std::vector<std::int64_t>{1, 2}}));
  EXPECT_EQ(ParamFromText(Spec(ParamType::kStringList), "a,b").value(),
            (ParamValue{std::vector<std::string>{"a", "b"}}));
}

TEST(ParamFromTextTest, RefusesOtherTypes) {
  for (const char* text : {"", "x", "1.5", "7 "}) {
    EXPECT_FALSE(ParamFromText(Spec(ParamType::kInt), text)) << text;
  }
  EXPECT_FALSE(ParamFromText(Spec(ParamType::kBool), "maybe"));
  EXPECT_FALSE(ParamFromText(Spec(ParamType::kFloatList), "1,x"));
  EXPECT_FALSE(ParamFromText(Spec(ParamType::kFloat), "nan"));
  EXPECT_FALSE(ParamFromText(Spec(ParamType::kInt), "99999999999999999999"));
}

TEST(CheckParamValueTest, EnumsAndRangesNameTheRemedy) {
  ParamSpec choice = Spec(ParamType::kString);
  choice.allowed = {"minmax", "entropy"};
  const auto wrong = CheckParamValue(choice, ParamValue{std::string("minmx")});
  ASSERT_FALSE(wrong);
  EXPECT_NE(wrong.error().message().find("did you mean \"minmax\"?"), std::string::npos);
  ParamSpec range = Spec(ParamType::kInt);
  range.minimum = 1;
  EXPECT_FALSE(CheckParamValue(range, ParamValue{std::int64_t{0}}));
  EXPECT_TRUE(CheckParamValue(range, ParamValue{std::int64_t{1}}));
}

}  // namespace
}  // namespace kenning
