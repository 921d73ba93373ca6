// SPDX-License-Identifier: Apache-2.0
#include "tf_runtime.h"

#include <fmt/format.h>

#include "kenning/base/uri.h"
#include "keras_export.h"
#include "tf_library.h"

namespace kenning::tensorflow {

Result<std::unique_ptr<Runtime>> TensorFlowRuntime::Make(const Params& params,
                                                         const BlockContext& context) {
  SessionSettings settings;
  settings.num_threads = static_cast<int>(params.Int("num_threads"));
  settings.inter_op_threads = static_cast<int>(params.Int("inter_op_threads"));
  settings.profiling = params.Bool("profiling");
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  // Early, so that a missing library is told before data are loaded.
  KENNING_RETURN_IF_ERROR(LoadTensorFlow());
  return std::make_unique<TensorFlowRuntime>(settings, std::move(model_path), context.progress,
                                             context.cancel);
}

EngineVersion TensorFlowRuntime::engine() const { return {"tensorflow", LoadedVersion()}; }

Result<std::unique_ptr<Session>> TensorFlowRuntime::LoadKeras(const std::filesystem::path& path) {
  NullProgress silent;
  const CancelToken never;
  KENNING_ASSIGN_OR_RETURN(const KerasExport exported,
                           ExportKeras(path, progress_ != nullptr ? *progress_ : silent,
                                       cancel_ != nullptr ? *cancel_ : never));
  KENNING_ASSIGN_OR_RETURN(Signature signature, ReadSignature(exported.folder));
  return TfSession::Load(exported.folder, std::move(signature), &exported.spec, settings_);
}

Result<std::unique_ptr<Session>> TensorFlowRuntime::Load(const std::filesystem::path& path,
                                                         const std::string& format) {
  if (format == "keras") return LoadKeras(path);
  if (format == "savedmodel") {
    KENNING_ASSIGN_OR_RETURN(Signature signature, ReadSignature(path));
    return TfSession::Load(path, std::move(signature), nullptr, settings_);
  }
  return Fail(ErrorCode::kUnsupported,
              fmt::format("{}: TensorFlow runs the formats \"savedmodel\" and \"keras\", not "
                          "\"{}\"",
                          path.string(), format));
}

}  // namespace kenning::tensorflow
