// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <fmt/format.h>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"

namespace kenning {

Result<ModelArtifact> DescribeModelFile(const std::string& uri, const std::string& format,
                                        BlockContext& context) {
  ModelArtifact artifact;
  artifact.format = format;
  KENNING_ASSIGN_OR_RETURN(artifact.path, context.resolve_uri(uri));
  const auto size = TreeSizeBytes(artifact.path);
  if (!size) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("the model cannot be read: {}", size.error().message()));
  }
  artifact.size_bytes = *size;
  // The model is read in any case, so that a broken file is found now.
  KENNING_ASSIGN_OR_RETURN(artifact.spec, context.inspect_model(artifact.path, format));
  const std::filesystem::path described = artifact.path.string() + ".json";
  std::error_code ignored;
  if (std::filesystem::exists(described, ignored)) {
    KENNING_ASSIGN_OR_RETURN(artifact.spec, LoadModelSpec(described));
  }
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfTree(artifact.path));
  return artifact;
}

}  // namespace kenning
