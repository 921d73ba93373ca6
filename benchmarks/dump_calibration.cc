// SPDX-License-Identifier: Apache-2.0
// Writes the calibration samples of a scenario, preprocessed as the quantiser sees them, to a .npy
// file (float32, samples first), so that another tool can be calibrated with the same data:
//   dump_calibration SCENARIO OUT.npy [LIMIT]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "app/app.h"
#include "app/calibration.h"
#include "app/make_blocks.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

/// Header of NumPy's format 1.0, padded to 64 bytes.
std::string NpyHeader(const Shape& shape) {
  std::string dims;
  for (const std::int64_t dim : shape) dims += fmt::format("{}, ", dim);
  std::string text =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}), }}", dims);
  while ((10 + text.size() + 1) % 64 != 0) text += ' ';
  text += '\n';
  std::string header = "\x93NUMPY";
  header += '\x01';
  header += '\0';
  header += static_cast<char>(text.size() & 0xFF);
  header += static_cast<char>(text.size() >> 8U);
  return header + text;
}

Result<> Dump(const std::string& scenario_path, const std::string& output, std::size_t limit) {
  Registry registry;
  RegisterBuiltinBlocks(registry);
  NullProgress progress;
  const CancelToken cancel;
  AppContext context{registry, progress, cancel};
  KENNING_ASSIGN_OR_RETURN(Scenario scenario, LoadScenario(scenario_path, registry));
  KENNING_ASSIGN_OR_RETURN(const Plan plan, MakePlan(std::move(scenario), {.test = true}, context));
  KENNING_ASSIGN_OR_RETURN(const Blocks made, MakeBlocks(plan, context));
  KENNING_ASSIGN_OR_RETURN(auto calibration,
                           DatasetCalibration::Make(*made.dataset, *made.wrapper));
  const std::size_t count = std::min(limit, calibration.size());
  KENNING_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(output));
  std::vector<Tensor> sample;
  for (std::size_t i = 0; i < count; ++i) {
    KENNING_RETURN_IF_ERROR(calibration.Get(i, sample));
    if (i == 0) {
      Shape shape = sample[0].shape();
      shape[0] = static_cast<std::int64_t>(count);
      KENNING_RETURN_IF_ERROR(file.Write(NpyHeader(shape)));
    }
    KENNING_RETURN_IF_ERROR(
        file.Write({reinterpret_cast<const char*>(sample[0].data()), sample[0].size_bytes()}));
  }
  return file.Commit();
}

}  // namespace
}  // namespace kenning

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: dump_calibration SCENARIO OUT.npy [LIMIT]\n");
    return 2;
  }
  const long limit = argc > 3 ? std::atol(argv[3]) : 1L << 30;
  const auto result =
      kenning::Dump(argv[1], argv[2], static_cast<std::size_t>(std::max(limit, 1L)));
  if (result) return 0;
  fmt::print(stderr, "error: {}\n", result.error().ToString());
  return 1;
}
