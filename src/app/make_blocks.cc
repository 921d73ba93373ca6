// SPDX-License-Identifier: Apache-2.0
#include "app/make_blocks.h"

#include <fmt/format.h>

#include "kenning/base/uri.h"
#include "kenning/registry/params_from_text.h"
#include "resource/resource.h"

namespace kenning {
namespace {

constexpr const char* kDefaultPlatform = "LocalPlatform";

Result<std::unique_ptr<Dataset>> MakeDataset(const Scenario& scenario, BlockContext& blocks,
                                             AppContext& context) {
  if (!scenario.dataset) return nullptr;
  KENNING_ASSIGN_OR_RETURN(auto dataset,
                           scenario.dataset->info->make_dataset(scenario.dataset->params, blocks),
                           "dataset " + scenario.dataset->info->name);
  KENNING_RETURN_IF_ERROR(dataset->Prepare(context.progress, context.cancel),
                          "dataset " + scenario.dataset->info->name);
  if (dataset->size() == 0) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("dataset {} is empty", scenario.dataset->info->name));
  }
  return dataset;
}

}  // namespace

std::string FormatOfUri(const std::string& uri, const Registry& registry) {
  // A file:// or http:// URI names a file by its last part, as a path does.
  auto local = OutputPathFromUri(uri);
  std::filesystem::path path = local ? *std::move(local) : std::filesystem::path(uri);
  if (!path.has_filename()) path = path.parent_path();
  return registry.FormatOfPath(path);
}

BlockContext MakeBlockContext(AppContext& context, const Platform* platform) {
  BlockContext blocks;
  blocks.resolve_uri = [&context](const std::string& uri) {
    return ResolveUri(uri, context.progress, context.cancel);
  };
  blocks.format_of = [&context](const std::string& uri) {
    return FormatOfUri(uri, context.registry);
  };
  blocks.inspect_model = [&context](const std::filesystem::path& path,
                                    const std::string& format) -> Result<ModelSpec> {
    const InspectorInfo* inspector = context.registry.InspectorFor(format);
    if (inspector == nullptr) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("{}: no engine of this build reads models of format \"{}\"",
                              path.string(), format));
    }
    return inspector->inspect(path);
  };
  blocks.progress = &context.progress;
  blocks.cancel = &context.cancel;
  blocks.platform = platform;
  return blocks;
}

Result<std::unique_ptr<Platform>> MakePlatform(const Scenario& scenario, AppContext& context) {
  BlockContext blocks = MakeBlockContext(context, nullptr);
  if (scenario.platform) {
    return scenario.platform->info->make_platform(scenario.platform->params, blocks);
  }
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info,
                           context.registry.Find(BlockCategory::kPlatform, kDefaultPlatform));
  return info->make_platform(DefaultParams(info->schema), blocks);
}

Result<Blocks> MakeBlocks(const Plan& plan, AppContext& context) {
  const Scenario& scenario = plan.scenario;
  Blocks made;
  KENNING_ASSIGN_OR_RETURN(made.platform, MakePlatform(scenario, context));
  BlockContext blocks = MakeBlockContext(context, made.platform.get());
  if (UsesTarget(scenario, plan.steps)) {
    KENNING_ASSIGN_OR_RETURN(made.target, MakeRemoteTarget(*scenario.protocol, blocks, context));
    // A target that cannot be reached is found out before data are fetched and models optimised.
    KENNING_RETURN_IF_ERROR(made.target->Open());
  }
  KENNING_ASSIGN_OR_RETURN(made.dataset, MakeDataset(scenario, blocks, context));
  KENNING_ASSIGN_OR_RETURN(made.wrapper,
                           scenario.model_wrapper->info->make_model_wrapper(
                               scenario.model_wrapper->params, made.dataset.get(), blocks),
                           "model wrapper " + scenario.model_wrapper->info->name);
  return made;
}

}  // namespace kenning
