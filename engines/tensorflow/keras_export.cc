// SPDX-License-Identifier: Apache-2.0
#include "keras_export.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "kenning/base/cache_dir.h"
#include "kenning/base/file.h"
#include "kenning/toolchain/toolchain.h"
#include "kenning/toolchain/worker.h"
#include "keras/keras_config.h"

namespace kenning::tensorflow {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kToolchain = "tensorflow";
// Raised when the worker makes something else of the same file.
constexpr int kExportVersion = 1;
constexpr const char* kFacts = "kenning_io.json";
constexpr std::uint64_t kMostFacts = 1U << 20;

Result<std::vector<TensorSpec>> TensorsFromJson(const Json& list) {
  std::vector<TensorSpec> tensors;
  for (const Json& entry : list) {
    TensorSpec tensor;
    tensor.name = entry.at("name").get<std::string>();
    const auto dtype = ParseDType(entry.at("dtype").get<std::string>());
    if (!dtype) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("\"{}\" is of type {}", tensor.name, entry.at("dtype").dump()));
    }
    tensor.dtype = *dtype;
    for (const Json& dim : entry.at("shape")) {
      tensor.shape.push_back(dim.is_null() ? kAnyDim : dim.get<std::int64_t>());
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

/// What the worker wrote beside the model.
Result<ModelSpec> ReadFacts(const fs::path& folder) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(folder / kFacts, kMostFacts));
  try {
    const Json json = Json::parse(text);
    ModelSpec spec;
    KENNING_ASSIGN_OR_RETURN(spec.inputs, TensorsFromJson(json.at("inputs")));
    KENNING_ASSIGN_OR_RETURN(spec.outputs, TensorsFromJson(json.at("outputs")));
    return spec;
  } catch (const Json::exception& exception) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: {}; run: kenning cache clear", folder.string(), exception.what()));
  }
}

/// Makes the SavedModel in a folder of its own, which then gets the name. Where another process was
/// faster, its result stays.
Result<> Make(const fs::path& model, const fs::path& folder, ProgressSink& progress,
              const CancelToken& cancel) {
  std::error_code error;
  fs::create_directories(folder.parent_path(), error);
  std::string temporary = folder.string() + ".tmp-XXXXXX";
  if (error || mkdtemp(temporary.data()) == nullptr) {
    return Fail(ErrorCode::kIo, folder.parent_path().string() + ": cannot be written to");
  }
  WorkerJob job;
  job.toolchain = kToolchain;
  job.engine = "tensorflow";
  job.script = "export_keras.py";
  job.request = {{"model", fs::absolute(model).string()}, {"output", temporary}};
  job.stage = "converting the Keras model";
  auto made = RunWorker(job, progress, cancel);
  if (made) {
    fs::rename(temporary, folder, error);
    if (!error || fs::exists(folder / kFacts))
      made->clear();
    else
      made = Fail(ErrorCode::kIo, folder.string() + ": " + error.message());
  }
  fs::remove_all(temporary, error);
  KENNING_RETURN_IF_ERROR(made, "reading " + model.string() + " with Keras");
  return {};
}

}  // namespace

Result<KerasExport> ExportKeras(const fs::path& path, ProgressSink& progress,
                                const CancelToken& cancel) {
  const auto spec = InspectKeras(path);
  if (!spec && spec.error().code() != ErrorCode::kUnsupported) return tl::unexpected(spec.error());
  KENNING_ASSIGN_OR_RETURN(const ToolchainInfo toolchain, FindToolchain(kToolchain));
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, Sha256OfFile(path));
  const std::string key =
      Sha256Hex(fmt::format("{} {} {}", sha256, toolchain.lock_sha256, kExportVersion));
  KerasExport exported;
  exported.folder = CacheDir() / "models" / "tensorflow" / key.substr(0, 32);
  std::error_code ignored;
  if (!fs::exists(exported.folder / kFacts, ignored)) {
    KENNING_RETURN_IF_ERROR(Make(path, exported.folder, progress, cancel));
  }
  KENNING_ASSIGN_OR_RETURN(exported.spec, ReadFacts(exported.folder));
  // Keras gives new names to what old files left without one; ours are those that were announced.
  const bool same = spec && spec->inputs.size() == exported.spec.inputs.size() &&
                    spec->outputs.size() == exported.spec.outputs.size();
  if (same) exported.spec = *spec;
  return exported;
}

Result<ModelSpec> SpecOfKeras(const fs::path& path) {
  auto spec = InspectKeras(path);
  if (spec || spec.error().code() != ErrorCode::kUnsupported) return spec;
  const auto toolchain = FindToolchain(kToolchain);
  if (!toolchain || !ToolchainInstalled(*toolchain)) {
    const std::string remedy =
        toolchain ? ToolchainMissing(*toolchain).message() : toolchain.error().message();
    return Fail(ErrorCode::kUnavailable, spec.error().message() + "; " + remedy);
  }
  NullProgress silent;
  const CancelToken never;
  KENNING_ASSIGN_OR_RETURN(KerasExport exported, ExportKeras(path, silent, never));
  return std::move(exported.spec);
}

}  // namespace kenning::tensorflow
