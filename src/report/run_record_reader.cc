// SPDX-License-Identifier: Apache-2.0
// The "kenning_cpp" object both ways, and the reading of files that Python Kenning wrote.
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "report/run_record_io.h"
#include "report/run_record_json.h"

namespace kenning {
namespace {

using nlohmann::json;

constexpr std::size_t kMostClasses = 100'000;

json SpecsToJson(const std::vector<TensorSpec>& specs) {
  json list = json::array();
  for (const TensorSpec& spec : specs) {
    json item = {{"name", spec.name}, {"dtype", DTypeName(spec.dtype)}, {"shape", spec.shape}};
    if (!spec.layout.empty()) item["layout"] = spec.layout;
    if (spec.quant) {
      item["scale"] = spec.quant->scale;
      item["zero_point"] = spec.quant->zero_point;
      item["axis"] = spec.quant->axis;
    }
    if (spec.prequantized_dtype) item["prequantized_dtype"] = DTypeName(*spec.prequantized_dtype);
    if (spec.order) item["order"] = *spec.order;
    if (!spec.class_names.empty()) item["class_names"] = spec.class_names;
    if (!spec.mean.empty()) item["mean"] = spec.mean;
    if (!spec.stddev.empty()) item["std"] = spec.stddev;
    list.push_back(std::move(item));
  }
  return list;
}

std::vector<TensorSpec> SpecsFromJson(const json& list) {
  std::vector<TensorSpec> specs;
  for (const json& item : list) {
    TensorSpec spec;
    spec.name = item.at("name");
    spec.dtype = ParseDType(item.at("dtype").get<std::string>()).value_or(DType::kFloat32);
    spec.shape = item.at("shape").get<Shape>();
    spec.layout = item.value("layout", "");
    if (item.contains("scale")) {
      spec.quant = QuantParams{item["scale"].get<std::vector<float>>(),
                               item.at("zero_point").get<std::vector<std::int64_t>>(),
                               item.value("axis", 0)};
    }
    if (item.contains("prequantized_dtype")) {
      spec.prequantized_dtype = ParseDType(item["prequantized_dtype"].get<std::string>());
    }
    if (item.contains("order")) spec.order = item["order"].get<int>();
    spec.class_names = item.value("class_names", std::vector<std::string>{});
    spec.mean = item.value("mean", std::vector<float>{});
    spec.stddev = item.value("std", std::vector<float>{});
    specs.push_back(std::move(spec));
  }
  return specs;
}

json ArtifactToJson(const ModelArtifact& artifact) {
  json steps = json::array();
  for (const ProvenanceStep& step : artifact.provenance) {
    steps.push_back({{"block", step.block},
                     {"framework", step.framework},
                     {"version", step.version},
                     {"parameters", step.parameters},
                     {"notes", step.notes},
                     {"duration_s", step.duration_s},
                     {"finished_at", step.finished_at}});
  }
  return {{"path", artifact.path.string()},
          {"format", artifact.format},
          {"sha256", artifact.sha256},
          {"size_bytes", artifact.size_bytes},
          {"provenance", std::move(steps)},
          {"inputs", SpecsToJson(artifact.spec.inputs)},
          {"processed_inputs", SpecsToJson(artifact.spec.processed_inputs)},
          {"outputs", SpecsToJson(artifact.spec.outputs)},
          {"processed_outputs", SpecsToJson(artifact.spec.processed_outputs)}};
}

ModelArtifact ArtifactFromJson(const json& item) {
  ModelArtifact artifact;
  artifact.path = item.at("path").get<std::string>();
  artifact.format = item.at("format");
  artifact.sha256 = item.at("sha256");
  artifact.size_bytes = item.at("size_bytes");
  for (const json& step : item.at("provenance")) {
    artifact.provenance.push_back({step.at("block"), step.at("framework"), step.at("version"),
                                   step.at("parameters"), step.at("notes"), step.at("duration_s"),
                                   step.at("finished_at")});
  }
  artifact.spec = {SpecsFromJson(item.at("inputs")), SpecsFromJson(item.at("processed_inputs")),
                   SpecsFromJson(item.at("outputs")), SpecsFromJson(item.at("processed_outputs"))};
  return artifact;
}

json EnvironmentToJson(const Environment& environment) {
  const PlatformInfo& platform = environment.platform;
  return {{"platform",
           {{"name", platform.name},
            {"cpu_model", platform.cpu_model},
            {"architecture", platform.architecture},
            {"logical_cores", platform.logical_cores},
            {"features", platform.features},
            {"memory_bytes", platform.memory_bytes},
            {"kernel", platform.kernel},
            {"extra", platform.extra}}},
          {"governor", environment.governor},
          {"load_average_1min", environment.load_average_1min},
          {"kenning_version", environment.kenning_version},
          {"git_revision", environment.git_revision},
          {"started_at", environment.started_at},
          {"versions", environment.versions},
          {"warnings", environment.warnings}};
}

Environment EnvironmentFromJson(const json& item) {
  const json& p = item.at("platform");
  Environment environment;
  environment.platform = {p.at("name"),          p.at("cpu_model"), p.at("architecture"),
                          p.at("logical_cores"), p.at("features"),  p.at("memory_bytes"),
                          p.at("kernel"),        p.at("extra")};
  environment.governor = item.at("governor");
  environment.load_average_1min = item.at("load_average_1min");
  environment.kenning_version = item.at("kenning_version");
  environment.git_revision = item.at("git_revision");
  environment.started_at = item.at("started_at");
  environment.versions = item.at("versions").get<std::map<std::string, std::string>>();
  environment.warnings = item.at("warnings").get<std::vector<std::string>>();
  return environment;
}

/// Columns: ten thousand observations are ten thousand small numbers a column, not as many objects.
json LogToJson(const MeasurementLog& log) {
  json start = json::array();
  json duration = json::array();
  json sample = json::array();
  json count = json::array();
  json step = json::array();
  json phase = json::array();
  for (const Observation& o : log.observations) {
    start.push_back(o.start_ns - log.started_ns);
    duration.push_back(o.end_ns - o.start_ns);
    sample.push_back(o.first_sample);
    count.push_back(o.sample_count);
    step.push_back(static_cast<int>(o.step));
    phase.push_back(static_cast<int>(o.phase));
  }
  json system = json::array();
  for (const SystemReading& r : log.system) {
    system.push_back({{"time_ns", r.time_ns - log.started_ns},
                      {"cpu_percent", r.cpu_percent},
                      {"memory_percent", r.memory_percent},
                      {"process_resident_bytes", r.process_resident_bytes},
                      {"frequency_mhz", r.frequency_mhz},
                      {"temperature_c", r.temperature_c}});
  }
  return {{"started_ns", log.started_ns},
          {"ended_ns", log.ended_ns},
          {"complete", log.complete},
          {"process_peak_resident_bytes", log.process_peak_resident_bytes},
          {"observations",
           {{"start_ns", std::move(start)},
            {"duration_ns", std::move(duration)},
            {"sample", std::move(sample)},
            {"count", std::move(count)},
            {"step", std::move(step)},
            {"phase", std::move(phase)}}},
          {"system", std::move(system)}};
}

/// Throws json::exception or std::out_of_range; the caller turns both into an Error.
MeasurementLog LogFromJson(const json& item) {
  MeasurementLog log;
  log.started_ns = item.at("started_ns");
  log.ended_ns = item.at("ended_ns");
  log.complete = item.at("complete");
  log.process_peak_resident_bytes = item.at("process_peak_resident_bytes");
  const json& columns = item.at("observations");
  const json& start = columns.at("start_ns");
  log.observations.reserve(start.size());
  for (std::size_t i = 0; i < start.size(); ++i) {
    Observation o;
    o.start_ns = log.started_ns + start.at(i).get<std::int64_t>();
    o.end_ns = o.start_ns + columns.at("duration_ns").at(i).get<std::int64_t>();
    o.first_sample = columns.at("sample").at(i);
    o.sample_count = columns.at("count").at(i);
    const int step = columns.at("step").at(i);
    const int phase = columns.at("phase").at(i);
    if (step < 0 || step >= kStepCount || phase < 0 || phase > 1) {
      throw std::out_of_range(fmt::format("observations: row {} has an unknown step or phase", i));
    }
    o.step = static_cast<Step>(step);
    o.phase = static_cast<Phase>(phase);
    log.observations.push_back(o);
  }
  for (const json& r : item.at("system")) {
    log.system.push_back({log.started_ns + r.at("time_ns").get<std::int64_t>(),
                          r.at("cpu_percent").get<std::vector<float>>(), r.at("memory_percent"),
                          r.at("process_resident_bytes"), r.at("frequency_mhz"),
                          r.at("temperature_c")});
  }
  return log;
}

json EvaluationToJson(const ClassificationEvaluation& e) {
  return {{"class_names", e.class_names},
          {"confusion", e.confusion},
          {"total", e.total},
          {"top5_correct", e.top5_correct},
          {"non_finite_samples", e.non_finite_samples},
          {"ids", e.ids},
          {"truth", e.truth},
          {"predicted", e.predicted}};
}

void CheckEvaluation(const ClassificationEvaluation& e) {
  const std::size_t classes = e.class_names.size();
  bool square = e.confusion.size() == classes && classes <= kMostClasses;
  for (const auto& row : e.confusion) square = square && row.size() == classes;
  if (!square) throw std::out_of_range("evaluation: the confusion matrix does not fit class_names");
  if (e.ids.size() != e.truth.size() || e.ids.size() != e.predicted.size()) {
    throw std::out_of_range("evaluation: ids, truth and predicted differ in length");
  }
  for (std::size_t i = 0; i < e.truth.size(); ++i) {
    const auto count = static_cast<std::int64_t>(classes);
    if (e.truth[i] < 0 || e.truth[i] >= count || e.predicted[i] < -1 || e.predicted[i] >= count) {
      throw std::out_of_range(fmt::format("evaluation: sample {} is of no class", i));
    }
  }
}

ClassificationEvaluation EvaluationFromJson(const json& item) {
  ClassificationEvaluation e;
  e.class_names = item.at("class_names").get<std::vector<std::string>>();
  e.confusion = item.at("confusion").get<std::vector<std::vector<std::uint64_t>>>();
  e.total = item.at("total");
  e.top5_correct = item.at("top5_correct");
  e.non_finite_samples = item.at("non_finite_samples");
  e.ids = item.at("ids").get<std::vector<SampleId>>();
  e.truth = item.at("truth").get<std::vector<std::int32_t>>();
  e.predicted = item.at("predicted").get<std::vector<std::int32_t>>();
  CheckEvaluation(e);
  return e;
}

RunRecord RecordFromFacts(const json& facts) {
  RunRecord record;
  record.name = facts.at("name");
  record.scenario_json = facts.at("scenario_json");
  record.scenario_path = facts.at("scenario_path");
  record.command = facts.at("command").get<std::vector<std::string>>();
  record.environment = EnvironmentFromJson(facts.at("environment"));
  record.artifact = ArtifactFromJson(facts.at("artifact"));
  record.original_size_bytes = facts.at("original_size_bytes");
  record.model_framework = facts.at("model_framework");
  record.dataset_name = facts.at("dataset_name");
  record.split_name = facts.at("split_name");
  record.batch_size = facts.at("batch_size");
  record.engine = {facts.at("engine").at("name"), facts.at("engine").at("version")};
  record.log = LogFromJson(facts.at("log"));
  if (!facts.at("evaluation").is_null()) {
    record.evaluation = EvaluationFromJson(facts.at("evaluation"));
  }
  for (const json& item : facts.at("profile")) {
    record.profile.push_back(
        {item.at("name"), item.at("op_type"), item.at("total_ns"), item.at("calls")});
  }
  return record;
}

std::int64_t ToNs(const json& seconds) { return std::llround(seconds.get<double>() * 1e9); }

/// Kenning writes a series of durations and one of the times at which they ended.
void AddKenningSeries(const json& file, const char* key, Step step, MeasurementLog& log) {
  if (!file.contains(key)) return;
  const json& durations = file.at(key);
  const std::string stamp_key = std::string(key) + "_timestamp";
  for (std::size_t i = 0; i < durations.size(); ++i) {
    Observation o;
    o.step = step;
    o.first_sample = static_cast<std::uint32_t>(i);
    const bool stamped = file.contains(stamp_key) && i < file[stamp_key].size();
    o.end_ns = stamped ? ToNs(file[stamp_key][i]) : ToNs(durations[i]);
    o.start_ns = o.end_ns - ToNs(durations[i]);
    log.observations.push_back(o);
  }
}

void AddKenningEvaluation(const json& file, RunRecord& record) {
  if (!file.contains("eval_confusion_matrix")) return;
  ClassificationEvaluation e;
  for (const json& row : file["eval_confusion_matrix"]) {
    std::vector<std::uint64_t> counts;
    for (const json& count : row) {
      const double value = count.get<double>();
      if (!(value >= 0) || value > 9e15)
        throw std::out_of_range("eval_confusion_matrix: bad count");
      counts.push_back(static_cast<std::uint64_t>(std::llround(value)));
      e.total += counts.back();
    }
    e.confusion.push_back(std::move(counts));
  }
  e.class_names = file.value("class_names", std::vector<std::string>{});
  while (e.class_names.size() < e.confusion.size()) {
    e.class_names.push_back(fmt::format("class {}", e.class_names.size()));
  }
  e.top5_correct = file.value("top_5_count", std::uint64_t{0});
  CheckEvaluation(e);
  record.evaluation = std::move(e);
}

/// A file of Python Kenning: what it holds.
RunRecord RecordFromKenning(const json& file) {
  RunRecord record;
  record.command = file.value("command", std::vector<std::string>{});
  record.scenario_path = file.value("cfg_path", "");
  if (file.contains("build_cfg")) record.scenario_json = file["build_cfg"].dump();
  record.model_framework =
      file.value("model_framework", "") + " " + file.value("model_version", "");
  record.artifact.size_bytes =
      static_cast<std::uint64_t>(std::max(0.0, file.value("compiled_model_size", 0.0)));
  for (const json& item : file.value("optimizers", json::array())) {
    ProvenanceStep step;
    step.framework = item.value("compiler_framework", "");
    step.version = item.value("compiler_version", "");
    step.block = step.framework;
    record.artifact.provenance.push_back(std::move(step));
  }
  MeasurementLog& log = record.log;
  AddKenningSeries(file, "input_preprocess_step", Step::kPreprocess, log);
  AddKenningSeries(file, "target_inference_step", Step::kInference, log);
  if (!file.contains("target_inference_step")) {
    AddKenningSeries(file, "protocol_inference_step", Step::kInference, log);
  }
  AddKenningSeries(file, "output_postprocess_step", Step::kPostprocess, log);
  const json times = file.value("session_utilization_timestamp", json::array());
  for (std::size_t i = 0; i < times.size(); ++i) {
    SystemReading reading;
    reading.time_ns = ToNs(times[i]);
    const json& cpus = file.at("session_utilization_cpus_percent");
    const json& memory = file.at("session_utilization_mem_percent");
    if (i < cpus.size()) reading.cpu_percent = cpus[i].get<std::vector<float>>();
    if (i < memory.size()) reading.memory_percent = memory[i].get<float>();
    log.system.push_back(std::move(reading));
  }
  if (!log.observations.empty()) log.started_ns = log.observations.front().start_ns;
  log.complete = true;
  record.environment.warnings.push_back(
      "written by Python Kenning: its inference times contain its own Python wrapper");
  AddKenningEvaluation(file, record);
  return record;
}

}  // namespace

json RunRecordFacts(const RunRecord& record) {
  json profile = json::array();
  for (const OperatorProfile& p : record.profile) {
    profile.push_back(
        {{"name", p.name}, {"op_type", p.op_type}, {"total_ns", p.total_ns}, {"calls", p.calls}});
  }
  return {{"format_version", kRunRecordFormatVersion},
          {"name", record.name},
          {"scenario_json", record.scenario_json},
          {"scenario_path", record.scenario_path},
          {"command", record.command},
          {"environment", EnvironmentToJson(record.environment)},
          {"artifact", ArtifactToJson(record.artifact)},
          {"original_size_bytes", record.original_size_bytes},
          {"model_framework", record.model_framework},
          {"dataset_name", record.dataset_name},
          {"split_name", record.split_name},
          {"batch_size", record.batch_size},
          {"engine", {{"name", record.engine.name}, {"version", record.engine.version}}},
          {"log", LogToJson(record.log)},
          {"evaluation", record.evaluation ? EvaluationToJson(*record.evaluation) : json(nullptr)},
          {"profile", std::move(profile)}};
}

Result<RunRecord> RunRecordFromJson(std::string_view text, const std::string& file_name) {
  json file;
  try {
    file = json::parse(text);
    if (!file.is_object()) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: not a measurements file: a JSON object is expected", file_name));
    }
    if (!file.contains("kenning_cpp")) {
      if (!file.contains("target_inference_step") && !file.contains("protocol_inference_step") &&
          !file.contains("eval_confusion_matrix")) {
        return Fail(ErrorCode::kInvalidData,
                    fmt::format("{}: not a measurements file: neither \"kenning_cpp\" nor any of "
                                "Kenning's own keys is there",
                                file_name));
      }
      return RecordFromKenning(file);
    }
    const json& facts = file["kenning_cpp"];
    const int version = facts.at("format_version");
    if (version != kRunRecordFormatVersion) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: written in format version {}, this kenning reads version {}; "
                              "update kenning",
                              file_name, version, kRunRecordFormatVersion));
    }
    return RecordFromFacts(facts);
  } catch (const json::exception& exception) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: broken measurements file: {}; run \"kenning test\" again",
                            file_name, exception.what()));
  } catch (const std::out_of_range& exception) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: broken measurements file: {}", file_name, exception.what()));
  }
}

}  // namespace kenning
