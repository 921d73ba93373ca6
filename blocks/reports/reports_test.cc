// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "kenning/registry/registry.h"

namespace kenning {

void RegisterReports(Registry& registry);

namespace {

class ReportsTest : public testing::Test {
 protected:
  void SetUp() override {
    RegisterReports(registry_);
    RegisterKnownClasses(registry_);
  }
  Registry registry_;
};

TEST_F(ReportsTest, KenningsNamesAreFound) {
  for (const char* name : {"MarkdownReport", "kenning.report.markdown_report.MarkdownReport",
                           "kenning.core.report.MarkdownReport"}) {
    const auto found = registry_.Find(BlockCategory::kReport, name);
    ASSERT_TRUE(found) << found.error().ToString();
    EXPECT_EQ((*found)->name, "MarkdownReport");
  }
}

TEST_F(ReportsTest, TheClassIsNotListedAsMissing) {
  for (const KnownClass& known : registry_.known()) {
    EXPECT_EQ(known.dotted_path.find("MarkdownReport"), std::string::npos) << known.dotted_path;
  }
  EXPECT_EQ(registry_.Find(BlockCategory::kReport, "StubReport").error().code(),
            ErrorCode::kUnavailable);
}

TEST_F(ReportsTest, EveryParameterMayBeLeftOut) {
  const BlockInfo& report = **registry_.Find(BlockCategory::kReport, "MarkdownReport");
  for (const ParamSpec& param : report.schema.params) {
    EXPECT_FALSE(param.required) << param.name;
    EXPECT_TRUE(param.default_value) << param.name;
    // It would be ambiguous beside an optimizer's.
    EXPECT_NE(FlagFor(param), "--compiled-model-path");
  }
  EXPECT_NE(report.schema.Find("report_path"), nullptr);
}

}  // namespace
}  // namespace kenning
