// SPDX-License-Identifier: Apache-2.0
#include "torch_model.h"

#include <ATen/ops/zeros.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/import.h>
#include <torch/csrc/jit/serialization/pickle.h>

#include "exported_program.h"
#include "io_spec/io_spec_json.h"
#include "kenning/base/file.h"
#include "spec_guess.h"
#include "torch_api.h"
#include "torch_archive.h"

namespace kenning::libtorch {
namespace {

/// Operators that reach outside the model. Code of a model must name an operator to call it.
constexpr std::array<std::string_view, 3> kForbidden = {"from_file(", "torch.save(", "aten.save("};

/// Code in an archive may run already while it is read.
Result<> CheckCode(const std::filesystem::path& path) {
  return Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<> {
    caffe2::serialize::PyTorchStreamReader reader(path.string());
    for (const std::string& name : reader.getAllRecords()) {
      if (!name.starts_with("code/") || !name.ends_with(".py")) continue;
      const auto [data, size] = reader.getRecord(name);
      const std::string_view code(static_cast<const char*>(data.get()), size);
      for (const std::string_view forbidden : kForbidden) {
        if (code.find(forbidden) == std::string_view::npos) continue;
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{}: {} calls {}…), which reaches for files; it is not run",
                                path.string(), name, forbidden));
      }
    }
    return {};
  });
}

/// `<model>.json`, where it is there.
Result<ModelSpec> SpecBeside(const std::filesystem::path& path) {
  std::filesystem::path described = path;
  described += ".json";
  std::error_code ignored;
  if (!std::filesystem::exists(described, ignored)) return ModelSpec{};
  return LoadModelSpec(described);
}

Result<TorchModel> ReadTorchScript(const std::filesystem::path& path) {
  KENNING_RETURN_IF_ERROR(CheckTorchScript(path));
  KENNING_RETURN_IF_ERROR(CheckCode(path));
  TorchModel model;
  torch::jit::ExtraFilesMap extra = {{kSpecFile, ""}};
  KENNING_RETURN_IF_ERROR(Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<> {
    model.module = torch::jit::load(path.string(), c10::kCPU, extra);
    model.module.eval();
    if (!model.module.find_method("forward")) {
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: the module has no method \"forward\"", path.string()));
    }
    return {};
  }));
  if (!extra[kSpecFile].empty()) {
    KENNING_ASSIGN_OR_RETURN(model.spec,
                             ModelSpecFromJson(extra[kSpecFile], path.string() + ":" + kSpecFile));
  }
  return model;
}

}  // namespace

Result<TorchModel> ReadTorchModel(const std::filesystem::path& path, const std::string& format) {
  TorchModel model;
  if (format == "torch_export") {
    KENNING_ASSIGN_OR_RETURN(model, ReadExportedProgram(path));
  } else {
    KENNING_ASSIGN_OR_RETURN(model, ReadTorchScript(path));
  }
  KENNING_ASSIGN_OR_RETURN(ModelSpec beside, SpecBeside(path));
  if (!beside.inputs.empty()) model.spec = std::move(beside);
  return Guard(path, ErrorCode::kInvalidModel, [&]() -> Result<TorchModel> {
    if (model.spec.inputs.empty()) {
      KENNING_ASSIGN_OR_RETURN(model.spec, GuessSpec(model.module, path));
    }
    KENNING_RETURN_IF_ERROR(CheckSpec(model.module, model.spec, path));
    return std::move(model);
  });
}

Result<> WriteTorchScript(const torch::jit::Module& module, const ModelSpec& spec,
                          const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(AtomicFile output, AtomicFile::Create(path));
  KENNING_RETURN_IF_ERROR(Guard(path, ErrorCode::kEngineFailure, [&]() -> Result<> {
    module.save(output.temporary_path().string(), {{kSpecFile, ModelSpecToJson(spec)}});
    return {};
  }));
  return output.Commit();
}

Result<> FlattenResult(const c10::IValue& value, std::vector<at::Tensor>& out) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    out.push_back(tensor.is_mkldnn() ? tensor.to_dense() : tensor);
    return {};
  }
  if (value.isTuple()) {
    for (const c10::IValue& element : value.toTupleRef().elements()) {
      KENNING_RETURN_IF_ERROR(FlattenResult(element, out));
    }
    return {};
  }
  if (value.isList()) {
    for (const c10::IValue& element : value.toListRef()) {
      KENNING_RETURN_IF_ERROR(FlattenResult(element, out));
    }
    return {};
  }
  if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) {
      KENNING_RETURN_IF_ERROR(FlattenResult(entry.value(), out));
    }
    return {};
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("the model gives a {}, not tensors alone", value.tagKind()));
}

Result<std::vector<at::Tensor>> RunModule(torch::jit::Module& module,
                                          const std::vector<at::Tensor>& inputs) {
  const c10::InferenceMode inference;
  std::vector<at::Tensor> outputs;
  KENNING_RETURN_IF_ERROR(FlattenResult(
      module.forward(std::vector<c10::IValue>(inputs.begin(), inputs.end())), outputs));
  return outputs;
}

Result<std::vector<at::Tensor>> RunOnZeros(torch::jit::Module& module,
                                           const std::vector<TensorSpec>& inputs,
                                           const std::vector<Shape>& shapes) {
  std::vector<at::Tensor> zeros;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto type = ToTorchType(inputs[i].dtype);
    if (!type || !ElementCount(shapes[i])) {
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("input {} cannot be a tensor", ToString(inputs[i])));
    }
    zeros.push_back(at::zeros(shapes[i], *type));
  }
  return RunModule(module, zeros);
}

}  // namespace kenning::libtorch
