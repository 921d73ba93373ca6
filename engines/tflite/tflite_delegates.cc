// SPDX-License-Identifier: Apache-2.0
#include "tflite_delegates.h"

#include <dlfcn.h>
#include <fmt/format.h>

namespace kenning::tflite {
namespace {

// What a library of an external delegate exports. TensorFlow Lite has a loader for it, too, which
// crashes where the library gives no delegate, and which drops its reason.
using CreateFunction = TfLiteDelegate* (*)(const char* const* keys, const char* const* values,
                                           std::size_t count, void (*report_error)(const char*));
using DestroyFunction = void (*)(TfLiteDelegate* delegate);

struct DelegateLibrary {
  CreateFunction create = nullptr;
  DestroyFunction destroy = nullptr;
};

std::string Remedy(const std::string& library) {
  if (library.find("edgetpu") != std::string::npos) {
    return "; the Edge TPU's run-time library is the package libedgetpu1-std of Coral";
  }
  return "; give the full path, or install the library where the loader finds it";
}

/// Never closed: such libraries keep threads and devices.
Result<DelegateLibrary> OpenLibrary(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    return Fail(ErrorCode::kUnavailable,
                fmt::format("delegate \"{}\" cannot be loaded: {}{}", library,
                            reason == nullptr ? "unknown reason" : reason, Remedy(library)));
  }
  DelegateLibrary found;
  found.create = reinterpret_cast<CreateFunction>(::dlsym(handle, "tflite_plugin_create_delegate"));
  found.destroy =
      reinterpret_cast<DestroyFunction>(::dlsym(handle, "tflite_plugin_destroy_delegate"));
  if (found.create == nullptr || found.destroy == nullptr) {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("\"{}\" is no external delegate of TensorFlow Lite: it has no function "
                            "{}",
                            library,
                            found.create == nullptr ? "tflite_plugin_create_delegate"
                                                    : "tflite_plugin_destroy_delegate"));
  }
  return found;
}

/// The callback of `create` takes no argument of ours.
std::string& ReportedError() {
  thread_local std::string text;
  return text;
}

/// "key=value" -> both; the texts stay where they are while they are pointed to.
Result<std::vector<std::string>> SplitOptions(const std::vector<std::string>& options) {
  std::vector<std::string> texts;
  for (const std::string& option : options) {
    const std::size_t equals = option.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return Fail(ErrorCode::kInvalidScenario,
                  fmt::format("delegate_options: \"{}\" is not of the form key=value", option));
    }
    texts.push_back(option.substr(0, equals));
    texts.push_back(option.substr(equals + 1));
  }
  return texts;
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
  KENNING_ASSIGN_OR_RETURN(const std::vector<std::string> texts, SplitOptions(options));
  KENNING_ASSIGN_OR_RETURN(const DelegateLibrary functions, OpenLibrary(library));
  std::vector<const char*> keys;
  std::vector<const char*> values;
  for (std::size_t i = 0; i < texts.size(); i += 2) {
    keys.push_back(texts[i].c_str());
    values.push_back(texts[i + 1].c_str());
  }
  ReportedError().clear();
  DelegatePtr delegate(
      functions.create(keys.data(), values.data(), keys.size(),
                       [](const char* text) { ReportedError() = text == nullptr ? "" : text; }),
      functions.destroy);
  if (!delegate) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("delegate \"{}\" was loaded but gives no delegate: {}", library,
                    ReportedError().empty() ? "its device is not there, or an option is wrong"
                                            : ReportedError()));
  }
  return delegate;
}

}  // namespace kenning::tflite
