// SPDX-License-Identifier: Apache-2.0
#include "cpu_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "kenning/base/strings.h"

namespace kenning::iree {
namespace {

/// LLVM's names that matter to compute kernels, and those of Linux.
constexpr std::array<std::pair<std::string_view, std::string_view>, 28> kFlagOf = {{
    {"ssse3", "ssse3"},
    {"sse4.1", "sse4_1"},
    {"sse4.2", "sse4_2"},
    {"popcnt", "popcnt"},
    {"avx", "avx"},
    {"avx2", "avx2"},
    {"fma", "fma"},
    {"f16c", "f16c"},
    {"bmi", "bmi1"},
    {"bmi2", "bmi2"},
    {"avx512f", "avx512f"},
    {"avx512bw", "avx512bw"},
    {"avx512cd", "avx512cd"},
    {"avx512dq", "avx512dq"},
    {"avx512vl", "avx512vl"},
    {"avx512ifma", "avx512ifma"},
    {"avx512vbmi", "avx512vbmi"},
    {"avx512vbmi2", "avx512_vbmi2"},
    {"avx512vnni", "avx512_vnni"},
    {"avx512bf16", "avx512_bf16"},
    {"avx512fp16", "avx512_fp16"},
    {"avx512bitalg", "avx512_bitalg"},
    {"avx512vpopcntdq", "avx512_vpopcntdq"},
    {"avxvnni", "avx_vnni"},
    {"gfni", "gfni"},
    {"amx-tile", "amx_tile"},
    {"amx-int8", "amx_int8"},
    {"amx-bf16", "amx_bf16"},
}};

/// The text between `start` and the next quotation mark, from `from` on.
std::string_view Quoted(std::string_view text, std::string_view start, std::size_t from) {
  const std::size_t begin = text.find(start, from);
  if (begin == std::string_view::npos) return {};
  const std::size_t first = begin + start.size();
  const std::size_t end = text.find('"', first);
  return end == std::string_view::npos ? std::string_view() : text.substr(first, end - first);
}

}  // namespace

CodeTarget FindCodeTarget(std::span<const std::byte> module) {
  const std::string_view text(reinterpret_cast<const char*>(module.data()), module.size());
  constexpr std::string_view kStart = "cpu = \"";
  const std::size_t place = text.find(kStart);
  CodeTarget target;
  if (place == std::string_view::npos) return target;
  target.cpu = Quoted(text, kStart, place);
  // Features come as +name or -name; a later one wins.
  std::map<std::string_view, bool> features;
  std::string_view list = Quoted(text, "cpu_features = \"", place);
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (comma > 1) features[list.substr(1, comma - 1)] = list.front() == '+';
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  for (const auto& [name, wanted] : features) {
    if (wanted) target.features.emplace_back(name);
  }
  return target;
}

bool MattersToKernels(std::string_view feature) {
  return std::ranges::any_of(kFlagOf, [&](const auto& known) { return known.first == feature; });
}

std::set<std::string> CpuFlags(std::string_view cpuinfo) {
  std::set<std::string> flags;
  const std::size_t line = cpuinfo.find("flags");
  if (line == std::string_view::npos) return flags;
  std::string_view rest = cpuinfo.substr(line, cpuinfo.find('\n', line) - line);
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return flags;
  rest.remove_prefix(colon + 1);
  while (!rest.empty()) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    if (space > 0) flags.emplace(rest.substr(0, space));
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return flags;
}

Result<> CheckCpu(const CodeTarget& target, const std::set<std::string>& flags) {
  std::vector<std::string> missing;
  for (const std::string& feature : target.features) {
    const auto* known = std::ranges::find(kFlagOf, feature, [](const auto& p) { return p.first; });
    if (known != kFlagOf.end() && !flags.contains(std::string(known->second))) {
      missing.push_back(feature);
    }
  }
  if (missing.empty()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the module is compiled for {}, and this CPU lacks {}; compile it with "
                          "another target_cpu",
                          target.cpu, Join(missing)));
}

}  // namespace kenning::iree
