// SPDX-License-Identifier: Apache-2.0
#include "tflite_delegates.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace kenning::tflite {
namespace {

std::string Remedy(const std::string& library) {
  if (library.find("edgetpu") != std::string::npos) {
    return "; the Edge TPU's run-time library (libedgetpu1-std) comes from Coral's package source";
  }
  return "; give the full path, or install the library where the loader finds it";
}

/// The engine's own loader says only that it failed.
Result<> CheckLibrary(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    return Fail(ErrorCode::kUnavailable,
                fmt::format("delegate \"{}\" cannot be loaded: {}{}", library,
                            reason == nullptr ? "unknown reason" : reason, Remedy(library)));
  }
  const char* const functions[] = {"tflite_plugin_create_delegate",
                                   "tflite_plugin_destroy_delegate"};
  for (const char* function : functions) {
    if (::dlsym(handle, function) != nullptr) continue;
    ::dlclose(handle);
    return Fail(ErrorCode::kUnavailable,
                fmt::format("\"{}\" is no external delegate of TensorFlow Lite: it has no function "
                            "{}",
                            library, function));
  }
  ::dlclose(handle);
  return {};
}

}  // namespace

Result<DelegatePtr> MakeXnnpackDelegate(int num_threads) {
  TfLiteXNNPackDelegateOptions options = TfLiteXNNPackDelegateOptionsDefault();
  options.num_threads = num_threads;
  DelegatePtr delegate(TfLiteXNNPackDelegateCreate(&options), TfLiteXNNPackDelegateDelete);
  if (!delegate) return Fail(ErrorCode::kEngineFailure, "XNNPACK does not run on this machine");
  return delegate;
}

Result<DelegatePtr> MakeExternalDelegate(const std::string& library,
                                         const std::vector<std::string>& options) {
  KENNING_RETURN_IF_ERROR(CheckLibrary(library));
  auto settings = std::make_unique<TfLiteExternalDelegateOptions>(
      TfLiteExternalDelegateOptionsDefault(library.c_str()));
  // The engine copies no text before the delegate is made.
  std::vector<std::string> texts;
  texts.reserve(2 * options.size());
  for (const std::string& option : options) {
    const std::size_t equals = option.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("delegate_options: \"{}\" is not of the form key=value", option));
    }
    texts.push_back(option.substr(0, equals));
    texts.push_back(option.substr(equals + 1));
    if (settings->insert(settings.get(), texts[texts.size() - 2].c_str(), texts.back().c_str()) !=
        kTfLiteOk) {
      return Fail(ErrorCode::kInvalidScenario, "delegate_options: too many");
    }
  }
  DelegatePtr delegate(TfLiteExternalDelegateCreate(settings.get()), TfLiteExternalDelegateDelete);
  if (!delegate) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("delegate \"{}\" was loaded but gave no delegate: its device is not "
                            "there, or an option is wrong",
                            library));
  }
  return delegate;
}

}  // namespace kenning::tflite
