// SPDX-License-Identifier: Apache-2.0
/// \file
/// Reads what a SavedModel (a folder with saved_model.pb) takes and gives, without TensorFlow.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::tensorflow {

/// An element type of kenning for a number of TensorFlow's DataType; empty where it has none.
std::optional<DType> FromTfType(int type);
int ToTfType(DType dtype);

/// A tensor of a signature: its spec and where the graph has it.
struct SignatureTensor {
  TensorSpec spec;
  std::string operation;  ///< "StatefulPartitionedCall"
  int index = 0;          ///< Which output of the operation.
};

/// The signature that is run. Tensors by their names, numbers in names by value: the file has no
/// order.
struct Signature {
  std::string key;                ///< "serving_default"
  std::vector<std::string> tags;  ///< Of the graph in the file: "serve".
  std::vector<SignatureTensor> inputs;
  std::vector<SignatureTensor> outputs;
  bool needs_variables = false;  ///< variables/variables.index must be there.
};

/// Takes "serving_default", else the only signature there is, of the graph with the tag "serve",
/// else of the only graph. The whole file is walked as far as its framing goes.
/// \return kNotFound, kInvalidModel, kUnsupported (no signature, strings, unknown rank), kIo.
Result<Signature> ReadSignature(const std::filesystem::path& folder);
/// The same from the bytes of saved_model.pb.
Result<Signature> ParseSignature(std::string_view bytes);

/// ReadSignature as a specification.
Result<ModelSpec> InspectSavedModel(const std::filesystem::path& folder);
ModelSpec SpecOf(const Signature& signature);

/// "NHWC" for an image of 1, 3 or 4 channels that stand last; empty otherwise.
std::string GuessLayout(const Shape& shape);

}  // namespace kenning::tensorflow
