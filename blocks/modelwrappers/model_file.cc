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
  std::error_code error;
  artifact.size_bytes = std::filesystem::file_size(artifact.path, error);
  if (error) {
    return Fail(ErrorCode::kNotFound, fmt::format("the model {} cannot be read: {}",
                                                  artifact.path.string(), error.message()));
  }
  // The model is read in any case, so that a broken file is found now.
  KENNING_ASSIGN_OR_RETURN(artifact.spec, context.inspect_model(artifact.path, format));
  const std::filesystem::path described = artifact.path.string() + ".json";
  if (std::filesystem::exists(described, error)) {
    KENNING_ASSIGN_OR_RETURN(artifact.spec, LoadModelSpec(described));
  }
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfFile(artifact.path));
  return artifact;
}

}  // namespace kenning
