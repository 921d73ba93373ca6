// SPDX-License-Identifier: Apache-2.0
#include "app/numpy_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace kenning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string File(std::string header, std::string_view data) {
  header.resize(118, ' ');
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size());
  bytes += '\0';
  return bytes + header + std::string(data);
}

TEST(NumpyFileTest, ReadsIntegersAndFloats) {
  const auto bytes = ParseNumpy(File("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }",
                                     std::string_view("\x01\x02\x03\x04\x05\xff", 6)),
                                "x.npy");
  ASSERT_TRUE(bytes) << bytes.error().ToString();
  EXPECT_THAT(bytes->shape, ElementsAre(2, 3));
  EXPECT_THAT(bytes->values, ElementsAre(1, 2, 3, 4, 5, 255));
  const auto floats = ParseNumpy(File("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }",
                                      std::string_view("\x00\x00\xc0\x3f", 4)),
                                 "x.npy");
  ASSERT_TRUE(floats);
  EXPECT_THAT(floats->values, ElementsAre(1.5F));
}

TEST(NumpyFileTest, BrokenFilesAreNamed) {
  const std::string good = "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }";
  for (const std::string& text :
       {std::string(), std::string("\x93NUMPY"), std::string(300, '\xff'), File("{}", ""),
        File(good, "x"), File("{'descr': '<c8', 'fortran_order': False, 'shape': (0,), }", ""),
        File("{'descr': '|u1', 'fortran_order': True, 'shape': (1,), }", "x"),
        File("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }", "x"),
        File("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
             "")}) {
    const auto array = ParseNumpy(text, "x.npy");
    ASSERT_FALSE(array) << text;
    EXPECT_EQ(array.error().code(), ErrorCode::kInvalidData);
    EXPECT_THAT(array.error().ToString(), HasSubstr("x.npy"));
  }
}

}  // namespace
}  // namespace kenning
