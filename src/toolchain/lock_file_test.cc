// SPDX-License-Identifier: Apache-2.0
#include "toolchain/lock_file.h"

#include <gtest/gtest.h>

namespace kenning {
namespace {

TEST(LockFileTest, ReadsPackagesContinuedLinesAndComments) {
  const auto packages = ParseLockFile(
      "# Closure of x.\n"
      "Foo_bar==1.2.3 --hash=sha256:aa --hash=sha256:bb  # both Pythons\n\n"
      "baz==2.0 \\\n    --hash=sha256:cc\n",
      "lock");
  ASSERT_TRUE(packages) << packages.error().ToString();
  ASSERT_EQ(packages->size(), 2U);
  EXPECT_EQ((*packages)[0].name, "Foo_bar");
  EXPECT_EQ((*packages)[0].version, "1.2.3");
  EXPECT_EQ((*packages)[1].line, "baz==2.0 --hash=sha256:cc");
}

TEST(LockFileTest, RefusesWhatIsNotLocked) {
  for (const char* text :
       {"", "foo\n", "foo>=1 --hash=sha256:aa\n", "foo==1.0\n", "==1 --hash=sha256:aa\n",
        "foo== --hash=sha256:aa\n", "a;b==1 --hash=sha256:aa\n", "-r other.txt\n"}) {
    const auto packages = ParseLockFile(text, "lock");
    ASSERT_FALSE(packages) << text;
    EXPECT_EQ(packages.error().code(), ErrorCode::kInvalidData);
  }
}

TEST(LockFileTest, NamesHaveOneSpelling) {
  EXPECT_EQ(NormalPackageName("Foo_.-Bar"), "foo-bar");
  EXPECT_EQ(NormalPackageName("tensorflow-cpu"), "tensorflow-cpu");
}

}  // namespace
}  // namespace kenning
