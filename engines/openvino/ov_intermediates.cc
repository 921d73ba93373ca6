// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>
#include <unordered_set>

#include "ov_quant.h"
#include "ov_session.h"

namespace kenning::openvino {
namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{4} << 30;

bool IsAny(const ov::Node& node, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, std::string_view(node.get_type_name())) != types.end();
}

std::string NameInside(const ov::Output<ov::Node>& output) {
  std::string name = NameOf(ov::Output<const ov::Node>(output.get_node(), output.get_index()));
  if (output.get_names().empty() && output.get_node()->get_output_size() > 1) {
    name += fmt::format(":{}", output.get_index());
  }
  return name;
}

Result<Tensor> CopyOf(const ov::Tensor& tensor) {
  const ov::Shape dims = tensor.get_shape();
  KENNING_ASSIGN_OR_RETURN(Tensor copy, Tensor::Create(*FromOvType(tensor.get_element_type()),
                                                       Shape(dims.begin(), dims.end())));
  if (copy.size_bytes() != 0) std::memcpy(copy.data(), tensor.data(), copy.size_bytes());
  return copy;
}

Result<> CheckSize(const ov::Model& model, const std::filesystem::path& path) {
  std::uint64_t bytes = 0;
  for (const auto& output : model.outputs()) {
    if (output.get_partial_shape().is_dynamic()) continue;
    bytes += ov::shape_size(output.get_shape()) * output.get_element_type().size();
  }
  if (bytes <= kMostBytes) return {};
  return Fail(ErrorCode::kResourceExhausted,
              fmt::format("{}: the tensors inside the model take {} bytes, more than the {} that "
                          "are shown",
                          path.string(), bytes, kMostBytes));
}

}  // namespace

/// Makes every tensor that depends on an input's values an output, in order of computation.
void InsideView::ShowAll(ov::Model& model) {
  std::map<std::pair<const ov::Node*, std::size_t>, std::size_t> results;
  for (std::size_t i = 0; i < model.outputs().size(); ++i) {
    const ov::Output<ov::Node> source = model.output(i).get_node()->input_value(0);
    results[{source.get_node(), source.get_index()}] = i;
  }
  std::size_t next = model.outputs().size();
  std::unordered_set<const ov::Node*> depends;
  for (const std::shared_ptr<ov::Node>& node : model.get_ordered_ops()) {
    bool live = IsAny(*node, {"Parameter"});
    for (const auto& input : node->input_values()) {
      live = live || depends.contains(input.get_node());
    }
    if (!live || IsAny(*node, {"ShapeOf"})) continue;
    depends.insert(node.get());
    if (IsAny(*node, {"Parameter", "Result", "Assign"})) continue;
    for (const ov::Output<ov::Node>& output : node->outputs()) {
      if (!FromOvType(output.get_element_type())) continue;
      const ov::Output<const ov::Node> seen(node.get(), output.get_index());
      std::optional<QuantParams> quant = QuantOfOutput(seen);
      if (!quant) quant = QuantOfInput(seen);
      const auto result = results.find({node.get(), output.get_index()});
      if (result != results.end()) {
        shown_.push_back({NameInside(output), result->second, quant});
        continue;
      }
      shown_.push_back({NameInside(output), next++, quant});
      model.add_output(output);
    }
  }
}

Result<std::unique_ptr<InsideView>> InsideView::Make(const std::filesystem::path& path,
                                                     std::string_view format,
                                                     const ov::AnyMap& properties,
                                                     const std::vector<Shape>& input_shapes) {
  KENNING_ASSIGN_OR_RETURN(const std::shared_ptr<ov::Model> model, ReadModel(path, format));
  return Guard(ErrorCode::kEngineFailure, path, [&]() -> Result<std::unique_ptr<InsideView>> {
    std::map<std::size_t, ov::PartialShape> shapes;
    for (std::size_t i = 0; i < input_shapes.size(); ++i) shapes[i] = ToOvShape(input_shapes[i]);
    model->reshape(shapes);
    std::unique_ptr<InsideView> view(new InsideView(path));
    view->input_shapes_ = input_shapes;
    view->ShowAll(*model);
    KENNING_RETURN_IF_ERROR(CheckSize(*model, path));
    view->request_ = Core().compile_model(model, "CPU", properties).create_infer_request();
    return view;
  });
}

Result<std::vector<NamedTensor>> InsideView::Run(std::span<const TensorView> inputs) {
  return Guard(ErrorCode::kEngineFailure, path_, [&]() -> Result<std::vector<NamedTensor>> {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      request_.set_input_tensor(i, ov::Tensor(ToOvType(inputs[i].dtype), ToOvShape(inputs[i].shape),
                                              const_cast<std::byte*>(inputs[i].data)));
    }
    request_.infer();
    std::vector<NamedTensor> tensors;
    for (const Shown& tensor : shown_) {
      KENNING_ASSIGN_OR_RETURN(Tensor value, CopyOf(request_.get_output_tensor(tensor.output)));
      tensors.push_back({tensor.name, std::move(value), tensor.quant});
    }
    return tensors;
  });
}

}  // namespace kenning::openvino
