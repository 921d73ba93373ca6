// SPDX-License-Identifier: Apache-2.0
#include "report/load_json.h"

#include <fmt/format.h>

#include <array>
#include <cmath>

#include "measure/load_pattern.h"
#include "report/json_values.h"

namespace kenning {
namespace {

using nlohmann::json;

json SettingsToJson(const LoadSettings& s) {
  return {{"pattern", LoadPatternName(s.pattern)},
          {"rate_qps", s.rate_qps},
          {"latency_bound_ns", s.latency_bound_ns},
          {"percentile", s.percentile},
          {"confidence", s.confidence},
          {"min_duration_s", s.min_duration_s},
          {"max_duration_s", s.max_duration_s},
          {"min_queries", s.min_queries},
          {"max_queries", s.max_queries},
          {"streams", s.streams},
          {"samples_per_query", s.samples_per_query},
          {"seed", s.seed}};
}

double Within(const json& value, double least, double most) {
  const double number = Real(value);
  if (!(number >= least && number <= most)) {
    ThrowWrongValue(value, fmt::format("a number from {:g} to {:g}", least, most));
  }
  return number;
}

LoadSettings SettingsFromJson(const json& item) {
  LoadSettings s;
  const auto pattern = LoadPatternOf(item.at("pattern").get<std::string>());
  if (!pattern) ThrowWrongValue(item["pattern"], "a load pattern");
  s.pattern = *pattern;
  s.rate_qps = Within(item.at("rate_qps"), 0, 1e9);
  s.latency_bound_ns = Nanoseconds(item.at("latency_bound_ns"));
  // Where the percentiles' counts stay below 2^53.
  s.percentile = Within(item.at("percentile"), 1e-6, 1 - 1e-6);
  s.confidence = Within(item.at("confidence"), 1e-6, 1 - 1e-6);
  s.min_duration_s = Within(item.at("min_duration_s"), 0, 1e12);
  s.max_duration_s = Within(item.at("max_duration_s"), 0, 1e12);
  s.min_queries = Whole<std::uint64_t>(item.at("min_queries"));
  s.max_queries = Whole<std::uint64_t>(item.at("max_queries"));
  s.streams = Whole<std::uint32_t>(item.at("streams"));
  s.samples_per_query = Whole<std::uint32_t>(item.at("samples_per_query"));
  s.seed = Whole<std::uint64_t>(item.at("seed"));
  return s;
}

/// -1: without an answer.
std::vector<QueryTimes> QueriesFromJson(const json& item, std::int64_t base_ns) {
  const std::array<const json*, 3> columns = {
      &List(item.at("scheduled_ns")), &List(item.at("delay_ns")), &List(item.at("latency_ns"))};
  for (const json* column : columns) {
    if (column->size() != columns[0]->size()) {
      ThrowWrongValue(*column,
                      fmt::format("a list as long as scheduled_ns ({})", columns[0]->size()));
    }
  }
  // So that sums of three stay within 64 bits.
  constexpr std::int64_t kLongest = 1'000'000'000'000'000'000;
  std::vector<QueryTimes> queries;
  queries.reserve(columns[0]->size());
  for (std::size_t row = 0; row < columns[0]->size(); ++row) {
    QueryTimes query;
    query.scheduled_ns = base_ns + Nanoseconds((*columns[0])[row]);
    query.issued_ns =
        query.scheduled_ns + Whole<std::int64_t>((*columns[1])[row], -kLongest, kLongest);
    const auto latency = Whole<std::int64_t>((*columns[2])[row], -1, kLongest);
    query.completed_ns = latency < 0 ? 0 : query.scheduled_ns + latency;
    queries.push_back(query);
  }
  return queries;
}

}  // namespace

json LoadToJson(const LoadRun& load, std::int64_t base_ns) {
  json scheduled = json::array();
  json delay = json::array();
  json latency = json::array();
  for (const QueryTimes& query : load.queries) {
    scheduled.push_back(query.scheduled_ns - base_ns);
    delay.push_back(query.issued_ns - query.scheduled_ns);
    latency.push_back(query.completed_ns == 0 ? -1 : query.completed_ns - query.scheduled_ns);
  }
  json trials = json::array();
  for (const LoadTrial& trial : load.trials) {
    trials.push_back({{"rate_qps", trial.rate_qps},
                      {"first_query", trial.first_query},
                      {"queries", trial.queries},
                      {"confirms", trial.confirms}});
  }
  return {{"settings", SettingsToJson(load.settings)},
          {"pool_samples", load.pool_samples},
          {"batch_size", load.batch_size},
          {"queries",
           {{"scheduled_ns", std::move(scheduled)},
            {"delay_ns", std::move(delay)},
            {"latency_ns", std::move(latency)}}},
          {"trials", std::move(trials)}};
}

LoadRun LoadFromJson(const json& item, std::int64_t base_ns) {
  LoadRun load;
  load.settings = SettingsFromJson(item.at("settings"));
  load.pool_samples = Whole<std::uint32_t>(item.at("pool_samples"));
  load.batch_size = Whole<std::uint32_t>(item.at("batch_size"));
  load.queries = QueriesFromJson(item.at("queries"), base_ns);
  for (const json& trial : List(item.at("trials"))) {
    const auto first = Whole<std::uint64_t>(trial.at("first_query"), 0, load.queries.size());
    const auto count = Whole<std::uint64_t>(trial.at("queries"), 0, load.queries.size() - first);
    load.trials.push_back(
        {Within(trial.at("rate_qps"), 0, 1e9), first, count, trial.at("confirms").get<bool>()});
  }
  return load;
}

}  // namespace kenning
