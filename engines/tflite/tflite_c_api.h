// SPDX-License-Identifier: Apache-2.0
/// \file
/// What this engine calls of TensorFlow Lite's C interface, declared by hand for version 2.21 (the
/// library comes without headers). Names, order and types are facts of the interface, documented in
/// TensorFlow's lite/c/c_api.h, lite/c/c_api_experimental.h, XNNPACK's delegate header, and
/// lite/profiling/telemetry/c/profiler.h.
#pragma once

#include <cstdarg>
#include <cstddef>
#include <cstdint>

extern "C" {

struct TfLiteModel;
struct TfLiteInterpreter;
struct TfLiteInterpreterOptions;
struct TfLiteTensor;
struct TfLiteDelegate;
struct TfLiteTelemetrySettings;

/// 0 is success; the others are kinds of failure.
using TfLiteStatus = int;
inline constexpr TfLiteStatus kTfLiteOk = 0;

struct TfLiteIntArray {
  int size;
  int data[1];  ///< `size` of them.
};

const char* TfLiteVersion();

using TfLiteErrorReporterFunction = void (*)(void* user_data, const char* format, va_list args);
/// The data must outlive the model.
TfLiteModel* TfLiteModelCreateWithErrorReporter(const void* data, std::size_t size,
                                                TfLiteErrorReporterFunction reporter,
                                                void* user_data);
void TfLiteModelDelete(TfLiteModel* model);

TfLiteInterpreterOptions* TfLiteInterpreterOptionsCreate();
void TfLiteInterpreterOptionsDelete(TfLiteInterpreterOptions* options);
void TfLiteInterpreterOptionsSetNumThreads(TfLiteInterpreterOptions* options,
                                           std::int32_t num_threads);
void TfLiteInterpreterOptionsAddDelegate(TfLiteInterpreterOptions* options,
                                         TfLiteDelegate* delegate);
void TfLiteInterpreterOptionsSetErrorReporter(TfLiteInterpreterOptions* options,
                                              TfLiteErrorReporterFunction reporter,
                                              void* user_data);

/// Callbacks of a run's events; `data` is the owner's.
struct TfLiteTelemetryProfilerStruct {
  void* data;
  void (*ReportTelemetryEvent)(TfLiteTelemetryProfilerStruct* profiler, const char* event_name,
                               std::uint64_t status);
  void (*ReportTelemetryOpEvent)(TfLiteTelemetryProfilerStruct* profiler, const char* event_name,
                                 std::int64_t op_index, std::int64_t subgraph_index,
                                 std::uint64_t status);
  void (*ReportSettings)(TfLiteTelemetryProfilerStruct* profiler, const char* setting_name,
                         const TfLiteTelemetrySettings* settings);
  std::uint32_t (*ReportBeginOpInvokeEvent)(TfLiteTelemetryProfilerStruct* profiler,
                                            const char* op_name, std::int64_t op_index,
                                            std::int64_t subgraph_index);
  void (*ReportEndOpInvokeEvent)(TfLiteTelemetryProfilerStruct* profiler,
                                 std::uint32_t event_handle);
  void (*ReportOpInvokeEvent)(TfLiteTelemetryProfilerStruct* profiler, const char* op_name,
                              std::uint64_t elapsed_us, std::int64_t op_index,
                              std::int64_t subgraph_index);
};
void TfLiteInterpreterOptionsSetTelemetryProfiler(TfLiteInterpreterOptions* options,
                                                  TfLiteTelemetryProfilerStruct* profiler);

TfLiteInterpreter* TfLiteInterpreterCreate(const TfLiteModel* model,
                                           const TfLiteInterpreterOptions* options);
void TfLiteInterpreterDelete(TfLiteInterpreter* interpreter);
std::int32_t TfLiteInterpreterGetInputTensorCount(const TfLiteInterpreter* interpreter);
TfLiteTensor* TfLiteInterpreterGetInputTensor(const TfLiteInterpreter* interpreter,
                                              std::int32_t index);
std::int32_t TfLiteInterpreterGetOutputTensorCount(const TfLiteInterpreter* interpreter);
const TfLiteTensor* TfLiteInterpreterGetOutputTensor(const TfLiteInterpreter* interpreter,
                                                     std::int32_t index);
TfLiteStatus TfLiteInterpreterResizeInputTensor(TfLiteInterpreter* interpreter, std::int32_t index,
                                                const int* dims, std::int32_t rank);
TfLiteStatus TfLiteInterpreterAllocateTensors(TfLiteInterpreter* interpreter);
TfLiteStatus TfLiteInterpreterInvoke(TfLiteInterpreter* interpreter);

/// Number of the type as in memory, which is not that of the file.
int TfLiteTensorType(const TfLiteTensor* tensor);
std::int32_t TfLiteTensorNumDims(const TfLiteTensor* tensor);
std::int32_t TfLiteTensorDim(const TfLiteTensor* tensor, std::int32_t index);
std::size_t TfLiteTensorByteSize(const TfLiteTensor* tensor);
void* TfLiteTensorData(const TfLiteTensor* tensor);

/// Larger than the library's own, whose first member is the only one that is set here; it is
/// returned through memory and passed by address, so that the size does not matter.
struct TfLiteXNNPackDelegateOptions {
  std::int32_t num_threads;
  unsigned char rest[508];
};
TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault();
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

}  // extern "C"
