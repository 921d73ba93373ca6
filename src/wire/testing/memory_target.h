// SPDX-License-Identifier: Apache-2.0
/// \file
/// A backend and a store in memory, for tests and fuzzing of server and client. A "model" is a
/// text: its first letter chooses what it is, see MemoryBackend.
#pragma once

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "wire/target_server.h"

namespace kenning::wire::testing {

/// Checks nothing but what the interface promises. `hash`: SHA-256 unless a test wants less work.
class MemoryStore final : public ModelStore {
 public:
  using Hash = std::function<std::string(ConstBytes)>;
  explicit MemoryStore(std::uint64_t max_bytes = std::uint64_t{1} << 30, Hash hash = Sha256)
      : max_bytes_(max_bytes), hash_(std::move(hash)) {}

  Result<std::uint64_t> Have(const std::string& sha256, std::uint64_t size) override {
    if (size > max_bytes_) return Fail(ErrorCode::kResourceExhausted, "the store is too small");
    return Bytes(sha256).size();
  }
  Result<std::uint64_t> Append(const std::string& sha256, std::uint64_t size, std::uint64_t offset,
                               ConstBytes bytes) override {
    std::vector<std::byte>& model = models_[sha256];
    if (offset != model.size()) {
      return Fail(ErrorCode::kFailedPrecondition, "the part begins elsewhere");
    }
    model.insert(model.end(), bytes.begin(), bytes.end());
    if (model.size() == size && hash_(model) != sha256) {
      models_.erase(sha256);
      return Fail(ErrorCode::kInvalidData, "the SHA-256 is another");
    }
    if (model.size() == size) whole_.push_back(sha256);
    return model.size();
  }
  Result<std::string> Put(ConstBytes bytes) override {
    if (bytes.size() > max_bytes_) return Fail(ErrorCode::kResourceExhausted, "too large");
    std::string sha256 = hash_(bytes);
    models_[sha256].assign(bytes.begin(), bytes.end());
    whole_.push_back(sha256);
    return sha256;
  }
  Result<std::vector<std::byte>> Get(const std::string& sha256, std::uint64_t offset,
                                     std::size_t max_bytes) override {
    if (!Has(sha256)) return Fail(ErrorCode::kNotFound, "no such model");
    const ConstBytes all = Bytes(sha256);
    const ConstBytes rest =
        all.subspan(static_cast<std::size_t>(std::min<std::uint64_t>(offset, all.size())));
    const ConstBytes part = rest.first(std::min(rest.size(), max_bytes));
    return std::vector<std::byte>(part.begin(), part.end());
  }
  bool Has(const std::string& sha256) const {
    return std::ranges::find(whole_, sha256) != whole_.end();
  }
  ConstBytes Bytes(const std::string& sha256) const {
    const auto found = models_.find(sha256);
    return found == models_.end() ? ConstBytes() : ConstBytes(found->second);
  }
  static std::string Sha256(ConstBytes bytes) {
    return Sha256Hex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }

 private:
  std::uint64_t max_bytes_;
  Hash hash_;
  std::map<std::string, std::vector<std::byte>> models_;
  std::vector<std::string> whole_;
};

/// Models by their first letter: 'M' float32[1, 4] to float32[1, 2] (sum and product), 'D' the same
/// with any number of rows, 'E' as 'M' whose Invoke fails, 'H' huge tensors, anything else cannot
/// be loaded. `spec` set: every model has that one, and `invoke` does the work.
class MemoryBackend final : public TargetBackend {
 public:
  explicit MemoryBackend(MemoryStore& store) : store_(store) {}

  std::optional<ModelSpec> spec;
  std::function<Result<>(std::span<const TensorView>, std::span<const MutableTensorView>)> invoke;
  std::function<Result<std::string>(const std::string& request_json)> optimize;
  std::string statistics = R"({"a": 1})";
  std::string description = R"({"agent_version": "0", "engines": ["memory"]})";
  std::vector<LoadRequest> loads;
  int invokes = 0;

  Result<LoadedModel> Load(const LoadRequest& request) override {
    loads.push_back(request);
    if (!store_.Has(request.sha256)) return Fail(ErrorCode::kNotFound, "no such model");
    const ConstBytes bytes = store_.Bytes(request.sha256);
    kind_ = bytes.empty() ? '\0' : static_cast<char>(bytes[0]);
    LoadedModel loaded;
    loaded.engine = {"memory", "1"};
    loaded.runtime = "MemoryRuntime";
    loaded.load_ns = 5;
    if (spec) {
      loaded.spec = *spec;
    } else if (std::string_view("MDEH").find(kind_) == std::string_view::npos || kind_ == '\0') {
      return Fail(ErrorCode::kInvalidModel, "this is no model");
    } else {
      const std::int64_t rows = kind_ == 'D' ? kAnyDim : kind_ == 'H' ? std::int64_t{1} << 40 : 1;
      loaded.spec.inputs = {{.name = "in", .shape = {rows, 4}}};
      loaded.spec.outputs = {{.name = "out", .shape = {rows, 2}}};
    }
    loaded_ = loaded.spec;
    return loaded;
  }
  Result<std::vector<TensorSpec>> Resolve(std::span<const Shape> input_shapes) override {
    if (!loaded_) return Fail(ErrorCode::kFailedPrecondition, "no model");
    std::vector<TensorSpec> outputs = loaded_->engine_outputs();
    if (input_shapes.empty() || input_shapes[0].empty()) return outputs;
    for (TensorSpec& output : outputs) {
      if (!output.shape.empty()) output.shape[0] = input_shapes[0][0];
    }
    return outputs;
  }
  Result<> Invoke(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs,
                  InferTimes& times) override {
    ++invokes;
    times.invoke_start_ns = MonotonicNowNs();
    Result<> ran = Run(inputs, outputs);
    times.invoke_end_ns = MonotonicNowNs();
    return ran;
  }
  Result<std::string> Statistics(bool native) override {
    return native ? R"({"native": true})" : statistics;
  }
  Result<std::vector<OperatorProfile>> Profile() override {
    return std::vector<OperatorProfile>{{"op", "Add", 7, 2, "float32", "cpu"}};
  }
  Result<std::string> Optimize(const std::string& request_json) override {
    if (optimize) return optimize(request_json);
    return Fail(ErrorCode::kUnsupported, "nothing optimises here");
  }
  std::string Describe() override { return description; }

 private:
  Result<> Run(std::span<const TensorView> inputs, std::span<const MutableTensorView> outputs) {
    if (invoke) return invoke(inputs, outputs);
    if (kind_ == 'E') return Fail(ErrorCode::kEngineFailure, "the operator Conv_7 failed");
    const std::span<const float> in = inputs[0].as<float>();
    const std::span<float> out = outputs[0].as<float>();
    for (std::size_t row = 0; row < out.size() / 2; ++row) {
      float sum = 0;
      float product = 1;
      for (const float value : in.subspan(4 * row, 4)) {
        sum += value;
        product *= value;
      }
      out[2 * row] = sum;
      out[2 * row + 1] = product;
    }
    return {};
  }
  MemoryStore& store_;
  std::optional<ModelSpec> loaded_;
  char kind_ = '\0';
};

}  // namespace kenning::wire::testing
