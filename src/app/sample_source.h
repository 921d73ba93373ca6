// SPDX-License-Identifier: Apache-2.0
/// \file
/// Where the samples of a comparison come from: a dataset through its wrapper, seeded noise, or
/// NumPy files.
#pragma once

#include <memory>

#include "app/loaded_model.h"
#include "app/make_blocks.h"

namespace kenning {

/// Float samples of batch 1, one tensor a model input.
class SampleSource {
 public:
  virtual ~SampleSource() = default;
  virtual std::string description() const = 0;  ///< "16 random samples, seed 0, …".
  virtual std::size_t size() const = 0;
  virtual std::string Name(std::size_t index) const = 0;  ///< Of one sample, for people.
  virtual Result<std::vector<FloatTensor>> Get(std::size_t index) = 0;
  /// "NCHW", "NHWC" or empty, one a tensor.
  virtual std::vector<std::string> layouts() const = 0;
};

/// Uniform noise for `inputs`: over the quantised range where one of `inputs` or `others` (another
/// model's inputs, may be empty) is quantised, over a small integer type's range, else 0 to 1.
/// \return kInvalidArgument where a dimension other than the batch is open.
Result<std::unique_ptr<SampleSource>> RandomSamples(const std::vector<TensorSpec>& inputs,
                                                    const std::vector<TensorSpec>& others,
                                                    std::size_t count, std::uint64_t seed);

/// One .npy file an input; the first dimension counts samples. \return kInvalidData naming the
/// file.
Result<std::unique_ptr<SampleSource>> NumpySamples(const std::vector<std::filesystem::path>& files,
                                                   const std::vector<TensorSpec>& inputs,
                                                   std::size_t limit);

/// The first `limit` test samples, as the wrapper preprocesses them. Takes the blocks over.
Result<std::unique_ptr<SampleSource>> DatasetSamples(Blocks blocks, std::size_t limit);

}  // namespace kenning
