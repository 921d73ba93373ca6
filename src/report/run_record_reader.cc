// SPDX-License-Identifier: Apache-2.0
// The "kenning_cpp" object both ways.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/json_values.h"
#include "report/load_json.h"
#include "report/run_record_io.h"
#include "report/run_record_json.h"
#include "report/system_json.h"
#include "report/target_json.h"

namespace kenning {
namespace {

using nlohmann::json;

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

DType DTypeFromJson(const json& value) {
  const std::optional<DType> dtype = ParseDType(value.get<std::string>());
  if (!dtype) ThrowWrongValue(value, "a type as NumPy spells it (\"float32\", \"int8\", …)");
  return *dtype;
}

TensorSpec SpecFromJson(const json& item) {
  TensorSpec spec;
  spec.name = item.at("name");
  spec.dtype = DTypeFromJson(item.at("dtype"));
  spec.shape = Wholes<std::int64_t>(item.at("shape"));
  spec.layout = item.value("layout", "");
  if (item.contains("scale")) {
    spec.quant = QuantParams{Floats(item["scale"]), Wholes<std::int64_t>(item.at("zero_point")),
                             Whole<int>(item.at("axis"))};
  }
  if (item.contains("prequantized_dtype")) {
    spec.prequantized_dtype = DTypeFromJson(item["prequantized_dtype"]);
  }
  if (item.contains("order")) spec.order = Whole<int>(item["order"]);
  spec.class_names = item.value("class_names", std::vector<std::string>{});
  if (item.contains("mean")) spec.mean = Floats(item["mean"]);
  if (item.contains("std")) spec.stddev = Floats(item["std"]);
  return spec;
}

std::vector<TensorSpec> SpecsFromJson(const json& list) {
  std::vector<TensorSpec> specs;
  for (const json& item : List(list)) specs.push_back(SpecFromJson(item));
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
  artifact.size_bytes = Whole<std::uint64_t>(item.at("size_bytes"));
  for (const json& step : List(item.at("provenance"))) {
    artifact.provenance.push_back({step.at("block"), step.at("framework"), step.at("version"),
                                   step.at("parameters"), step.at("notes"),
                                   Real(step.at("duration_s")), step.at("finished_at")});
  }
  artifact.spec = {SpecsFromJson(item.at("inputs")), SpecsFromJson(item.at("processed_inputs")),
                   SpecsFromJson(item.at("outputs")), SpecsFromJson(item.at("processed_outputs"))};
  return artifact;
}

json EnvironmentToJson(const Environment& environment) {
  return {{"platform", PlatformToJson(environment.platform)},
          {"governor", environment.governor},
          {"load_average_1min", environment.load_average_1min},
          {"kenning_version", environment.kenning_version},
          {"git_revision", environment.git_revision},
          {"started_at", environment.started_at},
          {"versions", environment.versions},
          {"warnings", environment.warnings}};
}

Environment EnvironmentFromJson(const json& item) {
  Environment environment;
  environment.platform = PlatformFromJson(item.at("platform"));
  environment.governor = item.at("governor");
  environment.load_average_1min = static_cast<float>(Real(item.at("load_average_1min")));
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
    system.push_back(SystemReadingToJson(r, log.started_ns));
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
          {"system", std::move(system)},
          {"sensors", SensorsToJson<json>(log.sensors)}};
}

Observation ObservationFromColumns(const std::array<const json*, 6>& columns, std::size_t row,
                                   std::int64_t base_ns) {
  const auto& [start, duration, sample, count, step, phase] = columns;
  Observation o;
  o.start_ns = base_ns + Nanoseconds((*start)[row]);
  o.end_ns = o.start_ns + Nanoseconds((*duration)[row]);
  if (o.end_ns < o.start_ns) ThrowWrongValue((*duration)[row], "a duration");
  o.first_sample = Whole<std::uint32_t>((*sample)[row]);
  o.sample_count = Whole<std::uint16_t>((*count)[row]);
  o.step = static_cast<Step>(Whole<int>((*step)[row], 0, kStepCount - 1));
  o.phase = static_cast<Phase>(Whole<int>((*phase)[row], 0, 1));
  return o;
}

std::vector<Observation> ObservationsFromJson(const json& item, std::int64_t base_ns) {
  const std::array<const json*, 6> columns = {
      &List(item.at("start_ns")), &List(item.at("duration_ns")), &List(item.at("sample")),
      &List(item.at("count")),    &List(item.at("step")),        &List(item.at("phase"))};
  for (const json* column : columns) {
    if (column->size() != columns[0]->size()) {
      ThrowWrongValue(*column, fmt::format("a list as long as start_ns ({})", columns[0]->size()));
    }
  }
  std::vector<Observation> observations;
  observations.reserve(columns[0]->size());
  for (std::size_t row = 0; row < columns[0]->size(); ++row) {
    observations.push_back(ObservationFromColumns(columns, row, base_ns));
  }
  return observations;
}

MeasurementLog LogFromJson(const json& item) {
  MeasurementLog log;
  // Half the span of the clock, so that sums of base and offset stay within it, too.
  log.started_ns = Nanoseconds(item.at("started_ns"));
  log.ended_ns = Nanoseconds(item.at("ended_ns"));
  log.complete = item.at("complete");
  log.process_peak_resident_bytes = Whole<std::uint64_t>(item.at("process_peak_resident_bytes"));
  log.observations = ObservationsFromJson(item.at("observations"), log.started_ns);
  if (item.contains("sensors")) log.sensors = SensorsFromJson(item["sensors"]);
  for (const json& r : List(item.at("system"))) {
    log.system.push_back(SystemReadingFromJson(r, log.started_ns, log.sensors.size()));
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

ClassificationEvaluation EvaluationFromJson(const json& item) {
  ClassificationEvaluation e;
  e.class_names = item.at("class_names").get<std::vector<std::string>>();
  for (const json& row : List(item.at("confusion"))) {
    e.confusion.push_back(Wholes<std::uint64_t>(row));
  }
  e.total = Whole<std::uint64_t>(item.at("total"));
  e.top5_correct = Whole<std::uint64_t>(item.at("top5_correct"));
  e.non_finite_samples = Whole<std::uint64_t>(item.at("non_finite_samples"));
  e.ids = Wholes<SampleId>(item.at("ids"));
  e.truth = Wholes<std::int32_t>(item.at("truth"));
  e.predicted = Wholes<std::int32_t>(item.at("predicted"));
  CheckEvaluation(e, item);
  return e;
}

/// The report pairs the target's times with the inferences.
void CheckTarget(const RunRecord& record, const json& where) {
  const auto inferences = static_cast<std::size_t>(
      std::ranges::count(record.log.observations, Step::kInference, &Observation::step));
  if (record.target->times.size() != inferences) {
    ThrowWrongValue(where,
                    fmt::format("times of {} inferences, as there are in the log", inferences));
  }
}

RunRecord RecordFromFacts(const json& facts) {
  RunRecord record;
  record.name = facts.at("name");
  record.scenario_json = facts.at("scenario_json");
  record.scenario_path = facts.at("scenario_path");
  record.command = facts.at("command").get<std::vector<std::string>>();
  record.environment = EnvironmentFromJson(facts.at("environment"));
  record.artifact = ArtifactFromJson(facts.at("artifact"));
  record.original_size_bytes = Whole<std::uint64_t>(facts.at("original_size_bytes"));
  record.model_framework = facts.at("model_framework");
  record.dataset_name = facts.at("dataset_name");
  record.split_name = facts.at("split_name");
  record.batch_size = Whole<std::size_t>(facts.at("batch_size"));
  record.engine = {facts.at("engine").at("name"), facts.at("engine").at("version")};
  record.log = LogFromJson(facts.at("log"));
  if (facts.contains("load")) {
    record.load = LoadFromJson(facts["load"], record.log.started_ns);
  }
  if (!facts.at("evaluation").is_null()) {
    record.evaluation = EvaluationFromJson(facts.at("evaluation"));
  }
  for (const json& item : List(facts.at("profile"))) {
    record.profile.push_back({item.at("name"), item.at("op_type"), Nanoseconds(item.at("total_ns")),
                              Whole<std::uint64_t>(item.at("calls"))});
  }
  if (facts.contains("target")) {
    record.target = TargetFromJson(facts["target"], record.log.started_ns);
    CheckTarget(record, facts["target"]);
  }
  return record;
}

}  // namespace

json RunRecordFacts(const RunRecord& record) {
  json profile = json::array();
  for (const OperatorProfile& p : record.profile) {
    profile.push_back(
        {{"name", p.name}, {"op_type", p.op_type}, {"total_ns", p.total_ns}, {"calls", p.calls}});
  }
  json facts = {
      {"format_version", kRunRecordFormatVersion},
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
  if (record.load) facts["load"] = LoadToJson(*record.load, record.log.started_ns);
  if (record.target) facts["target"] = TargetToJson(*record.target, record.log.started_ns);
  return facts;
}

void CheckEvaluation(const ClassificationEvaluation& e, const json& where) {
  const std::size_t classes = e.class_names.size();
  if (e.confusion.size() != classes) {
    ThrowWrongValue(where, fmt::format("a confusion matrix of {} rows, as there are class names, "
                                       "not {}",
                                       classes, e.confusion.size()));
  }
  std::uint64_t counted = 0;
  for (const auto& row : e.confusion) {
    if (row.size() != classes) ThrowWrongValue(where, "a square confusion matrix");
    for (const std::uint64_t count : row) {
      if (__builtin_add_overflow(counted, count, &counted)) counted = ~std::uint64_t{0};
    }
  }
  if (counted > e.total || e.total - counted < e.non_finite_samples || e.top5_correct > e.total) {
    ThrowWrongValue(where, fmt::format("counts that fit a total of {}", e.total));
  }
  if (e.ids.size() != e.truth.size() || e.ids.size() != e.predicted.size()) {
    ThrowWrongValue(where, "ids, truth and predicted of one length");
  }
  const auto count = static_cast<std::int64_t>(classes);
  for (std::size_t i = 0; i < e.truth.size(); ++i) {
    if (e.truth[i] < 0 || e.truth[i] >= count || e.predicted[i] < -1 || e.predicted[i] >= count) {
      ThrowWrongValue(where, fmt::format("truth and prediction of sample {} among the classes", i));
    }
  }
}

Result<RunRecord> RunRecordFromJson(std::string_view text, const std::string& file_name) {
  try {
    const json file = ParseJson(text);
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
    const auto version = Whole<std::int64_t>(facts.at("format_version"));
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
  }
}

}  // namespace kenning
