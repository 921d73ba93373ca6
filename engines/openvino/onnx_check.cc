// SPDX-License-Identifier: Apache-2.0
// The wire format of ONNX files, as far as it must be sound before OpenVINO's reader sees it.
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <optional>
#include <system_error>
#include <vector>

#include "model_check.h"

namespace kenning::openvino {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestGraph = 16;
constexpr std::uint64_t kMostElements = std::uint64_t{1} << 33;

tl::unexpected<Error> Bad(std::string what) {
  return Fail(ErrorCode::kInvalidModel, "not a sound ONNX model: " + std::move(what));
}

/// One field of a protobuf message: a number or bytes.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t wire_type = 0;
  std::uint64_t value = 0;
  std::string_view bytes;
};

class Message {
 public:
  explicit Message(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }

  Result<std::uint64_t> Varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    return Bad("a number is cut off");
  }

  Result<Field> Next() {
    KENNING_ASSIGN_OR_RETURN(const std::uint64_t tag, Varint());
    Field field;
    field.number = static_cast<std::uint32_t>(tag >> 3U);
    field.wire_type = static_cast<std::uint32_t>(tag & 7U);
    if (field.number == 0) return Bad("field number 0");
    std::uint64_t length = 0;
    switch (field.wire_type) {
      case 0: {
        KENNING_ASSIGN_OR_RETURN(field.value, Varint());
        return field;
      }
      case 1:
        length = 8;
        break;
      case 2: {
        KENNING_ASSIGN_OR_RETURN(length, Varint());
        break;
      }
      case 5:
        length = 4;
        break;
      default:
        return Bad(fmt::format("wire type {}", field.wire_type));
    }
    if (length > rest_.size()) return Bad(fmt::format("field {} is cut off", field.number));
    field.bytes = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return field;
  }

 private:
  std::string_view rest_;
};

/// Bytes of an element in raw data; empty for types that are packed or unknown.
std::optional<std::uint64_t> RawSize(std::uint64_t data_type) {
  switch (data_type) {
    case 2:
    case 3:
    case 9:
      return 1;  // uint8, int8, bool
    case 4:
    case 5:
    case 10:
    case 16:
      return 2;  // uint16, int16, float16, bfloat16
    case 1:
    case 6:
    case 12:
      return 4;  // float, int32, uint32
    case 7:
    case 11:
    case 13:
      return 8;  // int64, double, uint64
    default:
      return {};
  }
}

/// Inputs that an operator cannot do without, in every version of it. OpenVINO's reader takes them
/// without looking whether they are there.
std::size_t RequiredInputs(std::string_view op_type) {
  static const std::map<std::string_view, std::size_t> kRequired = {{"Constant", 0},
                                                                    {"RandomNormal", 0},
                                                                    {"RandomUniform", 0},
                                                                    {"Optional", 0},
                                                                    {"Add", 2},
                                                                    {"Sub", 2},
                                                                    {"Mul", 2},
                                                                    {"Div", 2},
                                                                    {"Pow", 2},
                                                                    {"Mod", 2},
                                                                    {"BitShift", 2},
                                                                    {"And", 2},
                                                                    {"Or", 2},
                                                                    {"Xor", 2},
                                                                    {"Equal", 2},
                                                                    {"Greater", 2},
                                                                    {"GreaterOrEqual", 2},
                                                                    {"Less", 2},
                                                                    {"LessOrEqual", 2},
                                                                    {"BitwiseAnd", 2},
                                                                    {"BitwiseOr", 2},
                                                                    {"BitwiseXor", 2},
                                                                    {"MatMul", 2},
                                                                    {"MatMulInteger", 2},
                                                                    {"Gemm", 2},
                                                                    {"Conv", 2},
                                                                    {"ConvInteger", 2},
                                                                    {"ConvTranspose", 2},
                                                                    {"DeformConv", 3},
                                                                    {"BatchNormalization", 5},
                                                                    {"InstanceNormalization", 3},
                                                                    {"LayerNormalization", 2},
                                                                    {"GroupNormalization", 3},
                                                                    {"QuantizeLinear", 2},
                                                                    {"DequantizeLinear", 2},
                                                                    {"QLinearConv", 8},
                                                                    {"QLinearMatMul", 8},
                                                                    {"PRelu", 2},
                                                                    {"Expand", 2},
                                                                    {"Tile", 2},
                                                                    {"Where", 3},
                                                                    {"Range", 3},
                                                                    {"OneHot", 3},
                                                                    {"Gather", 2},
                                                                    {"GatherElements", 2},
                                                                    {"GatherND", 2},
                                                                    {"Scatter", 3},
                                                                    {"ScatterElements", 3},
                                                                    {"ScatterND", 3},
                                                                    {"Compress", 2},
                                                                    {"CumSum", 2},
                                                                    {"GridSample", 2},
                                                                    {"RoiAlign", 3},
                                                                    {"MaxRoiPool", 2},
                                                                    {"MaxUnpool", 2},
                                                                    {"NonMaxSuppression", 2},
                                                                    {"RNN", 3},
                                                                    {"GRU", 3},
                                                                    {"LSTM", 3},
                                                                    {"AffineGrid", 2},
                                                                    {"CenterCropPad", 2},
                                                                    {"Trilu", 1}};
  const auto found = kRequired.find(op_type);
  return found == kRequired.end() ? 1 : found->second;
}

class Checker {
 public:
  explicit Checker(const fs::path& folder) : folder_(folder) {}

  Result<> Model(std::string_view bytes) {
    bool has_graph = false;
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.wire_type != 2) continue;
      if (field.number == 7) {
        has_graph = true;
        KENNING_RETURN_IF_ERROR(Graph(field.bytes, 0));
      } else if (field.number == 25) {
        KENNING_RETURN_IF_ERROR(Nodes(field.bytes, 7, 0));
      }
    }
    return has_graph ? Result<>{} : Bad("it has no graph");
  }

 private:
  Result<> Graph(std::string_view bytes, int depth) {
    if (depth > kDeepestGraph) return Bad("graphs are nested too deep");
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number == 5 && field.wire_type == 2) {
        KENNING_RETURN_IF_ERROR(TensorData(field.bytes));
      }
    }
    return Nodes(bytes, 1, depth);
  }

  Result<> Nodes(std::string_view bytes, std::uint32_t node_field, int depth) {
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number != node_field || field.wire_type != 2) continue;
      KENNING_RETURN_IF_ERROR(Node(field.bytes, depth));
    }
    return {};
  }

  Result<> Node(std::string_view bytes, int depth) {
    std::string_view op_type;
    std::string_view domain;
    std::size_t outputs = 0;
    std::vector<std::string_view> inputs;
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      switch (field.number) {
        case 1:
          inputs.push_back(field.bytes);
          break;
        case 2:
          ++outputs;
          break;
        case 4:
          op_type = field.bytes;
          break;
        case 5:
          KENNING_RETURN_IF_ERROR(Attribute(field.bytes, depth));
          break;
        case 7:
          domain = field.bytes;
          break;
        default:
          break;
      }
    }
    if (op_type.empty() || outputs == 0) return Bad("a node without an operator or an output");
    if (!domain.empty() && domain != "ai.onnx") return {};
    const std::size_t required = RequiredInputs(op_type);
    for (std::size_t i = 0; i < required; ++i) {
      if (i >= inputs.size() || inputs[i].empty()) {
        return Bad(fmt::format("operator {} lacks its input {}", op_type, i));
      }
    }
    return {};
  }

  Result<> Attribute(std::string_view bytes, int depth) {
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.wire_type != 2) continue;
      if (field.number == 5 || field.number == 10) {
        KENNING_RETURN_IF_ERROR(TensorData(field.bytes));
      } else if (field.number == 6 || field.number == 11) {
        KENNING_RETURN_IF_ERROR(Graph(field.bytes, depth + 1));
      }
    }
    return {};
  }

  static Result<> Multiply(std::uint64_t dim, std::uint64_t& count) {
    // Also refuses negative dimensions, which are huge as unsigned numbers.
    if (dim > kMostElements || (dim != 0 && count > kMostElements / dim)) {
      return Bad("a tensor's dimensions are negative or too large");
    }
    count *= dim;
    return {};
  }

  static Result<> Dimensions(const Field& field, std::uint64_t& count) {
    if (field.wire_type == 0) return Multiply(field.value, count);
    Message packed(field.bytes);
    while (!packed.done()) {
      KENNING_ASSIGN_OR_RETURN(const std::uint64_t dim, packed.Varint());
      KENNING_RETURN_IF_ERROR(Multiply(dim, count));
    }
    return {};
  }

  Result<> TensorData(std::string_view bytes) const {
    std::uint64_t count = 1;
    std::uint64_t data_type = 0;
    std::optional<std::string_view> raw;
    std::string location;
    Message message(bytes);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      switch (field.number) {
        case 1:
          KENNING_RETURN_IF_ERROR(Dimensions(field, count));
          break;
        case 2:
          data_type = field.value;
          break;
        case 9:
          raw = field.bytes;
          break;
        case 13:
          KENNING_RETURN_IF_ERROR(ReadLocation(field.bytes, location));
          break;
        default:
          break;
      }
    }
    if (!location.empty()) return External(location);
    const auto size = RawSize(data_type);
    if (raw && size && raw->size() != count * *size) {
      return Bad(fmt::format("a tensor of {} elements has {} bytes of data", count, raw->size()));
    }
    return {};
  }

  static Result<> ReadLocation(std::string_view entry, std::string& location) {
    std::string_view key;
    std::string_view value;
    Message message(entry);
    while (!message.done()) {
      KENNING_ASSIGN_OR_RETURN(const Field field, message.Next());
      if (field.number == 1) key = field.bytes;
      if (field.number == 2) value = field.bytes;
    }
    if (key == "location") location = value;
    return {};
  }

  Result<> External(const std::string& location) const {
    const fs::path relative(location);
    bool inside = !relative.is_absolute();
    for (const fs::path& part : relative) inside = inside && part != "..";
    const fs::path file = folder_ / relative;
    std::error_code error;
    if (!inside || !fs::is_regular_file(fs::symlink_status(file, error))) {
      return Bad(fmt::format("its external data \"{}\" are not a file below the model's folder",
                             location));
    }
    return {};
  }

  const fs::path& folder_;
};

}  // namespace

Result<> CheckOnnxBytes(std::string_view bytes, const fs::path& folder) {
  return Checker(folder).Model(bytes);
}

}  // namespace kenning::openvino
