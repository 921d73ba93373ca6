// SPDX-License-Identifier: Apache-2.0
/// \file
/// A compiled model's file, format "tvm": machine code with a description, as `.so` or in a `.tar`.
/// Knows the file only; nothing of it is run here.
///
/// The `.so` is a shared object followed by: a JSON text (the IO specification of
/// docs/formats/io-spec.md with further keys "tvm", "target", "cpu_features", "notes"); the SHA-256
/// of all bytes so far (32 bytes); the text's length (8 bytes, little-endian); "KENNTVM1". The
/// `.tar` is a plain ustar archive with one member, `model.so`.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "kenning/base/result.h"
#include "kenning/core/tensor_spec.h"

namespace kenning::tvm_engine {

struct TvmArtifact {
  std::string library;  ///< The shared object, without what follows it.
  ModelSpec spec;
  std::string tvm_version;
  std::string target;                     ///< "llvm -mcpu=core-avx2"
  std::vector<std::string> cpu_features;  ///< That the code may use: "avx2", "fma".
};

/// Reads, checks the SHA-256 and the shared object's headers. At most 2 GiB. \return kNotFound,
/// kIo, kInvalidModel (empty, cut short, changed), kUnsupported (not made by TVMCompiler, or for
/// another architecture), kResourceExhausted.
Result<TvmArtifact> ReadTvmArtifact(const std::filesystem::path& path);

/// The same from bytes; `name` is for messages.
Result<TvmArtifact> ParseTvmArtifact(std::string bytes, const std::string& name);

/// \return kUnsupported naming the instruction sets that this machine lacks.
Result<> CheckCpuFeatures(const TvmArtifact& artifact);

}  // namespace kenning::tvm_engine
