// SPDX-License-Identifier: Apache-2.0
#include "lanes.h"

#include <algorithm>
#include <cstring>

#include "io_spec/io_spec_json.h"
#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/registry/params_from_text.h"
#include "kenning/registry/registry.h"

namespace kenning {
// As the build's list of all blocks has them; these two are all that is needed.
void RegisterNullEngine(Registry& registry);
void RegisterOnnxRuntimeEngine(Registry& registry);
}  // namespace kenning

namespace kenning::bench {
namespace {

Result<double> MedianMicroseconds(Lane& lane, int samples) {
  std::vector<std::int64_t> times(static_cast<std::size_t>(samples));
  for (std::int64_t& time : times) {
    const std::int64_t start = MonotonicNowNs();
    KENNING_RETURN_IF_ERROR(lane.once(), lane.name);
    time = MonotonicNowNs() - start;
  }
  const auto middle = times.begin() + samples / 2;
  std::nth_element(times.begin(), middle, times.end());
  return static_cast<double>(*middle) * 1e-3;
}

}  // namespace

Result<LocalModel> LoadHere(const std::filesystem::path& path, const std::string& format,
                            const std::string& runtime) {
  static const Registry registry = [] {
    Registry made;
    RegisterNullEngine(made);
    RegisterOnnxRuntimeEngine(made);
    return made;
  }();
  LocalModel model;
  model.artifact.path = path;
  model.artifact.format = format;
  KENNING_ASSIGN_OR_RETURN(model.artifact.sha256, Sha256OfTree(path));
  KENNING_ASSIGN_OR_RETURN(model.artifact.size_bytes, TreeSizeBytes(path));
  KENNING_ASSIGN_OR_RETURN(const BlockInfo* info, registry.Find(BlockCategory::kRuntime, runtime));
  BlockContext context;
  KENNING_ASSIGN_OR_RETURN(model.runtime, info->make_runtime(DefaultParams(info->schema), context));
  KENNING_ASSIGN_OR_RETURN(model.session, model.runtime->Load(path, format));
  model.artifact.spec = model.session->spec();
  return model;
}

Result<> Measure(std::vector<Lane*> lanes, int rounds, int samples) {
  for (int round = -1; round < rounds; ++round) {
    for (Lane* lane : lanes) {
      KENNING_ASSIGN_OR_RETURN(const double median, MedianMicroseconds(*lane, samples));
      if (round >= 0) lane->rounds_us.push_back(median);
    }
    // Whatever comes before another has its turn to come after it.
    std::ranges::rotate(lanes, lanes.begin() + 1);
  }
  return {};
}

Result<Tensors> Tensors::Make(Session& session) {
  Tensors tensors;
  std::vector<Shape> shapes;
  const auto inputs = session.spec().engine_inputs();
  for (const TensorSpec& input : inputs) {
    Shape shape = input.shape;
    for (auto& dim : shape) dim = std::max<std::int64_t>(dim, 1);
    shapes.push_back(std::move(shape));
  }
  KENNING_ASSIGN_OR_RETURN(const auto outputs, session.ResolveOutputs(shapes));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(inputs[i].dtype, shapes[i]));
    std::memset(tensor.data(), 0x3D, tensor.size_bytes());
    tensors.storage_.push_back(std::move(tensor));
  }
  for (const TensorSpec& output : outputs) {
    KENNING_ASSIGN_OR_RETURN(Tensor tensor, Tensor::Create(output.dtype, output.shape));
    tensors.storage_.push_back(std::move(tensor));
  }
  // The views hold on to shapes inside the tensors, which do not move from here on.
  for (std::size_t i = 0; i < tensors.storage_.size(); ++i) {
    if (i < inputs.size()) {
      tensors.inputs_.push_back(tensors.storage_[i].view());
    } else {
      tensors.outputs_.push_back(tensors.storage_[i].mutable_view());
    }
  }
  return tensors;
}

std::size_t Tensors::input_bytes() const {
  std::size_t bytes = 0;
  for (const TensorView& input : inputs_) bytes += input.size_bytes;
  return bytes;
}

Result<std::unique_ptr<RemoteModel>> RemoteModel::Load(const std::filesystem::path& agent,
                                                       const LocalModel& model, NativeMode native,
                                                       std::vector<std::string> agent_options) {
  auto remote = std::make_unique<RemoteModel>();
  KENNING_ASSIGN_OR_RETURN(remote->agent_, AgentProcess::Start(agent, std::move(agent_options)));
  KENNING_ASSIGN_OR_RETURN(remote->client_, remote->agent_->Connect(native));
  KENNING_RETURN_IF_ERROR(remote->client_->LoadModel(
      model.artifact, ModelSpecToJson(model.session->spec()), wire::LoadOptions{}));
  return remote;
}

Result<> RemoteModel::Invoke(const Tensors& tensors) {
  KENNING_ASSIGN_OR_RETURN(const auto result, client_->Infer(tensors.inputs(), tensors.outputs()));
  static_cast<void>(result);
  return {};
}

}  // namespace kenning::bench
