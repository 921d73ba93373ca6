// SPDX-License-Identifier: Apache-2.0
// An external delegate for tests: XNNPACK in the coat of one.
#include <cstring>

#include "tflite_c_api.h"

extern "C" {

__attribute__((visibility("default"))) TfLiteDelegate* tflite_plugin_create_delegate(
    const char* const* keys, const char* const* /*values*/, std::size_t count,
    void (*report_error)(const char*)) {
  for (std::size_t i = 0; i < count; ++i) {
    if (std::strcmp(keys[i], "refuse") != 0) continue;
    if (report_error != nullptr) report_error("no device");
    return nullptr;
  }
  TfLiteXNNPackDelegateOptions options = TfLiteXNNPackDelegateOptionsDefault();
  return TfLiteXNNPackDelegateCreate(&options);
}

__attribute__((visibility("default"))) void tflite_plugin_destroy_delegate(
    TfLiteDelegate* delegate) {
  TfLiteXNNPackDelegateDelete(delegate);
}

}  // extern "C"
