// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kenning/base/file.h"
#include "report/testing_record.h"

namespace kenning {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing_record::MakeRun;

class ReportTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override {
    if (std::getenv("KENNING_KEEP_REPORTS") == nullptr) std::filesystem::remove_all(folder_);
  }
  std::string Render(const std::vector<RunRecord>& runs, ReportOptions options = {}) {
    options.report_path = folder_ / "report.md";
    const auto written = RenderMarkdownReport(runs, options);
    EXPECT_TRUE(written) << written.error().ToString();
    if (!written) return "";
    for (const auto& path : *written) EXPECT_TRUE(std::filesystem::exists(path)) << path;
    return ReadFile(options.report_path).value();
  }
  std::filesystem::path folder_;
};

TEST_F(ReportTest, OneRunHasEverySection) {
  const std::string text = Render({MakeRun("fp32", 1.0)});
  EXPECT_THAT(text, HasSubstr("# Report of fp32"));
  EXPECT_THAT(text, HasSubstr("| inferences | 1000 |"));
  EXPECT_THAT(text, HasSubstr("3 warm-up inferences"));
  EXPECT_THAT(text, HasSubstr("| p99 | "));
  EXPECT_THAT(text, HasSubstr("needs 2688 more samples"));
  EXPECT_THAT(text, HasSubstr("| Accuracy | 90.00 % ["));
  EXPECT_THAT(text, HasSubstr("7-bit weights in 2 of 9 layers"));
  EXPECT_THAT(text, HasSubstr("| shirt | 334 |"));
  EXPECT_THAT(text, HasSubstr("(<report_img/report_confusion_matrix.svg>)"));
  EXPECT_THAT(text, HasSubstr("| resident memory of the process |  | 50.0 MB |"));
  EXPECT_THAT(text, HasSubstr("conv0"));
  EXPECT_THAT(text, Not(HasSubstr("incomplete")));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
}

TEST_F(ReportTest, EnergyAndThrottlingAreToldWithTheirSource) {
  RunRecord run = MakeRun("fp32", 1.0);
  testing_record::AddSensors(run);
  const std::string text = Render({run});
  EXPECT_THAT(text, HasSubstr("| frequency, mean over cores | 2800.0 MHz |"));
  EXPECT_THAT(text, HasSubstr("| package-0 | 20."));
  EXPECT_THAT(text, HasSubstr("powercap, a counter |"));
  EXPECT_THAT(text, HasSubstr("throttled 2 times during the run"));
  EXPECT_THAT(text, HasSubstr("- dram (energy): no permission to read it"));
}

TEST_F(ReportTest, AnInterruptedRunSaysSoFirst) {
  RunRecord run = MakeRun("fp32", 1.0, 50);
  run.log.complete = false;
  EXPECT_THAT(Render({run}), HasSubstr("**This run is incomplete:** it was interrupted after 50"));
}

TEST_F(ReportTest, NonFiniteOutputsAreCounted) {
  RunRecord run = MakeRun("fp32", 1.0, 50);
  run.evaluation->non_finite_samples = 4;
  EXPECT_THAT(Render({run}), HasSubstr("NaN or infinite outputs (counted as wrong) | 4 |"));
}

TEST_F(ReportTest, ComparisonResolvesWhatIsThere) {
  const std::string text =
      Render({MakeRun("fp32", 1.0), MakeRun("int8", 0.5, 1000, 7), MakeRun("same", 1.0)});
  EXPECT_THAT(text, HasSubstr("| int8 | 2.00x"));
  EXPECT_THAT(text, HasSubstr("4.00x (100.0 kB)"));
  EXPECT_THAT(text, HasSubstr("| What differs | fp32 | int8 | same |"));
  const std::string table = ComparisonTable(std::vector<RunRecord>{
      MakeRun("fp32", 1.0), MakeRun("int8", 0.5, 1000, 7), MakeRun("same", 1.0)});
  EXPECT_THAT(table, HasSubstr("1.00x [0.99x, 1.01x], not resolved"));
  EXPECT_THAT(table, HasSubstr("90.00 % (+0.00 pp"));
  EXPECT_THAT(table, HasSubstr("not resolved, p=1"));
  EXPECT_THAT(table, HasSubstr("p=2.9e-39"));
}

TEST_F(ReportTest, UnlikeRunsAreWarnedAbout) {
  RunRecord other = MakeRun("other", 1.0, 500);
  other.environment.platform.cpu_model = "Another CPU";
  other.dataset_name = "Else";
  other.batch_size = 8;
  other.log.complete = false;
  const std::string table = ComparisonTable(std::vector<RunRecord>{MakeRun("fp32", 1.0), other});
  EXPECT_THAT(table, HasSubstr("another CPU"));
  EXPECT_THAT(table, HasSubstr("used the dataset Else"));
  EXPECT_THAT(table, HasSubstr("batches of 8"));
  EXPECT_THAT(table, HasSubstr("evaluated other samples"));
  EXPECT_THAT(table, HasSubstr("is incomplete"));
}

TEST_F(ReportTest, RunsInOtherBatchesAreComparedPerSample) {
  RunRecord batches = MakeRun("batches", 8.0);
  batches.batch_size = 16;
  for (Observation& o : batches.log.observations) o.sample_count = 16;
  const std::vector<RunRecord> runs = {MakeRun("one", 1.0), batches};
  const std::string table = ComparisonTable(runs);
  EXPECT_THAT(table, HasSubstr("speed boost per sample"));
  EXPECT_THAT(table, HasSubstr("2.00x"));
  EXPECT_THAT(table, HasSubstr("batches of 16"));
  const std::string text = Render(runs);
  EXPECT_THAT(text, HasSubstr("| batches | 2.00x"));
  EXPECT_THAT(text, HasSubstr("median inference times per sample"));
  EXPECT_THAT(ComparisonTable(std::vector<RunRecord>{runs[0], runs[0]}),
              Not(HasSubstr("per sample")));
}

TEST_F(ReportTest, OnlyTheTypesAskedForAreShown) {
  const std::vector<RunRecord> runs = {MakeRun("fp32", 1.0), MakeRun("int8", 0.5)};
  const ReportTypes performance{true, false};
  EXPECT_THAT(RunSummary(runs[0], performance), Not(HasSubstr("accuracy")));
  EXPECT_THAT(RunSummary(runs[0], performance), HasSubstr("inference median"));
  EXPECT_THAT(ComparisonTable(runs, performance), Not(HasSubstr("accuracy")));
  EXPECT_THAT(ComparisonTable(runs, performance), HasSubstr("speed boost"));
  const ReportTypes classification{false, true};
  EXPECT_THAT(RunSummary(runs[0], classification), HasSubstr("accuracy"));
  EXPECT_THAT(RunSummary(runs[0], classification), Not(HasSubstr("inference median")));
  EXPECT_THAT(ComparisonTable(runs, classification), Not(HasSubstr("speed boost")));
  ReportOptions options;
  options.report_types = {"performance"};
  EXPECT_THAT(Render(runs, options), Not(HasSubstr("Accuracy")));
}

TEST_F(ReportTest, HostileNamesDoNotBecomeMarkup) {
  RunRecord run = MakeRun("a|b <script>alert(1)</script>", 1.0, 50);
  run.evaluation->class_names[0] = "x | <img src=y onerror=z> | `";
  run.command = {"```", "</details><script>"};
  const std::string text = Render({run, MakeRun("b", 1.0, 50)});
  const std::size_t code = text.find("````");
  ASSERT_NE(code, std::string::npos);
  EXPECT_THAT(text.substr(0, code), Not(HasSubstr("<script>")));
  EXPECT_THAT(text, Not(HasSubstr("<img src")));
}

TEST_F(ReportTest, UnknownTypesAndUnwritablePlacesAreErrors) {
  ReportOptions options;
  options.report_path = folder_ / "report.md";
  options.report_types = {"performance", "detection"};
  const std::vector<RunRecord> runs = {MakeRun("fp32", 1.0, 20)};
  EXPECT_EQ(RenderMarkdownReport(runs, options).error().code(), ErrorCode::kInvalidScenario);
  options.report_types = {};
  options.report_path = "/proc/none/report.md";
  EXPECT_FALSE(RenderMarkdownReport(runs, options));
  EXPECT_FALSE(RenderMarkdownReport({}, options));
}

TEST_F(ReportTest, TheSameRunsGiveTheSameBytes) {
  const std::vector<RunRecord> runs = {MakeRun("fp32", 1.0), MakeRun("int8", 0.5)};
  const std::string first = Render(runs);
  EXPECT_EQ(Render(runs), first);
}

}  // namespace
}  // namespace kenning
