// SPDX-License-Identifier: Apache-2.0
// EngineBackend::Optimize: the host's optimizers, run on the target.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/tar.h"
#include "engine_backend.h"
#include "io_spec/io_spec_json.h"
#include "json_params.h"
#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "model_format.h"

namespace kenning::target {
namespace {

using Json = nlohmann::json;

constexpr const char* kOutput = "compiled_model_path";

constexpr std::size_t kMostOptimizers = 32;

Json StepToJson(const ProvenanceStep& step) {
  return {{"block", step.block},
          {"framework", step.framework},
          {"version", step.version},
          {"parameters", step.parameters},
          {"notes", step.notes},
          {"duration_s", step.duration_s},
          {"finished_at", step.finished_at}};
}

struct Step {
  const BlockInfo* info = nullptr;
  Json parameters;
};

Result<std::vector<Step>> ReadSteps(const Json& request, const Registry& registry) {
  std::vector<Step> steps;
  const Json& list = request.at("optimizers");
  if (!list.is_array() || list.empty() || list.size() > kMostOptimizers) {
    return Fail(ErrorCode::kInvalidData, "\"optimizers\" must be a list of 1 to 32 blocks");
  }
  for (const Json& item : list) {
    Step step;
    KENNING_ASSIGN_OR_RETURN(
        step.info, registry.Find(BlockCategory::kOptimizer, item.at("type").get<std::string>()));
    step.parameters = item.value("parameters", Json::object());
    steps.push_back(std::move(step));
  }
  return steps;
}

/// The client's parameters without its paths: results go to the session's folder.
Result<Params> StepParams(const Step& step, const std::filesystem::path& output) {
  Json parameters = step.parameters;
  if (!parameters.is_object()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("parameters of {} must be an object", step.info->name));
  }
  for (const ParamSpec& spec : step.info->schema.params) {
    if (spec.type != ParamType::kPath && spec.type != ParamType::kUri) continue;
    for (const std::string& name : spec.aliases) parameters.erase(name);
    if (parameters.contains(spec.name) && !parameters[spec.name].is_null() &&
        spec.name != kOutput) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} of {} names a file; an optimizer on the target takes none",
                              spec.name, step.info->name));
    }
    parameters.erase(spec.name);
  }
  if (step.info->schema.Find(kOutput) != nullptr) parameters[kOutput] = output.string();
  KENNING_ASSIGN_OR_RETURN(auto values, ParamsFromJson(*step.info, parameters,
                                                       DefaultParams(step.info->schema).values()));
  return Params(std::move(values));
}

Result<> WriteArchive(const std::filesystem::path& folder, const std::filesystem::path& file) {
  KENNING_ASSIGN_OR_RETURN(TarOfTree archive, TarOfTree::Create(folder));
  KENNING_ASSIGN_OR_RETURN(AtomicFile out, AtomicFile::Create(file));
  std::string chunk;
  for (std::uint64_t at = 0; at < archive.size_bytes(); at += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(
        std::min<std::uint64_t>(archive.size_bytes() - at, std::uint64_t{1} << 20)));
    KENNING_RETURN_IF_ERROR(archive.Read(at, std::as_writable_bytes(std::span(chunk))));
    KENNING_RETURN_IF_ERROR(out.Write(chunk));
  }
  return out.Commit();
}

std::string ExtensionFor(const Registry& registry, const BlockInfo& block) {
  if (block.produces.empty()) return ".model";
  const InspectorInfo* inspector = registry.InspectorFor(block.produces.front());
  return inspector == nullptr || inspector->extensions.empty() ? "." + block.produces.front()
                                                               : inspector->extensions.front();
}

}  // namespace

Result<std::string> EngineBackend::Optimize(const std::string& request_json) {
  if (!context_.options.sandbox.allow_optimizers) {
    return Fail(ErrorCode::kUnavailable,
                "this agent does not optimise models; start it with --allow-optimizers, or "
                "optimise on the host");
  }
  try {
    const Json request = Json::parse(request_json);
    const Json& model = request.at("model");
    wire::LoadRequest load;
    load.sha256 = model.at("sha256").get<std::string>();
    load.format = model.value("format", "");
    if (const auto spec = model.find("io_spec"); spec != model.end() && !spec->is_null()) {
      load.io_spec = spec->is_string() ? spec->get<std::string>() : spec->dump();
    }
    KENNING_ASSIGN_OR_RETURN(const std::vector<Step> steps, ReadSteps(request, context_.registry));
    KENNING_ASSIGN_OR_RETURN(const Source source, PrepareSource(load));
    ModelArtifact artifact;
    artifact.path = source.path;
    artifact.format = source.format;
    KENNING_ASSIGN_OR_RETURN(artifact.sha256, Sha256OfTree(source.path));
    KENNING_ASSIGN_OR_RETURN(artifact.size_bytes, TreeSizeBytes(source.path));
    if (!load.io_spec.empty()) {
      KENNING_ASSIGN_OR_RETURN(artifact.spec, ModelSpecFromJson(load.io_spec, "IO specification"));
    }
    KENNING_ASSIGN_OR_RETURN(platform_, MakePlatform());
    blocks_.platform = platform_.get();
    for (std::size_t i = 0; i < steps.size(); ++i) {
      Log(LogLevel::kInfo, fmt::format("Processing block: {}", steps[i].info->name));
      const std::filesystem::path output =
          context_.scratch /
          fmt::format("optimised{}{}", i, ExtensionFor(context_.registry, *steps[i].info));
      KENNING_ASSIGN_OR_RETURN(const Params params, StepParams(steps[i], output));
      KENNING_ASSIGN_OR_RETURN(auto optimizer, steps[i].info->make_optimizer(params, blocks_));
      OptimizeContext context{nullptr, progress_, cancel_};
      if (i + 1 < steps.size() && !steps[i + 1].info->accepts.empty()) {
        context.output_format = steps[i + 1].info->accepts.front();
      }
      KENNING_ASSIGN_OR_RETURN(artifact, optimizer->Optimize(artifact, context),
                               steps[i].info->name);
    }
    return AnswerFor(artifact);
  } catch (const Json::exception& exception) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("the request to optimise: {}", exception.what()));
  }
}

Result<std::unique_ptr<Platform>> EngineBackend::MakePlatform() {
  if (const auto& own = context_.options.platform) {
    return own->info->make_platform(own->params, blocks_);
  }
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info,
                           context_.registry.Find(BlockCategory::kPlatform, "LocalPlatform"));
  return info->make_platform(DefaultParams(info->schema), blocks_);
}

Result<std::string> EngineBackend::AnswerFor(const ModelArtifact& artifact) {
  std::filesystem::path file = artifact.path;
  if (std::filesystem::is_directory(file)) {
    file += ".tar";
    KENNING_RETURN_IF_ERROR(WriteArchive(artifact.path, file));
  }
  KENNING_ASSIGN_OR_RETURN(const std::uint64_t size, TreeSizeBytes(file));
  KENNING_ASSIGN_OR_RETURN(const std::string sha256, context_.store.Adopt(file));
  Json answer = {{"sha256", sha256}, {"size", size}, {"format", artifact.format}};
  answer["io_spec"] = Json::parse(ModelSpecToJson(artifact.spec));
  answer["provenance"] = Json::array();
  for (const ProvenanceStep& step : artifact.provenance) {
    answer["provenance"].push_back(StepToJson(step));
  }
  return answer.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace kenning::target
