// SPDX-License-Identifier: Apache-2.0
#include "script_builder.h"

#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <cmath>

namespace kenning::libtorch {

ScriptBuilder::ScriptBuilder() : module_("Model") {}

std::string ScriptBuilder::NewName() { return fmt::format("v{}", names_++); }

std::string ScriptBuilder::AddInput() { return fmt::format("input_{}", inputs_++); }

std::string ScriptBuilder::AddTensor(const at::Tensor& tensor) {
  const std::string name = fmt::format("t{}", tensors_++);
  module_.register_buffer(name, tensor);
  return "self." + name;
}

std::string ScriptBuilder::Assign(const std::string& expression) {
  std::string name = NewName();
  body_ += fmt::format("    {} = {}\n", name, expression);
  return name;
}

std::string ScriptBuilder::AssignTyped(const std::string& type, const std::string& expression) {
  std::string name = NewName();
  body_ += fmt::format("    {}: {} = {}\n", name, type, expression);
  return name;
}

std::vector<std::string> ScriptBuilder::AssignMany(std::size_t count,
                                                   const std::string& expression) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < count; ++i) names.push_back(NewName());
  std::string left;
  for (const std::string& name : names) left += name + ", ";
  body_ += fmt::format("    {} = {}\n", left, expression);
  return names;
}

torch::jit::Module ScriptBuilder::Build(std::span<const std::string> outputs) {
  std::string parameters;
  for (std::size_t i = 0; i < inputs_; ++i) parameters += fmt::format(", input_{}: Tensor", i);
  std::string type = "Tensor";
  std::string result = outputs.empty() ? "" : outputs[0];
  for (std::size_t i = 1; i < outputs.size(); ++i) {
    type += ", Tensor";
    result += ", " + outputs[i];
  }
  if (outputs.size() > 1) {
    type = "Tuple[" + type + "]";
    result = "(" + result + ")";
  }
  module_.define(fmt::format("def forward(self{}) -> {}:\n{}    return {}\n", parameters, type,
                             body_, result));
  module_.eval();
  return module_;
}

std::string PyFloat(double value) {
  if (std::isnan(value)) return "float(\"nan\")";
  if (std::isinf(value)) return value > 0 ? "float(\"inf\")" : "float(\"-inf\")";
  std::string text = fmt::format("{:.17g}", value);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string PyBool(bool value) { return value ? "True" : "False"; }

std::string PyInts(std::span<const std::int64_t> values) {
  return fmt::format("[{}]", fmt::join(values, ", "));
}

}  // namespace kenning::libtorch
