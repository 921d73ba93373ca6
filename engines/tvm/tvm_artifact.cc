// SPDX-License-Identifier: Apache-2.0
#include "tvm_artifact.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "kenning/base/strings.h"
#include "tvm_elf.h"

namespace kenning::tvm_engine {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 31;
constexpr std::uint64_t kMostDescription = std::uint64_t{1} << 24;
constexpr std::string_view kMagic = "KENNTVM1";
constexpr std::size_t kDigestBytes = 32;
constexpr std::size_t kTrailerBytes = kDigestBytes + 8 + 8;
constexpr std::size_t kTarBlock = 512;
constexpr std::string_view kMember = "model.so";

/// A number field of a tar header; empty where it is none.
std::optional<std::uint64_t> Octal(std::string_view field) {
  while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
  const std::size_t end = field.find_first_of(std::string_view("\0 ", 2));
  field = field.substr(0, end);
  std::uint64_t value = 0;
  const auto [last, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  if (error != std::errc() || last != field.data() + field.size()) return std::nullopt;
  return value;
}

bool TarChecksumHolds(std::string_view header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kTarBlock; ++i) {
    // The checksum's own field counts as spaces.
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return Octal(header.substr(148, 8)) == sum;
}

/// Where the model is in a tar archive: offset and size.
Result<std::pair<std::size_t, std::size_t>> FindMember(std::string_view tar,
                                                       const std::string& name) {
  const auto broken = [&](std::string_view what) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: {}", name, what));
  };
  std::size_t at = 0;
  while (at + kTarBlock <= tar.size() && tar[at] != '\0') {
    const std::string_view header = tar.substr(at, kTarBlock);
    if (header.substr(257, 5) != "ustar" || !TarChecksumHolds(header)) {
      return broken("neither a shared object nor a tar archive; the file is damaged");
    }
    const auto size = Octal(header.substr(124, 12));
    at += kTarBlock;
    if (!size || *size > tar.size() - at) return broken("the archive is cut short");
    const std::string_view member = header.substr(0, 100);
    if (member.substr(0, member.find('\0')) == kMember) {
      return std::pair{at, static_cast<std::size_t>(*size)};
    }
    const std::uint64_t padded = (*size + kTarBlock - 1) / kTarBlock * kTarBlock;
    if (padded > tar.size() - at) return broken("the archive is cut short");
    at += static_cast<std::size_t>(padded);
  }
  if (at == 0) return broken("neither a shared object nor a tar archive; the file is damaged");
  return Fail(
      ErrorCode::kUnsupported,
      fmt::format("{}: the archive holds no {}: it was not made by TVMCompiler", name, kMember));
}

Result<> ParseDescription(std::string_view text, const std::string& name, TvmArtifact& artifact) {
  KENNING_ASSIGN_OR_RETURN(artifact.spec, ModelSpecFromJson(text, name));
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  try {
    artifact.tvm_version = json.at("tvm").get<std::string>();
    artifact.target = json.at("target").get<std::string>();
    artifact.cpu_features = json.at("cpu_features").get<std::vector<std::string>>();
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: its description: {}", name, exception.what()));
  }
  for (const auto* list : {&artifact.spec.inputs, &artifact.spec.outputs}) {
    if (list->empty()) {
      return Fail(ErrorCode::kInvalidModel, fmt::format("{}: no inputs or no outputs", name));
    }
    for (const TensorSpec& spec : *list) {
      const auto elements = ElementCount(spec.shape);
      if (!elements || DTypeSize(spec.dtype) == 0 || *elements > kMostBytes) {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{}: \"{}\" has no fixed size", name, spec.name));
      }
    }
  }
  return {};
}

#if defined(__x86_64__)
/// Whether this machine has an instruction set; empty where it is not known here.
std::optional<bool> CpuHas(std::string_view feature) {
  __builtin_cpu_init();
  const std::array<std::pair<std::string_view, int>, 14> known = {{
      {"sse4.1", __builtin_cpu_supports("sse4.1")},
      {"sse4.2", __builtin_cpu_supports("sse4.2")},
      {"avx", __builtin_cpu_supports("avx")},
      {"avx2", __builtin_cpu_supports("avx2")},
      {"fma", __builtin_cpu_supports("fma")},
      {"bmi", __builtin_cpu_supports("bmi")},
      {"bmi2", __builtin_cpu_supports("bmi2")},
      {"avx512f", __builtin_cpu_supports("avx512f")},
      {"avx512bw", __builtin_cpu_supports("avx512bw")},
      {"avx512dq", __builtin_cpu_supports("avx512dq")},
      {"avx512vl", __builtin_cpu_supports("avx512vl")},
      {"avx512cd", __builtin_cpu_supports("avx512cd")},
      {"avx512vnni", __builtin_cpu_supports("avx512vnni")},
      {"avx512bf16", __builtin_cpu_supports("avx512bf16")},
  }};
  for (const auto& [name, has] : known) {
    if (name == feature) return has != 0;
  }
  return std::nullopt;
}
#else
std::optional<bool> CpuHas(std::string_view /*feature*/) { return std::nullopt; }
#endif

}  // namespace

Result<TvmArtifact> ParseTvmArtifact(std::string bytes, const std::string& name) {
  if (bytes.starts_with("\x1f\x8b")) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: a compressed archive, as TVM's own export makes: it holds object "
                            "files that a compiler must link; make the model with TVMCompiler",
                            name));
  }
  if (!bytes.starts_with("\x7f"
                         "ELF")) {
    KENNING_ASSIGN_OR_RETURN(const auto place, FindMember(bytes, name));
    bytes.erase(place.first + place.second);
    bytes.erase(0, place.first);
  }
  if (bytes.size() < kTrailerBytes || !bytes.ends_with(kMagic)) {
    KENNING_RETURN_IF_ERROR(CheckSharedObject(bytes), name);
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: a shared object without kenning's description of the model; make "
                            "it with TVMCompiler",
                            name));
  }
  const std::size_t end = bytes.size() - kTrailerBytes;
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data() + end + kDigestBytes, sizeof(length));
  if (length > end || length > kMostDescription) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: the file is damaged", name));
  }
  const std::string_view all(bytes);
  std::string stored;
  for (const char byte : all.substr(end, kDigestBytes)) {
    stored += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  }
  if (Sha256Hex(all.substr(0, end)) != stored) {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the file was changed after it was made; compile it again", name));
  }
  TvmArtifact artifact;
  KENNING_RETURN_IF_ERROR(ParseDescription(all.substr(end - length, length), name, artifact));
  bytes.resize(end - length);
  KENNING_RETURN_IF_ERROR(CheckSharedObject(bytes), name);
  artifact.library = std::move(bytes);
  return artifact;
}

Result<TvmArtifact> ReadTvmArtifact(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path, kMostBytes));
  return ParseTvmArtifact(std::move(bytes), path.string());
}

Result<> CheckCpuFeatures(const TvmArtifact& artifact) {
  std::vector<std::string> lacking;
  for (const std::string& feature : artifact.cpu_features) {
    if (CpuHas(feature) == false) lacking.push_back(feature);
  }
  if (lacking.empty()) return {};
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the model was compiled for target \"{}\", and this machine lacks {}; "
                          "compile it for a target that this machine is",
                          artifact.target, Join(lacking)));
}

}  // namespace kenning::tvm_engine
