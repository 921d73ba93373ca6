// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cmath>

#include "check_scales.h"
#include "flat_reader.h"
#include "kenning/base/file.h"
#include "model_file.h"
#include "operators.h"

namespace kenning::tflite {
namespace {

constexpr std::uint32_t kSupportedVersion = 3;
constexpr std::uint64_t kMaxRank = 8;
/// Elements of one tensor, whatever its type: no tensor above 16 GiB reaches the engine.
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 32;

/// Bits of one element; 0 where the size is not fixed.
unsigned BitsOf(TensorType type) {
  switch (type) {
    case TensorType::kInt2:
      return 2;
    case TensorType::kInt4:
      return 4;
    case TensorType::kUint8:
    case TensorType::kBool:
    case TensorType::kInt8:
      return 8;
    case TensorType::kFloat16:
    case TensorType::kInt16:
    case TensorType::kUint16:
    case TensorType::kBfloat16:
      return 16;
    case TensorType::kFloat32:
    case TensorType::kInt32:
    case TensorType::kUint32:
      return 32;
    case TensorType::kInt64:
    case TensorType::kFloat64:
    case TensorType::kUint64:
    case TensorType::kComplex64:
      return 64;
    case TensorType::kComplex128:
      return 128;
    default:
      return 0;
  }
}

/// Where the data of a buffer are.
struct Range {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

class Parser {
 public:
  Parser(std::string_view bytes, const std::string& name) : file_(bytes), name_(name) {}

  Result<ModelFile> Run() {
    if (file_.bytes().size() < 8 || file_.bytes().substr(4, 4) != "TFL3") {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: not a TensorFlow Lite model: its fifth to eighth byte are not "
                              "\"TFL3\"",
                              name_));
    }
    const FlatTable root = FlatTable::Root(&file_);
    model_.version = root.Number<std::uint32_t>(0, 0);
    model_.description = std::string(root.Text(3));
    ReadOperatorCodes(root);
    ReadBuffers(root);
    const FlatVector subgraphs = root.Vector(2, 4);
    for (std::uint32_t i = 0; i < subgraphs.size() && file_.ok(); ++i) {
      ReadSubgraph(root.TableAt(subgraphs, i));
    }
    if (file_.ok() && model_.version != kSupportedVersion) {
      file_.SetError(
          fmt::format("has schema version {}, known is {}", model_.version, kSupportedVersion));
    }
    if (file_.ok() && model_.subgraphs.empty()) file_.SetError("has no subgraph");
    if (file_.ok() && model_.main().outputs.empty()) file_.SetError("has no outputs");
    if (!file_.ok()) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: broken TensorFlow Lite model: {}", name_, file_.error()));
    }
    for (const FileSubgraph& graph : model_.subgraphs) {
      KENNING_RETURN_IF_ERROR(CheckScales(graph, name_));
    }
    return std::move(model_);
  }

 private:
  struct OperatorCode {
    int builtin = 0;
    std::string custom;
  };

  template <typename T, typename Out = T>
  std::vector<Out> Numbers(const FlatVector& vector) {
    std::vector<Out> numbers;
    if (!file_.Spend(vector.size())) return numbers;
    numbers.reserve(vector.size());
    for (std::uint32_t i = 0; i < vector.size(); ++i) {
      numbers.push_back(static_cast<Out>(vector.At<T>(i)));
    }
    return numbers;
  }

  void ReadOperatorCodes(const FlatTable& root) {
    const FlatVector codes = root.Vector(1, 4);
    for (std::uint32_t i = 0; i < codes.size() && file_.ok(); ++i) {
      const FlatTable code = root.TableAt(codes, i);
      // Operators below 127 are in the older, one-byte field; the greater of the two holds.
      const int builtin =
          std::max<int>(code.Number<std::int8_t>(0, 0), code.Number<std::int32_t>(3, 0));
      codes_.push_back({builtin, std::string(code.Text(1))});
    }
  }

  void ReadBuffers(const FlatTable& root) {
    const FlatVector buffers = root.Vector(4, 4);
    for (std::uint32_t i = 0; i < buffers.size() && file_.ok(); ++i) {
      const FlatTable buffer = root.TableAt(buffers, i);
      const FlatVector data = buffer.Vector(0, 1);
      Range range{data.start(), data.size()};
      const auto offset = buffer.Number<std::uint64_t>(1, 0);
      if (offset > 1) {
        range = {offset, buffer.Number<std::uint64_t>(2, 0)};
        file_.InRange(range.offset, range.size);
      }
      buffers_.push_back(range);
    }
  }

  void ReadSubgraph(const FlatTable& table) {
    FileSubgraph graph;
    graph.name = std::string(table.Text(4));
    const FlatVector tensors = table.Vector(0, 4);
    for (std::uint32_t i = 0; i < tensors.size() && file_.ok(); ++i) {
      graph.tensors.push_back(ReadTensor(table.TableAt(tensors, i), i));
    }
    graph.inputs = Numbers<std::int32_t>(table.Vector(1, 4));
    graph.outputs = Numbers<std::int32_t>(table.Vector(2, 4));
    graph.outputs_field = table.Field(2);
    CheckIndices(graph, graph.inputs, false, "an input of the model");
    CheckIndices(graph, graph.outputs, false, "an output of the model");
    const FlatVector operators = table.Vector(3, 4);
    for (std::uint32_t i = 0; i < operators.size() && file_.ok(); ++i) {
      graph.operators.push_back(ReadOperator(table.TableAt(operators, i), graph, i));
    }
    if (file_.ok()) CheckOrder(graph);
    model_.subgraphs.push_back(std::move(graph));
  }

  FileTensor ReadTensor(const FlatTable& table, std::uint32_t index) {
    FileTensor tensor;
    tensor.name = std::string(table.Text(3));
    if (tensor.name.empty()) tensor.name = fmt::format("tensor_{}", index);
    tensor.type = static_cast<TensorType>(table.Number<std::uint8_t>(1, 0));
    tensor.shape = Numbers<std::int32_t, std::int64_t>(table.Vector(0, 4));
    tensor.shape_signature = Numbers<std::int32_t, std::int64_t>(table.Vector(7, 4));
    tensor.shape_known = !tensor.shape.empty() || table.Number<std::uint8_t>(8, 0) != 0;
    tensor.is_variable = table.Number<std::uint8_t>(5, 0) != 0;
    const auto buffer = table.Number<std::uint32_t>(2, 0);
    if (buffer < buffers_.size()) {
      tensor.data_offset = buffers_[buffer].offset;
      tensor.data_bytes = buffers_[buffer].size;
    } else if (buffer != 0) {
      Complain(tensor, fmt::format("has the data of buffer {}, of {}", buffer, buffers_.size()));
    }
    CheckShape(tensor, table.Table(6).present());
    ReadQuantization(table.Table(4), tensor);
    return tensor;
  }

  void Complain(const FileTensor& tensor, const std::string& what) {
    file_.SetError(fmt::format("tensor \"{}\" {}", tensor.name, what));
  }

  void CheckShape(FileTensor& tensor, bool sparse) {
    if (tensor.shape.size() > kMaxRank) {
      return Complain(tensor, fmt::format("has {} dimensions, at most {} are usable",
                                          tensor.shape.size(), kMaxRank));
    }
    const auto elements = ElementCount(tensor.shape);
    if (!elements || *elements > kMaxElements) {
      return Complain(tensor,
                      fmt::format("has the impossible shape {}", ShapeToString(tensor.shape)));
    }
    if (tensor.shape_signature.empty()) tensor.shape_signature = tensor.shape;
    bool agrees = tensor.shape_signature.size() == tensor.shape.size();
    for (std::size_t i = 0; agrees && i < tensor.shape.size(); ++i) {
      agrees = tensor.shape_signature[i] == kAnyDim || tensor.shape_signature[i] == tensor.shape[i];
    }
    if (!agrees) {
      return Complain(
          tensor, fmt::format("has the shape {} and the signature {}", ShapeToString(tensor.shape),
                              ShapeToString(tensor.shape_signature)));
    }
    const unsigned bits = BitsOf(tensor.type);
    if (tensor.data_bytes == 0 || bits == 0 || sparse) return;
    if (tensor.data_bytes != (*elements * bits + 7) / 8) {
      Complain(tensor, fmt::format("is {}{} and has {} bytes of data", TensorTypeName(tensor.type),
                                   ShapeToString(tensor.shape), tensor.data_bytes));
    }
  }

  void ReadQuantization(const FlatTable& table, FileTensor& tensor) {
    QuantParams quant;
    quant.scale = Numbers<float>(table.Vector(2, 4));
    quant.zero_point = Numbers<std::int64_t>(table.Vector(3, 8));
    quant.axis = table.Number<std::int32_t>(6, 0);
    const auto dtype = ToDType(tensor.type);
    const bool is_integer =
        tensor.type == TensorType::kInt4 || tensor.type == TensorType::kInt2 ||
        (dtype && *dtype != DType::kFloat32 && *dtype != DType::kFloat64 &&
         *dtype != DType::kFloat16 && *dtype != DType::kBFloat16 && *dtype != DType::kBool);
    if (quant.scale.empty() || !is_integer) return;
    bool all_zero = true;
    for (const float scale : quant.scale) {
      if (!std::isfinite(scale) || scale < 0) return Complain(tensor, "has a senseless scale");
      all_zero = all_zero && scale == 0;
    }
    if (all_zero) return;
    if (quant.zero_point.empty()) quant.zero_point.assign(quant.scale.size(), 0);
    if (quant.zero_point.size() == 1)
      quant.zero_point.resize(quant.scale.size(), quant.zero_point[0]);
    if (quant.zero_point.size() != quant.scale.size()) {
      return Complain(tensor, fmt::format("has {} scales and {} zero points", quant.scale.size(),
                                          quant.zero_point.size()));
    }
    const auto rank = static_cast<std::int64_t>(tensor.shape.size());
    if (quant.scale.size() > 1 && (quant.axis < 0 || quant.axis >= rank ||
                                   tensor.shape[static_cast<std::size_t>(quant.axis)] !=
                                       static_cast<std::int64_t>(quant.scale.size()))) {
      return Complain(tensor,
                      fmt::format("of shape {} has {} scales along dimension {}",
                                  ShapeToString(tensor.shape), quant.scale.size(), quant.axis));
    }
    tensor.quant = std::move(quant);
  }

  void CheckIndices(const FileSubgraph& graph, const std::vector<std::int32_t>& indices,
                    bool may_be_absent, std::string_view what) {
    for (const std::int32_t index : indices) {
      if (index == -1 && may_be_absent) continue;
      if (index < 0 || static_cast<std::size_t>(index) >= graph.tensors.size()) {
        file_.SetError(fmt::format("{} is tensor {}, of {}", what, index, graph.tensors.size()));
      }
    }
  }

  FileOperator ReadOperator(const FlatTable& table, const FileSubgraph& graph,
                            std::uint32_t index) {
    FileOperator op;
    const auto code = table.Number<std::uint32_t>(0, 0);
    if (code >= codes_.size()) {
      file_.SetError(fmt::format("operator {} has code {}, of {}", index, code, codes_.size()));
      return op;
    }
    op.builtin = codes_[code].builtin;
    op.custom = op.builtin == kCustom;
    op.op_type = op.custom ? codes_[code].custom : BuiltinName(op.builtin);
    op.inputs = Numbers<std::int32_t>(table.Vector(1, 4));
    op.outputs = Numbers<std::int32_t>(table.Vector(2, 4));
    constexpr std::uint8_t kSoftmaxOptions = 9;
    if (op.builtin == kSoftmax && table.Number<std::uint8_t>(3, 0) == kSoftmaxOptions) {
      op.softmax_beta = static_cast<double>(table.Table(4).Number<float>(0, 0));
    }
    const std::string what = fmt::format("a tensor of operator {} ({})", index, op.op_type);
    CheckIndices(graph, op.inputs, true, what);
    CheckIndices(graph, op.outputs, false, what);
    return op;
  }

  /// Every tensor is made before it is used, and no constant is written to.
  void CheckOrder(const FileSubgraph& graph) {
    std::vector<bool> known(graph.tensors.size());
    for (std::size_t i = 0; i < graph.tensors.size(); ++i) {
      const FileTensor& tensor = graph.tensors[i];
      const auto elements = ElementCount(tensor.shape);
      known[i] = tensor.data_bytes > 0 || tensor.is_variable || (elements && *elements == 0) ||
                 BitsOf(tensor.type) == 0;
    }
    for (const std::int32_t input : graph.inputs) known[static_cast<std::size_t>(input)] = true;
    const auto check = [&](std::int32_t index, const std::string& who) {
      if (index < 0 || known[static_cast<std::size_t>(index)]) return;
      file_.SetError(fmt::format("{} takes tensor \"{}\", which nothing makes before", who,
                                 graph.tensors[static_cast<std::size_t>(index)].name));
    };
    for (std::size_t i = 0; i < graph.operators.size() && file_.ok(); ++i) {
      const FileOperator& op = graph.operators[i];
      const std::string who = fmt::format("operator {} ({})", i, op.op_type);
      for (const std::int32_t input : op.inputs) check(input, who);
      for (const std::int32_t output : op.outputs) {
        const auto at = static_cast<std::size_t>(output);
        if (graph.tensors[at].data_bytes > 0) {
          Complain(graph.tensors[at], fmt::format("is a constant that {} writes to", who));
        }
        known[at] = true;
      }
    }
    for (const std::int32_t output : graph.outputs) check(output, "the model's output");
  }

  FlatBuffer file_;
  std::string name_;
  ModelFile model_;
  std::vector<OperatorCode> codes_;
  std::vector<Range> buffers_;
};

}  // namespace

Result<ModelFile> ParseModel(std::string_view bytes, const std::string& name) {
  return Parser(bytes, name).Run();
}

Result<std::string> ReadModelBytes(const std::filesystem::path& path) {
  return ReadFile(path, kMaxModelBytes);
}

}  // namespace kenning::tflite
