// SPDX-License-Identifier: Apache-2.0
#include "cli/load_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "measure/load_pattern.h"

namespace kenning {

void LoadFlags::AddTo(CLI::App& app) {
  std::vector<std::string> names;
  for (int i = 0; i < kLoadPatternCount; ++i) {
    names.emplace_back(LoadPatternName(static_cast<LoadPattern>(i)));
  }
  const auto add = [this, &app](const char* flag, auto& value, const char* description,
                                const char* type) {
    auto* option = app.add_option(flag, value, description)->type_name(type)->group("Load");
    options_.push_back(option);
    return option;
  };
  pattern_option_ =
      app.add_option("--load-pattern", pattern_,
                     "Time queries that come in this way: single-stream, multi-stream, server,\n"
                     "offline or find-peak; nothing is evaluated")
          ->check(CLI::IsMember(names).description(""))
          ->type_name("PATTERN")
          ->group("Load");
  add("--load-rate", rate_, "Queries a second (server); where find-peak starts", "QPS");
  add("--latency-bound", bound_, "What a query may take from when it was due, e.g. 10ms", "TIME");
  add("--latency-percentile", percentile_, "Of the queries, in percent; 90 or 99 by default", "P");
  add("--min-duration", min_duration_, "Of the run, or of a trial of find-peak; 10s by default",
      "TIME");
  add("--max-duration", max_duration_, "The same at most; 600s by default", "TIME");
  add("--min-queries", min_queries_,
      "By default as many as the percentile needs at 99 % confidence; of offline: samples", "N");
  add("--max-queries", max_queries_, "The run ends then, decided or not", "N");
  add("--streams", streams_, "Sessions of the model that work side by side", "N");
  add("--samples-per-query", samples_, "8 for multi-stream, else one batch", "N");
  add("--seed,--load-seed", seed_, "Of arrival times and of the choice of samples", "N");
}

Result<std::optional<LoadSettings>> LoadFlags::Collect() const {
  if (pattern_option_->count() == 0) {
    for (const CLI::Option* option : options_) {
      if (option->count() == 0) continue;
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("{} needs --load-pattern", option->get_name()));
    }
    return std::optional<LoadSettings>();
  }
  LoadSettings settings = DefaultLoadSettings(*LoadPatternOf(pattern_));
  settings.samples_per_query = samples_.value_or(0);
  if (samples_ && *samples_ == 0) {
    return Fail(ErrorCode::kInvalidScenario, "--samples-per-query: at least 1");
  }
  if (rate_) settings.rate_qps = *rate_;
  if (percentile_) settings.percentile = *percentile_ / 100;
  for (const auto& [text, value] : {std::pair{&min_duration_, &settings.min_duration_s},
                                    std::pair{&max_duration_, &settings.max_duration_s}}) {
    if (text->empty()) continue;
    KENNING_ASSIGN_OR_RETURN(*value, ParseSeconds(*text));
  }
  if (max_duration_.empty()) {
    settings.max_duration_s = std::max(settings.max_duration_s, settings.min_duration_s);
  }
  if (!bound_.empty()) {
    KENNING_ASSIGN_OR_RETURN(const double bound_s, ParseSeconds(bound_), "--latency-bound");
    settings.latency_bound_ns = std::llround(bound_s * 1e9);
  }
  if (min_queries_) settings.min_queries = *min_queries_;
  if (max_queries_) settings.max_queries = *max_queries_;
  if (streams_) settings.streams = *streams_;
  if (seed_) settings.seed = *seed_;
  KENNING_RETURN_IF_ERROR(CheckLoadSettings(settings));
  return std::optional(settings);
}

Result<double> ParseSeconds(std::string_view text) {
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  constexpr std::pair<std::string_view, double> kUnits[] = {
      {"", 1}, {"s", 1}, {"ms", 1e-3}, {"us", 1e-6}, {"µs", 1e-6}, {"ns", 1e-9}, {"min", 60}};
  for (const auto& [name, factor] : kUnits) {
    if (parsed.ec != std::errc() || unit != name) continue;
    const double seconds = value * factor;
    if (seconds >= 0 && seconds <= 1e6) return seconds;
  }
  return Fail(ErrorCode::kInvalidScenario,
              fmt::format("\"{}\" is no time; as in 250us, 10ms, 1.5s, 2min", text));
}

}  // namespace kenning
