// SPDX-License-Identifier: Apache-2.0
/// \file
/// Registry: what blocks exist. An ordinary object made in main and passed down; tests make their
/// own. Listing, help and schemas come from it without loading any engine.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/dataset.h"
#include "kenning/core/graph_info.h"
#include "kenning/core/model_wrapper.h"
#include "kenning/core/optimizer.h"
#include "kenning/core/platform.h"
#include "kenning/core/runtime.h"
#include "kenning/core/transport.h"
#include "kenning/registry/param_schema.h"

namespace kenning {

enum class BlockCategory : std::uint8_t {
  kDataset,
  kModelWrapper,
  kOptimizer,
  kRuntime,
  kProtocol,
  kPlatform,
  kReport,
  kRuntimeBuilder,
  kDataConverter,
  kDataProvider,
  kOutputCollector,
  kRunner,
  kOnnxConversion,
  kOther,
};
/// The key in scenario files: "dataset", "model_wrapper", "optimizers", "runtime", …
std::string_view CategoryName(BlockCategory category);

/// Whether a block can work here and now.
struct Availability {
  bool available = true;
  std::string reason;  ///< Where not: why, and what to install.
};

/// What a block's factory may use. Outlives the block.
struct BlockContext {
  /// Fetches a URI (path, file://, http(s)://, kenning://) into the cache and gives its local path.
  std::function<Result<std::filesystem::path>(const std::string& uri)> resolve_uri;
  /// The format that a path or URI names; empty where unknown. Downloads nothing.
  std::function<std::string(const std::string& uri)> format_of;
  /// Reads a model's IO specification with whichever engine knows the format.
  std::function<Result<ModelSpec>(const std::filesystem::path& path, const std::string& format)>
      inspect_model;
  ProgressSink* progress = nullptr;
  const CancelToken* cancel = nullptr;
  /// The device under test; never null while optimizers are made.
  const Platform* platform = nullptr;
};

using DatasetFactory =
    std::function<Result<std::unique_ptr<Dataset>>(const Params&, BlockContext&)>;
/// `dataset` may be null (optimise without data); it is prepared otherwise.
using ModelWrapperFactory = std::function<Result<std::unique_ptr<ModelWrapper>>(
    const Params&, const Dataset* dataset, BlockContext&)>;
using OptimizerFactory =
    std::function<Result<std::unique_ptr<Optimizer>>(const Params&, BlockContext&)>;
using RuntimeFactory =
    std::function<Result<std::unique_ptr<Runtime>>(const Params&, BlockContext&)>;
using PlatformFactory =
    std::function<Result<std::unique_ptr<Platform>>(const Params&, BlockContext&)>;
using TransportFactory =
    std::function<Result<std::unique_ptr<Transport>>(const Params&, BlockContext&)>;
using ModelInspector = std::function<Result<ModelSpec>(const std::filesystem::path& path)>;
using GraphReader = std::function<Result<GraphInfo>(const std::filesystem::path& path)>;

/// One block. Data; only the factory of its category is set.
struct BlockInfo {
  BlockCategory category = BlockCategory::kOther;
  std::string name;                  ///< Canonical short class name, e.g. "ONNXRuntime".
  std::vector<std::string> aliases;  ///< Every dotted path and older name it answers to.
  std::string summary;               ///< One sentence.
  ParamSchema schema;
  std::string engine;                ///< "onnxruntime"; empty for engine-free blocks.
  std::vector<std::string> accepts;  ///< Model formats taken (optimizers, runtimes), best first.
  /// Model formats given (optimizers, wrappers). Of a wrapper, empty: any that the build reads.
  std::vector<std::string> produces;
  /// Toolchains that the block needs, by the format that it is given; "" for every format.
  std::map<std::string, std::vector<std::string>> toolchains;
  std::function<Availability()> probe;  ///< Empty: always available.

  DatasetFactory make_dataset;
  ModelWrapperFactory make_model_wrapper;
  OptimizerFactory make_optimizer;
  RuntimeFactory make_runtime;
  PlatformFactory make_platform;
  TransportFactory make_transport;  ///< Of protocols.
};

/// A class that Kenning publishes and this project does not have (yet).
struct KnownClass {
  std::string dotted_path;
  BlockCategory category = BlockCategory::kOther;
  std::string reason;  ///< Completes "known to Kenning, not available here, because …".
};

/// Reads IO specifications of one model format.
struct InspectorInfo {
  std::string format;
  std::vector<std::string> extensions;  ///< ".onnx"
  ModelInspector inspect;
  GraphReader read_graph = nullptr;  ///< Empty: operators of this format are not read.
  /// A folder that holds a file of this name is a model of this format ("saved_model.pb").
  std::string folder_marker = {};
};

class Registry {
 public:
  /// \return kInvalidArgument if a name or alias is taken within the category.
  Result<> Add(BlockInfo block);
  /// Passed over where a block answers to the path: call it when the blocks are there.
  void AddKnown(KnownClass known);
  void AddInspector(InspectorInfo inspector);

  /// By canonical name, dotted path (old or new) or the last part of a dotted path.
  /// \return kUnavailable "known to Kenning, not available here, because …", or kNotFound with the
  /// nearest names.
  Result<const BlockInfo*> Find(BlockCategory category, std::string_view type) const;
  /// The same over all categories.
  Result<const BlockInfo*> FindAny(std::string_view type) const;
  /// Sorted by name.
  std::vector<const BlockInfo*> List(BlockCategory category) const;
  std::span<const KnownClass> known() const { return known_; }
  const InspectorInfo* InspectorFor(std::string_view format) const;
  /// The format that an extension (".onnx", lower case) stands for; empty where unknown.
  std::string FormatOfExtension(std::string_view extension) const;
  /// The format of a model on this machine: by a folder's marker file, else by the extension,
  /// whatever the case of its letters. Empty where unknown.
  std::string FormatOfPath(const std::filesystem::path& path) const;

 private:
  std::vector<std::unique_ptr<BlockInfo>> blocks_;
  std::vector<KnownClass> known_;
  std::vector<InspectorInfo> inspectors_;
};

/// Adds every block of this build; generated by CMake from the kenning_add_* calls.
void RegisterBuiltinBlocks(Registry& registry);
/// Adds the classes of Kenning 0.8.2 that are not among the blocks.
void RegisterKnownClasses(Registry& registry);

}  // namespace kenning
