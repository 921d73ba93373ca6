// SPDX-License-Identifier: Apache-2.0
#include "wire/uart_structs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "io_spec/io_spec_json.h"
#include "kenning/base/json_depth.h"
#include "wire/little_endian.h"

namespace kenning::wire {
namespace {

constexpr std::size_t kMaxDims = 4;
constexpr std::size_t kNameBytes = 20;
constexpr std::size_t kEntryFuncAt = 316;
constexpr std::size_t kModelNameAt = 336;

// Where one side's tensors lie in the structure.
struct Side {
  const char* name;
  std::size_t max_count;
  std::size_t count_at;
  std::size_t dims_at;
  std::size_t shape_at;
  std::size_t type_at;
};
constexpr Side kInputs{"input", 2, 0, 4, 12, 44};
constexpr Side kOutputs{"output", 12, 48, 52, 100, 292};

// Codes of DLPack.
struct TypeCode {
  DType dtype;
  std::uint8_t code;
  std::uint8_t bits;
};
constexpr TypeCode kTypeCodes[] = {
    {DType::kInt8, 0, 8},     {DType::kInt16, 0, 16},   {DType::kInt32, 0, 32},
    {DType::kInt64, 0, 64},   {DType::kUint8, 1, 8},    {DType::kUint16, 1, 16},
    {DType::kUint32, 1, 32},  {DType::kUint64, 1, 64},  {DType::kFloat16, 2, 16},
    {DType::kFloat32, 2, 32}, {DType::kFloat64, 2, 64}, {DType::kBFloat16, 4, 16},
    {DType::kBool, 6, 8},
};

Result<> EncodeSide(const std::vector<TensorSpec>& tensors, const Side& side, std::byte* out) {
  if (tensors.size() > side.max_count) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{} {}s: the structure of UART has room for {}", tensors.size(),
                            side.name, side.max_count));
  }
  StoreLe(out + side.count_at, static_cast<std::uint32_t>(tensors.size()));
  std::size_t place = side.shape_at;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorSpec& tensor = tensors[i];
    const auto* type = std::ranges::find(kTypeCodes, tensor.dtype, &TypeCode::dtype);
    if (type == std::end(kTypeCodes) || tensor.shape.size() > kMaxDims) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{} {} is {}: the structure of UART holds numbers of at most {} "
                              "dimensions",
                              side.name, i, ToString(tensor), kMaxDims));
    }
    out[side.type_at + 2 * i] = static_cast<std::byte>(type->code);
    out[side.type_at + 2 * i + 1] = static_cast<std::byte>(type->bits);
    StoreLe(out + side.dims_at + 4 * i, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::int64_t dim : tensor.shape) {
      if (dim > UINT32_MAX || dim == 0 || dim < kAnyDim) {
        return Fail(ErrorCode::kUnsupported,
                    fmt::format("{} {} is {}", side.name, i, ToString(tensor)));
      }
      StoreLe(out + place, dim == kAnyDim ? 1U : static_cast<std::uint32_t>(dim));
      place += 4;
    }
  }
  return {};
}

Result<std::vector<TensorSpec>> DecodeSide(const std::byte* in, const Side& side) {
  const auto count = LoadLe<std::uint32_t>(in + side.count_at);
  if (count > side.max_count) {
    return Fail(ErrorCode::kInvalidData, fmt::format("an IO specification of {} {}s; at most {}",
                                                     count, side.name, side.max_count));
  }
  std::vector<TensorSpec> tensors(count);
  std::size_t place = side.shape_at;
  for (std::size_t i = 0; i < count; ++i) {
    tensors[i].name = fmt::format("{}_{}", side.name, i);
    const auto code = std::to_integer<std::uint8_t>(in[side.type_at + 2 * i]);
    const auto bits = std::to_integer<std::uint8_t>(in[side.type_at + 2 * i + 1]);
    const auto* type = std::ranges::find_if(
        kTypeCodes, [&](const TypeCode& t) { return t.code == code && t.bits == bits; });
    if (type == std::end(kTypeCodes)) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{} {} has the type {} of {} bits, which DLPack has not", side.name,
                              i, code, bits));
    }
    tensors[i].dtype = type->dtype;
    const auto dims = LoadLe<std::uint32_t>(in + side.dims_at + 4 * i);
    if (dims > kMaxDims) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{} {} has {} dimensions; at most {}", side.name, i, dims, kMaxDims));
    }
    for (std::uint32_t d = 0; d < dims; ++d, place += 4) {
      const auto dim = LoadLe<std::uint32_t>(in + place);
      if (dim == 0) {
        return Fail(ErrorCode::kInvalidData,
                    fmt::format("{} {} has a dimension of 0", side.name, i));
      }
      tensors[i].shape.push_back(dim);
    }
  }
  return tensors;
}

// At most `size` bytes, up to the first zero; not printable ones become '?'.
std::string TextAt(const std::byte* at, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size && at[i] != std::byte{0}; ++i) {
    const auto c = std::to_integer<unsigned char>(at[i]);
    text += c >= 0x20 && c < 0x7F ? static_cast<char>(c) : '?';
  }
  return text;
}

void PutText(std::byte* at, std::size_t size, std::string_view text) {
  for (std::size_t i = 0; i < std::min(size, text.size()); ++i) {
    at[i] = static_cast<std::byte>(text[i]);
  }
}

constexpr std::size_t kStatNameBytes = 32;
constexpr std::size_t kStatBytes = 48;
constexpr std::string_view kAllocations[] = {"host_bytes_peak",        "host_bytes_allocated",
                                             "host_bytes_freed",       "device_bytes_peak",
                                             "device_bytes_allocated", "device_bytes_freed"};
constexpr const char* kAllocationKey = "allocation_stats";
constexpr std::size_t kMaxStats = 1000;

std::optional<std::uint64_t> WholeNumber(const nlohmann::json& value) {
  if (value.is_number_unsigned()) return value.get<std::uint64_t>();
  return std::nullopt;
}

}  // namespace

Result<UartIoSpecBytes> EncodeUartIoSpec(const UartIoSpec& io_spec) {
  UartIoSpecBytes bytes{};
  KENNING_RETURN_IF_ERROR(EncodeSide(io_spec.spec.engine_inputs(), kInputs, bytes.data()));
  KENNING_RETURN_IF_ERROR(EncodeSide(io_spec.spec.outputs, kOutputs, bytes.data()));
  if (io_spec.entry_func.size() > kNameBytes || io_spec.model_name.size() > kNameBytes) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("names in the IO specification of UART have at most {} characters: "
                            "\"{}\", \"{}\"",
                            kNameBytes, io_spec.entry_func, io_spec.model_name));
  }
  PutText(bytes.data() + kEntryFuncAt, kNameBytes, io_spec.entry_func);
  PutText(bytes.data() + kModelNameAt, kNameBytes, io_spec.model_name);
  return bytes;
}

Result<UartIoSpecBytes> UartIoSpecFromJson(std::string_view json) {
  UartIoSpec io_spec;
  KENNING_ASSIGN_OR_RETURN(io_spec.spec, ModelSpecFromJson(json, "IO specification"));
  return EncodeUartIoSpec(io_spec);
}

Result<UartIoSpec> DecodeUartIoSpec(ConstBytes bytes) {
  if (bytes.size() != kUartIoSpecBytes) {
    return Fail(ErrorCode::kInvalidData, fmt::format("an IO specification of {} bytes, not {}",
                                                     bytes.size(), kUartIoSpecBytes));
  }
  UartIoSpec io_spec;
  KENNING_ASSIGN_OR_RETURN(io_spec.spec.inputs, DecodeSide(bytes.data(), kInputs));
  KENNING_ASSIGN_OR_RETURN(io_spec.spec.outputs, DecodeSide(bytes.data(), kOutputs));
  io_spec.entry_func = TextAt(bytes.data() + kEntryFuncAt, kNameBytes);
  io_spec.model_name = TextAt(bytes.data() + kModelNameAt, kNameBytes);
  return io_spec;
}

std::vector<std::byte> EncodeUartStats(const std::vector<UartStat>& stats) {
  std::vector<std::byte> bytes(kStatBytes * stats.size());
  std::byte* at = bytes.data();
  for (const UartStat& stat : stats) {
    PutText(at, kStatNameBytes, stat.name);
    StoreLe(at + kStatNameBytes, static_cast<std::uint64_t>(stat.type));
    StoreLe(at + kStatNameBytes + 8, stat.value);
    at += kStatBytes;
  }
  return bytes;
}

Result<std::vector<UartStat>> DecodeUartStats(ConstBytes bytes) {
  std::vector<UartStat> stats;
  if (bytes.size() == 4 * std::size(kAllocations)) {
    for (std::size_t i = 0; i < std::size(kAllocations); ++i) {
      stats.push_back({std::string(kAllocations[i]), UartStatType::kAllocation,
                       LoadLe<std::uint32_t>(bytes.data() + 4 * i)});
    }
    return stats;
  }
  if (bytes.size() % kStatBytes != 0) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("statistics of {} bytes: not 24, and not a multiple of {}",
                            bytes.size(), kStatBytes));
  }
  for (; !bytes.empty(); bytes = bytes.subspan(kStatBytes)) {
    UartStat stat;
    stat.name = TextAt(bytes.data(), kStatNameBytes);
    const auto type = LoadLe<std::uint64_t>(bytes.data() + kStatNameBytes);
    if (type > static_cast<std::uint64_t>(UartStatType::kInferenceTime)) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("statistic \"{}\" has the unknown type {}", stat.name, type));
    }
    stat.type = static_cast<UartStatType>(type);
    stat.value = LoadLe<std::uint64_t>(bytes.data() + kStatNameBytes + 8);
    stats.push_back(std::move(stat));
  }
  return stats;
}

std::string UartStatsToJson(const std::vector<UartStat>& stats) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const UartStat& stat : stats) {
    switch (stat.type) {
      case UartStatType::kDefault:
        json[stat.name] = stat.value;
        break;
      case UartStatType::kAllocation: {
        auto& allocations = json[kAllocationKey];
        if (!allocations.is_object()) allocations = nlohmann::ordered_json::object();
        allocations[stat.name] = stat.value;
        break;
      }
      case UartStatType::kInferenceTime: {
        auto& times = json[stat.name];
        if (!times.is_array()) times = nlohmann::ordered_json::array();
        times.push_back(static_cast<double>(stat.value) / 1e9);
        break;
      }
    }
  }
  return json.dump();
}

std::vector<UartStat> UartStatsFromJson(std::string_view text) {
  std::vector<UartStat> stats;
  if (!NestsAtMost(text)) return stats;
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return stats;
  const auto add = [&stats](const std::string& name, UartStatType type, std::uint64_t value) {
    if (stats.size() < kMaxStats) stats.push_back({name, type, value});
  };
  for (const auto& [name, value] : json.items()) {
    if (name == kAllocationKey && value.is_object()) {
      for (const auto& [inner, bytes] : value.items()) {
        if (const auto number = WholeNumber(bytes)) add(inner, UartStatType::kAllocation, *number);
      }
    } else if (const auto number = WholeNumber(value)) {
      add(name, UartStatType::kDefault, *number);
    } else if (name.ends_with("_step") && value.is_array() && !value.empty() &&
               value.back().is_number()) {
      const double seconds = value.back().get<double>();
      if (seconds >= 0 && seconds < 1e9) {
        add(name, UartStatType::kInferenceTime, static_cast<std::uint64_t>(seconds * 1e9));
      }
    }
  }
  return stats;
}

}  // namespace kenning::wire
