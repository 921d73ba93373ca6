// SPDX-License-Identifier: Apache-2.0
#include "toolchain/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/toolchain/worker.h"

namespace kenning {
namespace {

class ProcessTest : public testing::Test {
 protected:
  ProcessOptions Shell(const std::string& script) const {
    ProcessOptions options;
    options.argv = {"/bin/sh", "-c", script};
    options.environment = PythonEnvironment({"EXTRA=1"});
    options.folder = scratch_.path();
    options.log = scratch_.path() / "log";
    return options;
  }
  ScratchFolder scratch_ = ScratchFolder::Create().value();
  CancelToken cancel_;
};

TEST_F(ProcessTest, GivesExitCodeLogAndProgress) {
  ProcessOptions options =
      Shell("echo out; echo err >&2; eval \"echo one >&$KENNING_PROGRESS_FD\"; pwd; exit 7");
  std::vector<std::string> lines;
  options.on_progress = [&lines](std::string_view line) { lines.emplace_back(line); };
  const ProcessResult result = RunProcess(options, cancel_).value();
  EXPECT_EQ(result.end, ProcessEnd::kExited);
  EXPECT_EQ(result.code, 7);
  EXPECT_EQ(lines, std::vector<std::string>{"one"});
  const std::string log = ReadFile(options.log).value();
  EXPECT_NE(log.find("out\nerr\n"), std::string::npos) << log;
  EXPECT_EQ(LogTail(options.log, 1), std::filesystem::canonical(scratch_.path()).string());
}

TEST_F(ProcessTest, NamesTheSignal) {
  const ProcessResult result = RunProcess(Shell("kill -SEGV $$"), cancel_).value();
  EXPECT_EQ(result.end, ProcessEnd::kSignalled);
  EXPECT_EQ(result.code, SIGSEGV);
}

TEST_F(ProcessTest, EndsWhatHangsWithAllThatItStarted) {
  ProcessOptions options = Shell("sleep 60 & echo $!; wait");
  options.time_limit_s = 0.5;
  const std::int64_t begun_ns = MonotonicNowNs();
  EXPECT_EQ(RunProcess(options, cancel_)->end, ProcessEnd::kTimedOut);
  EXPECT_LT(MonotonicNowNs() - begun_ns, 10'000'000'000);
  const pid_t grandchild = std::stoi(ReadFile(options.log).value());
  for (int i = 0; i < 100 && ::kill(grandchild, 0) == 0; ++i) ::usleep(20'000);
  // Dead, or a zombie that no longer runs.
  const auto status = ReadFile("/proc/" + std::to_string(grandchild) + "/stat");
  EXPECT_TRUE(!status || status->find(") Z") != std::string::npos);
}

TEST_F(ProcessTest, EndsWhatEatsMemory) {
  ProcessOptions options = Shell("head -c 400000000 /dev/zero | tail -c 300000000 | sleep 30");
  options.memory_limit_bytes = 100'000'000;
  const ProcessResult result = RunProcess(options, cancel_).value();
  EXPECT_EQ(result.end, ProcessEnd::kOutOfMemory);
  EXPECT_GT(result.peak_resident_bytes, 100'000'000U);
}

TEST_F(ProcessTest, StopsWhenAsked) {
  std::thread asker([this] {
    ::usleep(200'000);
    cancel_.Cancel();
  });
  EXPECT_EQ(RunProcess(Shell("sleep 60"), cancel_)->end, ProcessEnd::kCancelled);
  asker.join();
}

TEST_F(ProcessTest, MissingProgramIsNotFound) {
  ProcessOptions options = Shell("");
  options.argv = {"/no/such/program"};
  const auto result = RunProcess(options, cancel_);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
}

TEST_F(ProcessTest, LeadsNoPythonAstray) {
  ::setenv("PYTHONPATH", "/somewhere", 1);
  for (const std::string& entry : PythonEnvironment({})) {
    EXPECT_FALSE(entry.starts_with("PYTHONPATH=")) << entry;
  }
  ::unsetenv("PYTHONPATH");
}

}  // namespace
}  // namespace kenning
