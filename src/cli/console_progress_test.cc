// SPDX-License-Identifier: Apache-2.0
#include "cli/console_progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

namespace kenning {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// What the sink wrote.
std::string Written(bool terminal, int columns, std::chrono::milliseconds pause) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* out = open_memstream(&text, &size);
  {
    ConsoleProgress progress(out, terminal, columns);
    progress.Begin("test", 200, "samples");
    for (std::uint64_t done = 50; done <= 200; done += 50) {
      std::this_thread::sleep_for(pause);
      progress.Update(done);
    }
    progress.End();
  }
  std::fclose(out);
  std::string written(text, size);
  std::free(text);
  return written;
}

TEST(ConsoleProgressTest, ATerminalShowsBarRateAndTimeLeft) {
  const std::string written = Written(true, 120, std::chrono::milliseconds(110));
  EXPECT_THAT(written, HasSubstr("["));
  EXPECT_THAT(written, HasSubstr("50/200 samples"));
  EXPECT_THAT(written, HasSubstr("/s"));
  EXPECT_THAT(written, HasSubstr("left"));
}

TEST(ConsoleProgressTest, AFileGetsPlainLinesOnly) {
  const std::string written = Written(false, 80, std::chrono::milliseconds(260));
  EXPECT_THAT(written, Not(HasSubstr("\r")));
  EXPECT_THAT(written, Not(HasSubstr("\x1b")));
  EXPECT_THAT(written, HasSubstr("test: 200/200 samples"));
}

TEST(ConsoleProgressTest, AShortStageInAFileIsSilent) {
  EXPECT_THAT(Written(false, 80, std::chrono::milliseconds(0)), IsEmpty());
}

TEST(ConsoleProgressTest, ANarrowTerminalIsNotOverflown) {
  const std::string written = Written(true, 20, std::chrono::milliseconds(110));
  EXPECT_THAT(written, Not(HasSubstr("[#")));
}

}  // namespace
}  // namespace kenning
