// SPDX-License-Identifier: Apache-2.0
#include "app/sample_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "app/calibration.h"
#include "app/numpy_file.h"

namespace kenning {
namespace {

struct Range {
  double low = 0;
  double high = 1;
};

std::optional<Range> IntegerRange(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return Range{-128, 127};
    case DType::kUint8:
      return Range{0, 255};
    case DType::kInt16:
      return Range{-32768, 32767};
    case DType::kUint16:
      return Range{0, 65535};
    default:
      return std::nullopt;
  }
}

std::optional<Range> QuantisedRange(const TensorSpec& spec) {
  const auto whole = IntegerRange(spec.dtype);
  if (!whole || !spec.quant || spec.quant->scale.size() != 1) return std::nullopt;
  const auto scale = static_cast<double>(spec.quant->scale[0]);
  const auto zero = static_cast<double>(spec.quant->zero_point.at(0));
  return Range{(whole->low - zero) * scale, (whole->high - zero) * scale};
}

Range RangeFor(const TensorSpec& spec, const TensorSpec* other) {
  if (const auto range = QuantisedRange(spec)) return *range;
  if (other != nullptr) {
    if (const auto range = QuantisedRange(*other)) return *range;
  }
  return IntegerRange(spec.dtype).value_or(Range{});
}

std::vector<std::string> LayoutsOf(const std::vector<TensorSpec>& specs) {
  std::vector<std::string> layouts;
  for (const TensorSpec& spec : specs) layouts.push_back(spec.layout);
  return layouts;
}

class Random final : public SampleSource {
 public:
  struct Part {
    Shape shape;
    std::size_t count = 0;
    Range range;
  };
  Random(std::vector<Part> parts, std::vector<std::string> layouts, std::size_t count,
         std::uint64_t seed)
      : parts_(std::move(parts)), layouts_(std::move(layouts)), count_(count), seed_(seed) {}

  std::string description() const override {
    std::string ranges;
    for (const Part& part : parts_) {
      ranges += fmt::format("{}{:.4g} to {:.4g}", ranges.empty() ? "" : "; ", part.range.low,
                            part.range.high);
    }
    return fmt::format("{} samples of uniform noise, {}, seed {}", count_, ranges, seed_);
  }
  std::size_t size() const override { return count_; }
  std::string Name(std::size_t index) const override { return fmt::format("random {}", index); }
  std::vector<std::string> layouts() const override { return layouts_; }

  Result<std::vector<FloatTensor>> Get(std::size_t index) override {
    std::seed_seq seeds{seed_, static_cast<std::uint64_t>(index)};
    std::mt19937_64 engine(seeds);
    std::vector<FloatTensor> sample;
    for (const Part& part : parts_) {
      FloatTensor tensor{part.shape, std::vector<float>(part.count)};
      for (float& value : tensor.values) {
        // Not std::uniform_real_distribution, whose values differ between standard libraries.
        const double unit = static_cast<double>(engine() >> 11) * 0x1p-53;
        value = static_cast<float>(part.range.low + unit * (part.range.high - part.range.low));
      }
      sample.push_back(std::move(tensor));
    }
    return sample;
  }

 private:
  std::vector<Part> parts_;
  std::vector<std::string> layouts_;
  std::size_t count_;
  std::uint64_t seed_;
};

class Numpy final : public SampleSource {
 public:
  Numpy(std::vector<NumpyArray> arrays, std::vector<Shape> shapes, std::vector<std::string> layouts,
        std::size_t count, std::string names)
      : arrays_(std::move(arrays)),
        shapes_(std::move(shapes)),
        layouts_(std::move(layouts)),
        count_(count),
        names_(std::move(names)) {}

  std::string description() const override {
    return fmt::format("{} samples of {}", count_, names_);
  }
  std::size_t size() const override { return count_; }
  std::string Name(std::size_t index) const override { return fmt::format("row {}", index); }
  std::vector<std::string> layouts() const override { return layouts_; }

  Result<std::vector<FloatTensor>> Get(std::size_t index) override {
    std::vector<FloatTensor> sample;
    for (std::size_t i = 0; i < arrays_.size(); ++i) {
      const std::size_t one = static_cast<std::size_t>(*ElementCount(shapes_[i]));
      const auto begin = arrays_[i].values.begin() + static_cast<std::ptrdiff_t>(index * one);
      sample.push_back({shapes_[i], {begin, begin + static_cast<std::ptrdiff_t>(one)}});
    }
    return sample;
  }

 private:
  std::vector<NumpyArray> arrays_;
  std::vector<Shape> shapes_;
  std::vector<std::string> layouts_;
  std::size_t count_;
  std::string names_;
};

class FromDataset final : public SampleSource {
 public:
  FromDataset(Blocks blocks, std::vector<SampleId> ids)
      : blocks_(std::move(blocks)), ids_(std::move(ids)) {}

  std::string description() const override {
    return fmt::format("{} test samples of {}", ids_.size(), blocks_.dataset->info().name);
  }
  std::size_t size() const override { return ids_.size(); }
  std::string Name(std::size_t index) const override { return fmt::format("{}", ids_[index]); }
  std::vector<std::string> layouts() const override {
    return LayoutsOf(blocks_.wrapper->model().spec.engine_inputs());
  }

  Result<std::vector<FloatTensor>> Get(std::size_t index) override {
    KENNING_RETURN_IF_ERROR(
        LoadBatch(*blocks_.dataset, std::span(ids_).subspan(index, 1), 1, batch_));
    KENNING_RETURN_IF_ERROR(blocks_.wrapper->Preprocess(batch_, tensors_));
    std::vector<FloatTensor> sample;
    for (const Tensor& tensor : tensors_) {
      KENNING_ASSIGN_OR_RETURN(std::vector<float> values, ToFloats(tensor.view(), {}));
      sample.push_back({tensor.shape(), std::move(values)});
    }
    return sample;
  }

 private:
  Blocks blocks_;
  std::vector<SampleId> ids_;
  Batch batch_;
  std::vector<Tensor> tensors_;
};

}  // namespace

Result<std::unique_ptr<SampleSource>> RandomSamples(const std::vector<TensorSpec>& inputs,
                                                    const std::vector<TensorSpec>& others,
                                                    std::size_t count, std::uint64_t seed) {
  std::vector<Random::Part> parts;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    Random::Part part;
    part.shape = inputs[i].shape;
    if (!part.shape.empty()) part.shape[0] = 1;
    const auto elements = ElementCount(part.shape);
    if (!elements) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("the input \"{}\" {} has open dimensions: give samples from a "
                              "dataset or from files",
                              inputs[i].name, ToString(inputs[i])));
    }
    part.count = static_cast<std::size_t>(*elements);
    part.range = RangeFor(inputs[i], others.size() == inputs.size() ? &others[i] : nullptr);
    parts.push_back(std::move(part));
  }
  return std::make_unique<Random>(std::move(parts), LayoutsOf(inputs), count, seed);
}

Result<std::unique_ptr<SampleSource>> NumpySamples(const std::vector<std::filesystem::path>& files,
                                                   const std::vector<TensorSpec>& inputs,
                                                   std::size_t limit) {
  if (files.size() != inputs.size()) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{} files of inputs for a model with {} inputs", files.size(), inputs.size()));
  }
  std::vector<NumpyArray> arrays;
  std::vector<Shape> shapes;
  std::string names;
  std::size_t count = limit;
  for (const std::filesystem::path& file : files) {
    KENNING_ASSIGN_OR_RETURN(NumpyArray array, ReadNumpyFile(file));
    if (array.shape.empty() || array.shape[0] == 0) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: shape {}: the first dimension must count samples", file.string(),
                              ShapeToString(array.shape)));
    }
    count = std::min(count, static_cast<std::size_t>(array.shape[0]));
    Shape one = array.shape;
    one[0] = 1;
    shapes.push_back(std::move(one));
    names += (names.empty() ? "" : ", ") + file.filename().string();
    arrays.push_back(std::move(array));
  }
  return std::make_unique<Numpy>(std::move(arrays), std::move(shapes), LayoutsOf(inputs), count,
                                 std::move(names));
}

Result<std::unique_ptr<SampleSource>> DatasetSamples(Blocks blocks, std::size_t limit) {
  KENNING_ASSIGN_OR_RETURN(DatasetSplit split, blocks.dataset->Split(), "splitting the dataset");
  if (split.test.empty()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("dataset {} has no test samples", blocks.dataset->info().name));
  }
  if (limit < split.test.size()) split.test.resize(limit);
  return std::make_unique<FromDataset>(std::move(blocks), std::move(split.test));
}

}  // namespace kenning
