// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "report/svg_canvas.h"
#include "report/svg_plots.h"
#include "report/testing_record.h"
#include "report/text.h"

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(TicksTest, AreRound) {
  EXPECT_THAT(RoundTicks(0, 10, 5).at, ElementsAre(0, 2, 4, 6, 8, 10));
  EXPECT_THAT(RoundTicks(0, 1, 5).at.size(), 6U);
  EXPECT_EQ(RoundTicks(0, 1, 5).decimals, 1);
  EXPECT_EQ(RoundTicks(0, 0.001, 5).decimals, 4);
  EXPECT_THAT(RoundTicks(3, 3, 5).at, ElementsAre(3));
}

TEST(TextTest, FormatsWithUnits) {
  EXPECT_EQ(FormatSeconds(0.000021345), "21.3 µs");
  EXPECT_EQ(FormatSeconds(0.00512), "5.12 ms");
  EXPECT_EQ(FormatSeconds(2), "2.00 s");
  EXPECT_EQ(FormatSeconds(5e-8), "50 ns");
  EXPECT_EQ(FormatPercent(0.9312), "93.12 %");
  EXPECT_EQ(FormatPoints(-0.0011), "-0.11 pp");
}

TEST(TextTest, HostileNamesStayText) {
  EXPECT_EQ(EscapeMarkdown("a|b<script>`x`"), "a\\|b&lt;script&gt;\\`x\\`");
  EXPECT_EQ(EscapeXml("<a href=\"x\">&"), "&lt;a href=&quot;x&quot;&gt;&amp;");
  EXPECT_EQ(CodeBlock("```\nout", "sh"), "````sh\n```\nout\n````\n");
  EXPECT_EQ(Slug("../../etc/Passwd <x>"), "etc-passwd-x");
  EXPECT_EQ(Slug("///"), "report");
}

TEST(PlotsTest, AreWholeDocumentsAndDeterministic) {
  const RunRecord run = testing_record::MakeRun("run", 1.0);
  std::vector<double> seconds(20000, 1e-3);
  seconds[777] = 5e-3;
  for (const std::string& svg :
       {PlotLatencyOverTime({"run", seconds}), PlotLatencyHistogram({{"run", seconds}}),
        PlotCpu(run.log), PlotMemory(run.log), PlotConfusionMatrix(*run.evaluation)}) {
    EXPECT_TRUE(svg.starts_with("<svg xmlns="));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    EXPECT_THAT(svg, Not(HasSubstr("nan")));
    EXPECT_LT(svg.size(), 200'000U);
  }
  EXPECT_EQ(PlotCpu(run.log), PlotCpu(run.log));
}

TEST(PlotsTest, EmptyDataIsSaidNotDrawn) {
  EXPECT_THAT(PlotLatencyOverTime({}), HasSubstr("no data"));
  EXPECT_THAT(PlotLatencyHistogram({}), HasSubstr("no data"));
  EXPECT_THAT(PlotCpu({}), HasSubstr("no data"));
  EXPECT_TRUE(PlotConfusionMatrix({}).ends_with("</svg>\n"));
}

TEST(PlotsTest, AThousandClassesAreStillADocument) {
  ClassificationEvaluation e;
  e.class_names.assign(1000, "class");
  e.confusion.assign(1000, std::vector<std::uint64_t>(1000, 0));
  for (std::size_t i = 0; i < 1000; ++i) e.confusion[i][i] = 1;
  const std::string svg = PlotConfusionMatrix(e);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_LT(svg.size(), 200'000U);
}

}  // namespace
}  // namespace kenning
