// SPDX-License-Identifier: Apache-2.0
/// \file
/// The part of TensorFlow's C interface that is used here, declared by hand: the library is loaded
/// out of a toolchain at run time, and building needs no TensorFlow.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kenning::tensorflow {

struct TF_Status;
struct TF_Graph;
struct TF_Operation;
struct TF_Session;
struct TF_SessionOptions;
struct TF_Tensor;

struct TF_Buffer {
  const void* data;
  std::size_t length;
  void (*data_deallocator)(void* data, std::size_t length);
};

/// One output of an operation.
struct TF_Output {
  TF_Operation* oper;
  int index;
};

using TF_Deallocator = void (*)(void* data, std::size_t length, void* argument);

/// Status codes (TF_Code) that are told apart here.
enum TfCode : int {
  kTfOk = 0,
  kTfInvalidArgument = 3,
  kTfNotFound = 5,
  kTfResourceExhausted = 8,
  kTfFailedPrecondition = 9,
  kTfUnimplemented = 12,
  kTfDataLoss = 15,
};

/// The functions, by their names without the prefix TF_. All are set once a Library is loaded.
struct TfApi {
  const char* (*Version)();

  TF_Status* (*NewStatus)();
  void (*DeleteStatus)(TF_Status*);
  int (*GetCode)(const TF_Status*);
  const char* (*Message)(const TF_Status*);

  TF_Buffer* (*NewBuffer)();
  void (*DeleteBuffer)(TF_Buffer*);

  TF_SessionOptions* (*NewSessionOptions)();
  void (*DeleteSessionOptions)(TF_SessionOptions*);
  void (*SetConfig)(TF_SessionOptions*, const void* proto, std::size_t length, TF_Status*);

  TF_Graph* (*NewGraph)();
  void (*DeleteGraph)(TF_Graph*);
  TF_Operation* (*GraphOperationByName)(TF_Graph*, const char* name);
  int (*OperationNumOutputs)(TF_Operation*);
  int (*OperationOutputType)(TF_Output);

  TF_Session* (*LoadSessionFromSavedModel)(const TF_SessionOptions*, const TF_Buffer* run_options,
                                           const char* folder, const char* const* tags,
                                           int tag_count, TF_Graph*, TF_Buffer* meta_graph,
                                           TF_Status*);
  void (*CloseSession)(TF_Session*, TF_Status*);
  void (*DeleteSession)(TF_Session*, TF_Status*);
  void (*SessionRun)(TF_Session*, const TF_Buffer* run_options, const TF_Output* inputs,
                     TF_Tensor* const* input_values, int input_count, const TF_Output* outputs,
                     TF_Tensor** output_values, int output_count,
                     const TF_Operation* const* targets, int target_count, TF_Buffer* run_metadata,
                     TF_Status*);

  /// Memory that is not aligned to 64 bytes is copied; other memory is used as it is.
  TF_Tensor* (*NewTensor)(int type, const std::int64_t* dims, int dim_count, void* data,
                          std::size_t length, TF_Deallocator, void* argument);
  void (*DeleteTensor)(TF_Tensor*);
  int (*TensorType)(const TF_Tensor*);
  int (*NumDims)(const TF_Tensor*);
  std::int64_t (*Dim)(const TF_Tensor*, int index);
  std::size_t (*TensorByteSize)(const TF_Tensor*);
  void* (*TensorData)(const TF_Tensor*);
};

}  // namespace kenning::tensorflow
