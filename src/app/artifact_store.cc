// SPDX-License-Identifier: Apache-2.0
#include "app/artifact_store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "kenning/base/log.h"

namespace kenning {
namespace {

constexpr int kFormatVersion = 1;
constexpr std::uint64_t kLargestFacts = 16 << 20;

nlohmann::json StepToJson(const ProvenanceStep& step) {
  return {{"block", step.block},
          {"framework", step.framework},
          {"version", step.version},
          {"parameters", step.parameters},
          {"notes", step.notes},
          {"duration_s", step.duration_s},
          {"finished_at", step.finished_at}};
}

ProvenanceStep StepFromJson(const nlohmann::json& json) {
  ProvenanceStep step;
  step.block = json.value("block", "");
  step.framework = json.value("framework", "");
  step.version = json.value("version", "");
  step.parameters = json.value("parameters", std::map<std::string, std::string>{});
  step.notes = json.value("notes", std::vector<std::string>{});
  step.duration_s = json.value("duration_s", 0.0);
  step.finished_at = json.value("finished_at", "");
  return step;
}

Result<> ReadProvenance(const std::filesystem::path& path, ModelArtifact& artifact) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kLargestFacts));
  try {
    const nlohmann::json json = nlohmann::json::parse(text);
    if (json.value("format_version", 0) != kFormatVersion) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: format_version is not {}", path.string(), kFormatVersion));
    }
    if (json.value("sha256", "") != artifact.sha256) {
      LogWarning("{}: belongs to another version of the model and is ignored; run optimize again",
                 path.string());
      return {};
    }
    for (const nlohmann::json& step : json.at("steps")) {
      artifact.provenance.push_back(StepFromJson(step));
    }
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: {}; delete it or run optimize again",
                                                     path.string(), exception.what()));
  }
  return {};
}

}  // namespace

std::filesystem::path IoSpecPath(const std::filesystem::path& model) {
  std::filesystem::path path = model;
  path += ".json";
  return path;
}

std::filesystem::path ProvenancePath(const std::filesystem::path& model) {
  std::filesystem::path path = model;
  path += ".provenance.json";
  return path;
}

Result<> SaveArtifactFacts(const ModelArtifact& artifact) {
  if (artifact.spec == ModelSpec{}) {
    std::error_code error;
    std::filesystem::remove(IoSpecPath(artifact.path), error);
    if (error) {
      return Fail(ErrorCode::kIo,
                  fmt::format("{}: it describes another model and cannot be removed: {}",
                              IoSpecPath(artifact.path).string(), error.message()));
    }
  } else {
    KENNING_RETURN_IF_ERROR(
        WriteFileAtomically(IoSpecPath(artifact.path), ModelSpecToJson(artifact.spec)));
  }
  nlohmann::json json = {{"format_version", kFormatVersion}, {"sha256", artifact.sha256}};
  json["steps"] = nlohmann::json::array();
  for (const ProvenanceStep& step : artifact.provenance) json["steps"].push_back(StepToJson(step));
  return WriteFileAtomically(
      ProvenancePath(artifact.path),
      json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Result<ModelArtifact> LoadArtifact(const std::filesystem::path& path, const std::string& format) {
  ModelArtifact artifact;
  artifact.path = path;
  artifact.format = format;
  KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfTree(path), "model");
  KENNING_ASSIGN_OR_RETURN(artifact.size_bytes, TreeSizeBytes(path), "model");
  if (std::filesystem::exists(IoSpecPath(path))) {
    KENNING_ASSIGN_OR_RETURN(artifact.spec, LoadModelSpec(IoSpecPath(path)));
  }
  if (std::filesystem::exists(ProvenancePath(path))) {
    KENNING_RETURN_IF_ERROR(ReadProvenance(ProvenancePath(path), artifact));
  }
  return artifact;
}

}  // namespace kenning
