// SPDX-License-Identifier: Apache-2.0
#include "et_runtime.h"

#include <fmt/format.h>

#include "et_session.h"
#include "kenning/base/uri.h"

namespace kenning::executorch_engine {

Result<std::unique_ptr<Runtime>> EtRuntime::Make(const Params& params) {
  std::filesystem::path model_path;
  if (params.Has("save_model_path")) {
    KENNING_ASSIGN_OR_RETURN(model_path, OutputPathFromUri(params.String("save_model_path")),
                             "save_model_path");
  }
  return std::make_unique<EtRuntime>(static_cast<int>(params.Int("num_threads")),
                                     std::move(model_path));
}

Result<std::unique_ptr<Session>> EtRuntime::Load(const std::filesystem::path& path,
                                                 const std::string& format) {
  if (format != "executorch") {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: ExecuTorch runs format \"executorch\" (.pte), not \"{}\"; choose "
                            "another runtime",
                            path.string(), format));
  }
  return EtSession::Load(path, num_threads_);
}

}  // namespace kenning::executorch_engine
