// SPDX-License-Identifier: Apache-2.0
// RemoteTarget::Optimize: optimizers whose location is the target.
#include <fmt/format.h>
#include <unistd.h>

#include "app/artifact_store.h"
#include "app/remote_target.h"
#include "app/target_facts.h"
#include "base/tar.h"
#include "io_spec/io_spec_json.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/log.h"
#include "kenning/base/uri.h"

namespace kenning {
namespace {

/// Removes what is left of a temporary file or folder.
class Leftover {
 public:
  explicit Leftover(std::filesystem::path path) : path_(std::move(path)) {}
  Leftover(const Leftover&) = delete;
  Leftover& operator=(const Leftover&) = delete;
  ~Leftover() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Whole or not at all; a model that is a folder came as an archive.
Result<> WriteModel(const std::string& bytes, const std::filesystem::path& path) {
  if (!LooksLikeTar(std::as_bytes(std::span(bytes)))) return WriteFileAtomically(path, bytes);
  const std::string name = fmt::format("{}.tmp-{}", path.string(), ::getpid());
  const Leftover archive(name + ".tar");
  const Leftover folder(name + ".d");
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(archive.path(), bytes));
  KENNING_RETURN_IF_ERROR(UnpackTar(archive.path(), folder.path()), "the model from the target");
  return ReplaceTree(folder.path(), path);
}

/// Kenning's server forgets the resulting specification: what the engine takes and gives is read
/// from the model, the rest was known before.
ModelSpec SpecOf(const ModelArtifact& input, const ModelArtifact& output,
                 const BlockContext& context) {
  ModelSpec spec = input.spec;
  if (!context.inspect_model) return spec;
  auto seen = context.inspect_model(output.path, output.format);
  if (!seen) {
    LogWarning(
        "{}: its inputs and outputs could not be read ({}); those before the optimisation "
        "are taken",
        output.path.string(), seen.error().message());
    return spec;
  }
  if (spec == ModelSpec{}) return *std::move(seen);
  spec.processed_inputs = seen->engine_inputs();
  spec.processed_outputs = seen->engine_outputs();
  return spec;
}

/// One step for each block, as far as the host can tell.
std::vector<ProvenanceStep> StepsOf(std::span<const ScenarioBlock> blocks, double seconds) {
  std::vector<ProvenanceStep> steps;
  for (const ScenarioBlock& block : blocks) {
    ProvenanceStep step;
    step.block = block.info->name;
    step.framework = block.info->engine;
    step.notes = {"made on the target, which tells no versions"};
    step.finished_at = WallTimeUtc();
    steps.push_back(std::move(step));
  }
  steps.back().duration_s = seconds;
  return steps;
}

}  // namespace

Result<ModelArtifact> RemoteTarget::Optimize(std::span<const ScenarioBlock> blocks,
                                             const ModelArtifact& input,
                                             const std::string& output_format,
                                             const BlockContext& context) {
  KENNING_ASSIGN_OR_RETURN(const std::filesystem::path path,
                           OutputPathFromUri(blocks.back().params.String("compiled_model_path")),
                           "compiled_model_path");
  KENNING_ASSIGN_OR_RETURN(wire::TargetClient * client, Client());
  KENNING_ASSIGN_OR_RETURN(const std::string io_spec, IoSpecText(input));
  LogInfo("target {}: optimising the model there", name());
  const std::int64_t start_ns = MonotonicNowNs();
  auto made = client->Optimize(input, io_spec, OptimizersForTarget(blocks, run_.native));
  if (!made) {
    return Fail(
        std::move(made).error().AddContext(fmt::format("target {}: optimising there", name())));
  }
  const std::int64_t end_ns = MonotonicNowNs();
  last_used_ns_ = end_ns;
  run_.optimisations.push_back({start_ns, end_ns});
  ModelArtifact artifact;
  artifact.path = path;
  artifact.format = made->format.empty() ? output_format : made->format;
  if (artifact.format != output_format) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("target {}: gave a model of format {}, {} was expected", name(),
                            artifact.format, output_format));
  }
  KENNING_RETURN_IF_ERROR(WriteModel(made->model_bytes, path));
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfTree(path));
  KENNING_ASSIGN_OR_RETURN(artifact.size_bytes, TreeSizeBytes(path));
  artifact.provenance = input.provenance;
  const double seconds = static_cast<double>(end_ns - start_ns) * 1e-9;
  if (made->provenance.empty()) made->provenance = StepsOf(blocks, seconds);
  for (ProvenanceStep& step : made->provenance) artifact.provenance.push_back(std::move(step));
  if (made->io_spec_json.empty()) {
    artifact.spec = SpecOf(input, artifact, context);
  } else {
    KENNING_ASSIGN_OR_RETURN(artifact.spec,
                             ModelSpecFromJson(made->io_spec_json, "the target's specification"));
  }
  KENNING_RETURN_IF_ERROR(SaveArtifactFacts(artifact));
  return artifact;
}

}  // namespace kenning
