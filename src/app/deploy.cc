// SPDX-License-Identifier: Apache-2.0
#include "app/deploy.h"

#include <fmt/format.h>
#include <unistd.h>

#include "app/artifact_store.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

namespace fs = std::filesystem;

/// A folder of its own beside the destination, removed with all that is in it.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const fs::path& destination) : path_(destination) {
    path_ += fmt::format(".tmp-{}.d", ::getpid());
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// A model may keep data in files beside its own, which only its engine knows. Alone in a folder it
/// must still be readable: beside the destination a file of the same name could hold other weights.
Result<> CheckWhole(const ModelArtifact& artifact, const fs::path& alone, const fs::path& wanted,
                    const BlockContext& blocks) {
  if (!blocks.inspect_model) return {};
  const auto inspected = blocks.inspect_model(alone, artifact.format);
  if (inspected || inspected.error().code() == ErrorCode::kUnavailable) return {};
  KENNING_RETURN_IF_ERROR(blocks.inspect_model(artifact.path, artifact.format));
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{} cannot be copied to {}: it is not whole without the files beside it "
                          "(external data); store the model as one file (in Python: onnx.save of "
                          "the loaded model), or leave save_model_path out",
                          artifact.path.string(), wanted.string()));
}

}  // namespace

Error OptimisedModelMissing(const fs::path& path) {
  return Error(ErrorCode::kNotFound,
               fmt::format("{}: the optimised model is not there; run \"kenning optimize test\" or "
                           "correct compiled_model_path",
                           path.string()));
}

Result<ModelArtifact> DeployArtifact(ModelArtifact artifact, const fs::path& wanted,
                                     const BlockContext& blocks) {
  std::error_code error;
  if (fs::equivalent(artifact.path, wanted, error)) return artifact;
  const TemporaryFolder folder(wanted);
  const fs::path alone = folder.path() / wanted.filename();
  KENNING_RETURN_IF_ERROR(CopyTree(artifact.path, alone), "deploying the model");
  KENNING_RETURN_IF_ERROR(CheckWhole(artifact, alone, wanted, blocks));
  const bool is_folder = fs::is_directory(alone, error);
  if (!is_folder && fs::is_directory(wanted, error)) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: is a directory; name a file as save_model_path", wanted.string()));
  }
  KENNING_RETURN_IF_ERROR(ReplaceTree(alone, wanted), "deploying the model");
  artifact.path = wanted;
  KENNING_RETURN_IF_ERROR(SaveArtifactFacts(artifact));
  return artifact;
}

}  // namespace kenning
