// SPDX-License-Identifier: Apache-2.0
#include "engine_backend.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/tar.h"
#include "io_spec/io_spec_json.h"
#include "json_params.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "kenning/registry/params_from_text.h"
#include "measure/environment.h"
#include "measure/statistics_json.h"
#include "model_format.h"

namespace kenning::target {
namespace {

using Json = nlohmann::json;
using Values = std::map<std::string, ParamValue, std::less<>>;

constexpr const char* kSaveModelPath = "save_model_path";
constexpr const char* kNoMeasurements = "disable_performance_measurements";
constexpr double kSampleInterval_s = 0.1;

/// What a client may not choose: files of the target, and code to load.
bool NamesFiles(const ParamSpec& spec) {
  return spec.type == ParamType::kPath || spec.type == ParamType::kUri ||
         spec.name.find("delegate") != std::string::npos;
}

Result<Values> ClientValues(const BlockInfo& runtime, const std::string& json, Values base) {
  const Json object = Json::parse(json, nullptr, false);
  if (object.is_discarded()) {
    return Fail(ErrorCode::kInvalidData, "the runtime's parameters are no JSON");
  }
  const Values before = base;
  KENNING_ASSIGN_OR_RETURN(Values values, ParamsFromJson(runtime, object, std::move(base)));
  for (const ParamSpec& spec : runtime.schema.params) {
    if (!NamesFiles(spec)) continue;
    const auto own = before.find(spec.name);
    const auto asked = values.find(spec.name);
    if (asked == values.end()) continue;
    const bool same = own != before.end() && own->second == asked->second;
    const bool nothing = std::holds_alternative<std::monostate>(asked->second) ||
                         asked->second == ParamValue{std::vector<std::string>{}};
    // Where the model lies here is not the client's to say: the host's own path is passed over.
    if (!same && !nothing && spec.name != kSaveModelPath) {
      return Fail(ErrorCode::kFailedPrecondition,
                  fmt::format("{} of {} names files of the target; give it in the agent's own "
                              "configuration (kenning-agent --cfg)",
                              spec.name, runtime.name));
    }
    if (own == before.end()) {
      values.erase(asked);
    } else {
      asked->second = own->second;
    }
  }
  return values;
}

std::string ExtensionOf(const Registry& registry, const std::string& format,
                        const std::filesystem::path& file) {
  const InspectorInfo* inspector = registry.InspectorFor(format);
  if (inspector == nullptr || inspector->extensions.empty()) return "." + format;
  if (format == "keras" || format == "tvm") {
    // Two forms, told apart by their first bytes; each has its extension.
    std::ifstream stream(file, std::ios::binary);
    std::array<char, 4> head{};
    stream.read(head.data(), head.size());
    if (format == "keras") return head[0] == 'P' ? ".keras" : ".h5";
    return head[0] == '\x7F' ? ".so" : ".tar";
  }
  return inspector->extensions.front();
}

/// The store's file under a name with an extension, as some engines go by it.
Result<> LinkModel(const std::filesystem::path& from, const std::filesystem::path& to) {
  std::error_code error;
  std::filesystem::remove_all(to, error);
  std::filesystem::create_hard_link(from, to, error);
  if (!error) return {};
  std::filesystem::copy_file(from, to, error);
  if (!error) return {};
  return Fail(
      ErrorCode::kResourceExhausted,
      fmt::format("the model cannot be put into the session's folder: {}", error.message()));
}

Result<const BlockInfo*> ChooseRuntime(const BackendContext& context, const std::string& type,
                                       const std::string& format) {
  if (context.options.runtime) {
    const BlockInfo* own = context.options.runtime->info;
    if (type.empty()) return own;
    KENNING_ASSIGN_OR_RETURN(const BlockInfo* asked,
                             context.registry.Find(BlockCategory::kRuntime, type));
    if (asked == own) return own;
    return Fail(
        ErrorCode::kFailedPrecondition,
        fmt::format("this agent was started for {} alone, not for {}", own->name, asked->name));
  }
  if (!type.empty()) return context.registry.Find(BlockCategory::kRuntime, type);
  std::vector<std::string> reasons;
  for (const BlockInfo* info : RuntimesOf(context.registry, format)) {
    const Availability here = info->probe ? info->probe() : Availability{};
    if (here.available) return info;
    reasons.push_back(fmt::format("{}: {}", info->name, here.reason));
  }
  return Fail(ErrorCode::kUnavailable,
              fmt::format("no engine on this target runs models of format \"{}\"{}{}", format,
                          reasons.empty() ? "" : ": ", Join(reasons, "; ")));
}

Result<> CheckFormat(const BlockInfo& runtime, const std::string& format) {
  if (std::ranges::find(runtime.accepts, format) != runtime.accepts.end()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{} runs models of format {}, and this one is {}", runtime.name,
                          Join(runtime.accepts, ", "), format));
}

bool SameSize(const Shape& a, const Shape& b) {
  if (ShapesCompatible(a, b)) return true;
  const auto elements_a = ElementCount(a);
  const auto elements_b = ElementCount(b);
  // Kenning's specifications leave out dimensions of one.
  return elements_a && elements_b && *elements_a == *elements_b;
}

/// Empty where the lists agree, else why not.
std::string Difference(const std::vector<TensorSpec>& said, const std::vector<TensorSpec>& seen,
                       std::string_view what) {
  if (said.size() != seen.size()) {
    return fmt::format("{} {}s, but the model has {}", said.size(), what, seen.size());
  }
  for (std::size_t i = 0; i < said.size(); ++i) {
    const auto order = said[i].order ? static_cast<std::size_t>(*said[i].order) : i;
    const TensorSpec& real = seen[order < seen.size() ? order : i];
    if (said[i].dtype == real.dtype && SameSize(said[i].shape, real.shape)) continue;
    return fmt::format("{} {} as {}, but the model has {}", what, i, ToString(said[i]),
                       ToString(real));
  }
  return "";
}

}  // namespace

std::vector<const BlockInfo*> RuntimesOf(const Registry& registry, const std::string& format) {
  std::vector<const BlockInfo*> found;
  for (const BlockInfo* info : registry.List(BlockCategory::kRuntime)) {
    if (std::ranges::find(info->accepts, format) != info->accepts.end()) found.push_back(info);
  }
  std::ranges::stable_sort(found, {}, [&](const BlockInfo* info) {
    return std::ranges::find(info->accepts, format) - info->accepts.begin();
  });
  return found;
}

Result<> CheckIoSpec(const ModelSpec& said, const ModelSpec& seen) {
  // Kenning's "output" is what the model gives, this project's may be under "processed_output".
  const auto check = [](const std::vector<TensorSpec>& one, const std::vector<TensorSpec>& other,
                        const std::vector<TensorSpec>& real, std::string_view what) {
    std::string difference = Difference(one, real, what);
    if (!difference.empty() && !other.empty() && Difference(other, real, what).empty()) {
      difference.clear();
    }
    return difference;
  };
  std::string wrong = check(said.engine_inputs(), said.inputs, seen.engine_inputs(), "input");
  if (wrong.empty()) {
    wrong = check(said.outputs, said.processed_outputs, seen.engine_outputs(), "output");
  }
  if (wrong.empty()) return {};
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("the IO specification names {}; send the one of this model", wrong));
}

Result<Params> RuntimeParams(const BlockInfo& runtime, const ConfiguredBlock* configured,
                             const std::string& client_json) {
  Values values =
      configured != nullptr ? configured->params.values() : DefaultParams(runtime.schema).values();
  if (!client_json.empty()) {
    KENNING_ASSIGN_OR_RETURN(values, ClientValues(runtime, client_json, std::move(values)));
  }
  return Params(std::move(values));
}

EngineBackend::EngineBackend(BackendContext context) : context_(std::move(context)) {
  blocks_.resolve_uri = [](const std::string& uri) -> Result<std::filesystem::path> {
    return Fail(ErrorCode::kFailedPrecondition,
                fmt::format("{}: an agent fetches nothing; send the model", uri));
  };
  blocks_.format_of = [this](const std::string& uri) {
    return context_.registry.FormatOfPath(uri);
  };
  blocks_.inspect_model = [this](const std::filesystem::path& path,
                                 const std::string& format) -> Result<ModelSpec> {
    const InspectorInfo* inspector = context_.registry.InspectorFor(format);
    if (inspector == nullptr) {
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("no engine of this target reads models of format \"{}\"", format));
    }
    return inspector->inspect(path);
  };
  blocks_.progress = &progress_;
  blocks_.cancel = &cancel_;
}

EngineBackend::~EngineBackend() = default;

void EngineBackend::Log(LogLevel level, std::string_view text) {
  LogLine(level, text);
  if (context_.log) context_.log(level, text);
}

Result<EngineBackend::Source> EngineBackend::PrepareSource(const wire::LoadRequest& request) {
  std::filesystem::path file;
  if (!request.sha256.empty()) {
    KENNING_ASSIGN_OR_RETURN(file, context_.store.PathOf(request.sha256));
  } else {
    // "The model that is there": the configured file, else what was used last.
    const auto& runtime = context_.options.runtime;
    std::error_code error;
    if (runtime && runtime->params.Has(kSaveModelPath))
      file = runtime->params.String(kSaveModelPath);
    if (file.empty() || std::filesystem::file_size(file, error) == 0 || error) {
      KENNING_ASSIGN_OR_RETURN(const std::string latest, context_.store.Latest());
      KENNING_ASSIGN_OR_RETURN(file, context_.store.PathOf(latest));
    }
  }
  Source source;
  source.format = request.format;
  if (source.format.empty()) {
    KENNING_ASSIGN_OR_RETURN(source.format, RecogniseFormat(file));
  } else if (context_.registry.InspectorFor(source.format) == nullptr) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("no engine of this target knows the format \"{}\"", source.format));
  }
  if (TravelsAsArchive(file, source.format)) {
    source.path = context_.scratch / "model";
    std::error_code ignored;
    std::filesystem::remove_all(source.path, ignored);
    KENNING_RETURN_IF_ERROR(UnpackTar(file, source.path));
  } else {
    source.path =
        context_.scratch / ("model" + ExtensionOf(context_.registry, source.format, file));
    KENNING_RETURN_IF_ERROR(LinkModel(file, source.path));
  }
  std::filesystem::path described = source.path;
  described += ".json";
  std::error_code ignored;
  std::filesystem::remove(described, ignored);
  // Some formats say nothing of their tensors; their engines look beside the model.
  if (!request.io_spec.empty()) {
    KENNING_RETURN_IF_ERROR(WriteFileAtomically(described, request.io_spec));
  }
  return source;
}

/// The copy under the configuration's own save_model_path, as Kenning's server keeps one.
Result<> EngineBackend::KeepCopy(const std::filesystem::path& model, const Params& params) {
  if (!params.Has(kSaveModelPath) || !std::filesystem::is_regular_file(model)) return {};
  const std::filesystem::path to = params.String(kSaveModelPath);
  std::error_code error;
  if (std::filesystem::equivalent(model, to, error)) return {};
  std::ifstream in(model, std::ios::binary);
  // In place: the session may write to this file and to nothing beside it.
  std::ofstream out(to, std::ios::binary | std::ios::trunc);
  out << in.rdbuf();
  out.close();
  if (out) return {};
  return Fail(ErrorCode::kIo,
              fmt::format("{} cannot be written; correct save_model_path of the agent's "
                          "configuration",
                          to.string()));
}

Result<Params> EngineBackend::ParamsFor(const BlockInfo& runtime,
                                        const wire::LoadRequest& request) const {
  const auto& own = context_.options.runtime;
  KENNING_ASSIGN_OR_RETURN(Params params, RuntimeParams(runtime, own ? &*own : nullptr,
                                                        request.runtime_parameters_json));
  if (!request.profiling) return params;
  auto values = params.values();
  for (const ParamSpec& spec : runtime.schema.params) {
    if (spec.type == ParamType::kBool && spec.name.find("profil") != std::string::npos) {
      values[spec.name] = true;
    }
  }
  return Params(std::move(values));
}

Result<wire::LoadedModel> EngineBackend::Load(const wire::LoadRequest& request) {
  session_.reset();
  runtime_.reset();
  std::optional<ModelSpec> said;
  if (!request.io_spec.empty()) {
    KENNING_ASSIGN_OR_RETURN(said, ModelSpecFromJson(request.io_spec, "IO specification"));
  }
  KENNING_ASSIGN_OR_RETURN(const Source source, PrepareSource(request));
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info,
                           ChooseRuntime(context_, request.runtime_type, source.format));
  KENNING_RETURN_IF_ERROR(CheckFormat(*info, source.format));
  KENNING_ASSIGN_OR_RETURN(const Params params, ParamsFor(*info, request));
  if (!request.sha256.empty()) KENNING_RETURN_IF_ERROR(KeepCopy(source.path, params));
  if (context_.page != nullptr) {
    context_.page->model.Set(
        fmt::format("{} model {} in {}", source.format, request.sha256.substr(0, 12), info->name));
  }
  const std::int64_t start_ns = MonotonicNowNs();
  KENNING_ASSIGN_OR_RETURN(auto runtime, info->make_runtime(params, blocks_));
  KENNING_ASSIGN_OR_RETURN(auto session, runtime->Load(source.path, source.format));
  const std::int64_t load_ns = MonotonicNowNs() - start_ns;
  if (said) KENNING_RETURN_IF_ERROR(CheckIoSpec(*said, session->spec()));
  runtime_ = std::move(runtime);
  session_ = std::move(session);
  const bool measure = !(info->schema.Find(kNoMeasurements) != nullptr &&
                         params.Has(kNoMeasurements) && params.Bool(kNoMeasurements));
  sampler_.reset();
  if (measure) {
    sampler_ = std::make_unique<SystemSampler>();
    sampler_->Start(kSampleInterval_s);
  }
  return wire::LoadedModel{session_->spec(), runtime_->engine(), info->name, load_ns};
}

Result<std::vector<TensorSpec>> EngineBackend::Resolve(std::span<const Shape> input_shapes) {
  if (session_ == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "no model is loaded; send one first");
  }
  return session_->ResolveOutputs(input_shapes);
}

Result<> EngineBackend::Invoke(std::span<const TensorView> inputs,
                               std::span<const MutableTensorView> outputs,
                               wire::InferTimes& times) {
  if (session_ == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "no model is loaded; send one first");
  }
  times.invoke_start_ns = MonotonicNowNs();
  Result<> done = session_->Invoke(inputs, outputs);
  times.invoke_end_ns = MonotonicNowNs();
  return done;
}

Result<std::string> EngineBackend::Statistics(bool native) {
  if (sampler_ == nullptr) {
    // Before a model there are no readings; which sensors there are is known all the same.
    return native ? TargetStatisticsJson(SystemSampler().Statistics()) : "{}";
  }
  const TargetStatistics statistics = sampler_->Statistics();
  return native ? TargetStatisticsJson(statistics) : KenningStatisticsJson(statistics);
}

Result<std::vector<OperatorProfile>> EngineBackend::Profile() {
  if (session_ == nullptr) {
    return Fail(ErrorCode::kFailedPrecondition, "no model is loaded; send one first");
  }
  return session_->Profile();
}

std::string EngineBackend::Describe() {
  const PlatformInfo host = DescribeHost();
  Json engines = Json::array();
  for (const BlockInfo* info : context_.registry.List(BlockCategory::kRuntime)) {
    const Availability here = info->probe ? info->probe() : Availability{};
    if (!here.available) continue;
    engines.push_back(
        {{"engine", info->engine}, {"runtime", info->name}, {"formats", info->accepts}});
  }
  const Json json = {{"agent_version", KENNING_VERSION},
                     {"engines", engines},
                     {"cpu",
                      {{"model", host.cpu_model},
                       {"architecture", host.architecture},
                       {"cores", host.logical_cores},
                       {"features", host.features}}},
                     {"memory_bytes", host.memory_bytes},
                     {"kernel", host.kernel},
                     {"user", ::geteuid() == 0 ? "root" : fmt::format("uid {}", ::geteuid())},
                     {"sandbox", context_.sandbox_layers},
                     {"optimizers_allowed", context_.options.sandbox.allow_optimizers},
                     {"session_memory_limit_bytes", context_.options.session.max_memory_bytes},
                     {"store",
                      {{"used_bytes", context_.store.UsedBytes()},
                       {"max_bytes", context_.store.limits().max_bytes}}}};
  return json.dump(-1, ' ', true, Json::error_handler_t::replace);
}

}  // namespace kenning::target
