// SPDX-License-Identifier: Apache-2.0
/// \file
/// TensorFlow's shared library, loaded once a process and never closed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "kenning/base/result.h"
#include "tf_c_api.h"

namespace kenning::tensorflow {

/// The folder that holds libtensorflow_cc.so.2: $TENSORFLOW_ROOT (the folder itself, or one with
/// lib/ or tensorflow/ in it), else the package in the toolchain "tensorflow".
/// Starts and loads nothing. \return kUnavailable with the command that installs it.
Result<std::filesystem::path> FindTensorFlow();

/// Loads the library on the first call. Thread-safe. \return kUnavailable.
Result<const TfApi*> LoadTensorFlow();

/// "2.21.0"; empty while it is not loaded.
std::string LoadedVersion();

/// A status of the C interface, made and freed with it.
class Status {
 public:
  explicit Status(const TfApi& api) : api_(api), status_(api.NewStatus()) {}
  Status(const Status&) = delete;
  Status& operator=(const Status&) = delete;
  ~Status() { api_.DeleteStatus(status_); }

  TF_Status* get() const { return status_; }
  bool ok() const { return api_.GetCode(status_) == kTfOk; }
  /// As ours, naming the file. `fallback` is the code of errors that say nothing more.
  Error ToError(const std::filesystem::path& file, ErrorCode fallback) const;

 private:
  const TfApi& api_;
  TF_Status* status_;
};

}  // namespace kenning::tensorflow
