// SPDX-License-Identifier: Apache-2.0
#include "model_file.h"

#include <fmt/format.h>

#include <algorithm>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {

Result<std::string> ModelFormat(const std::string& uri, const std::vector<std::string>& formats,
                                const BlockContext& context) {
  if (formats.size() == 1 || !context.format_of) {
    if (!formats.empty()) return formats[0];
    return Fail(ErrorCode::kInvalidScenario, fmt::format("{}: the format is not known", uri));
  }
  std::string format = context.format_of(uri);
  if (format.empty()) {
    return Fail(ErrorCode::kInvalidScenario,
                fmt::format("{}: the extension is of no model format that this build knows{}", uri,
                            formats.empty() ? "" : "; expected: " + Join(formats)));
  }
  if (formats.empty() || std::ranges::find(formats, format) != formats.end()) return format;
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("{}: its format is {}; expected: {}", uri, format, Join(formats)));
}

std::string FrameworkOfFormat(const std::string& format) {
  if (format == "keras" || format == "savedmodel") return "tensorflow";
  if (format == "torchscript" || format == "torch_export") return "torch";
  return format;
}

Result<ModelArtifact> DescribeModelFile(const std::string& uri, const std::string& format,
                                        BlockContext& context) {
  ModelArtifact artifact;
  artifact.format = format;
  KENNING_ASSIGN_OR_RETURN(artifact.path, context.resolve_uri(uri));
  // "model/" is the folder "model", whose description is "model.json".
  if (!artifact.path.has_filename()) artifact.path = artifact.path.parent_path();
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
