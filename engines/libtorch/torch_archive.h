// SPDX-License-Identifier: Apache-2.0
/// \file
/// What kind of PyTorch file a file is, told from the directory of its zip archive alone, before
/// LibTorch sees it. Knows the zip format's directory; knows nothing of LibTorch.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "kenning/base/result.h"

namespace kenning::libtorch {

inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 33U;
/// Of all entries, unpacked.
inline constexpr std::uint64_t kMaxUnpackedBytes = std::uint64_t{1} << 33U;
inline constexpr std::size_t kMaxEntries = 200'000;

/// A file inside an archive.
struct ArchiveEntry {
  std::string name;
  std::uint64_t packed_bytes = 0;
  std::uint64_t unpacked_bytes = 0;
};

/// Reads the directory of a zip archive. Every entry lies within the file, and the sizes keep the
/// limits above. \return kNotFound, kIo, kResourceExhausted, kInvalidModel.
Result<std::vector<ArchiveEntry>> ReadArchiveDirectory(const std::filesystem::path& path);

enum class ArchiveKind : std::uint8_t {
  kTorchScript,  ///< torch.jit.save: code and constants; runs without Python.
  kExported,     ///< torch.export.save: a program of ATen operators as JSON.
  kAotInductor,  ///< torch._inductor.aoti_compile_and_package: native code.
  kPickle,       ///< torch.save: a state dict or a Python object.
};

/// The kind of the file. \return what ReadArchiveDirectory returns; kInvalidModel for a file that
/// is none of these, with what it seems to be.
Result<ArchiveKind> KindOfArchive(const std::filesystem::path& path);

/// Refuses a file that is not TorchScript, and says how to make it so.
Result<> CheckTorchScript(const std::filesystem::path& path);
/// Refuses a file that is not an exported program, and says how to make one.
Result<> CheckExported(const std::filesystem::path& path);

}  // namespace kenning::libtorch
