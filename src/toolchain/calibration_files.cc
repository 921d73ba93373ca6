// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/file.h"
#include "kenning/toolchain/worker.h"

namespace kenning {

Result<nlohmann::json> WriteCalibration(CalibrationView& calibration, std::size_t count,
                                        const std::filesystem::path& folder, ProgressSink& progress,
                                        const CancelToken& cancel) {
  const std::size_t samples = std::max<std::size_t>(1, std::min(count, calibration.size()));
  nlohmann::json inputs = nlohmann::json::array();
  std::vector<Tensor> tensors;
  progress.Begin("calibration data", samples, "samples");
  for (std::size_t i = 0; i < samples; ++i) {
    if (cancel.cancelled()) return Fail(ErrorCode::kCancelled, "interrupted");
    KENNING_RETURN_IF_ERROR(calibration.Get(i, tensors), "calibration");
    for (std::size_t k = 0; k < tensors.size(); ++k) {
      const Tensor& tensor = tensors[k];
      if (i == 0) {
        inputs.push_back({{"dtype", DTypeName(tensor.dtype())}, {"shape", tensor.shape()}});
      }
      KENNING_RETURN_IF_ERROR(
          WriteFileAtomically(folder / fmt::format("{}.{}.bin", i, k),
                              {reinterpret_cast<const char*>(tensor.data()), tensor.size_bytes()}));
    }
    progress.Update(i + 1);
  }
  progress.End();
  return nlohmann::json{{"count", samples}, {"inputs", std::move(inputs)}};
}

}  // namespace kenning
