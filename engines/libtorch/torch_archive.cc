// SPDX-License-Identifier: Apache-2.0
#include "torch_archive.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning::libtorch {
namespace {

// The zip format: records begin with a signature; numbers are little-endian.
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr std::uint32_t kEnd64Signature = 0x06064b50;
constexpr std::uint32_t kEntrySignature = 0x02014b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kEnd64LocatorBytes = 20;
constexpr std::size_t kEnd64Bytes = 56;
constexpr std::size_t kEntryBytes = 46;
constexpr std::size_t kMaxCommentBytes = 65535;
constexpr std::uint64_t kMaxDirectoryBytes = std::uint64_t{1} << 28U;
constexpr std::uint16_t kZip64Field = 1;

template <typename T>
T Number(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}

/// A file opened for reading at any place.
class Source {
 public:
  static Result<Source> Open(const std::filesystem::path& path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()));
    }
    const std::uint64_t size = std::filesystem::file_size(path, error);
    if (error) return Fail(ErrorCode::kIo, fmt::format("{}: {}", path.string(), error.message()));
    if (size > kMaxFileBytes) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: {} is more than the limit of {}", path.string(),
                              HumanBytes(size), HumanBytes(kMaxFileBytes)));
    }
    Source source(path, size);
    if (!source.stream_) {
      return Fail(ErrorCode::kIo, fmt::format("{}: cannot be read", path.string()));
    }
    return source;
  }

  std::uint64_t size() const { return size_; }
  const std::string& name() const { return name_; }

  Result<std::string> Read(std::uint64_t at, std::uint64_t count) {
    if (at > size_ || count > size_ - at) {
      return Broken("a part lies beyond the file's end");
    }
    std::string bytes(count, '\0');
    stream_.seekg(static_cast<std::streamoff>(at));
    if (count > 0 && !stream_.read(bytes.data(), static_cast<std::streamsize>(count))) {
      return Fail(ErrorCode::kIo, fmt::format("{}: cannot be read", name_));
    }
    return bytes;
  }

  tl::unexpected<Error> Broken(const std::string& what) const {
    return Fail(ErrorCode::kInvalidModel,
                fmt::format("{}: the zip archive is broken: {}", name_, what));
  }

 private:
  Source(const std::filesystem::path& path, std::uint64_t size)
      : name_(path.string()), size_(size), stream_(path, std::ios::binary) {}
  std::string name_;
  std::uint64_t size_;
  std::ifstream stream_;
};

struct DirectoryPlace {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::uint64_t at = 0;
};

Result<DirectoryPlace> ReadEnd64(Source& source, std::uint64_t end_at) {
  if (end_at < kEnd64LocatorBytes) return source.Broken("its zip64 locator is missing");
  KENNING_ASSIGN_OR_RETURN(const std::string locator,
                           source.Read(end_at - kEnd64LocatorBytes, kEnd64LocatorBytes));
  if (Number<std::uint32_t>(locator, 0) != kEnd64LocatorSignature) {
    return source.Broken("its zip64 locator is missing");
  }
  KENNING_ASSIGN_OR_RETURN(const std::string end,
                           source.Read(Number<std::uint64_t>(locator, 8), kEnd64Bytes));
  if (Number<std::uint32_t>(end, 0) != kEnd64Signature) {
    return source.Broken("its zip64 end is missing");
  }
  return DirectoryPlace{Number<std::uint64_t>(end, 32), Number<std::uint64_t>(end, 40),
                        Number<std::uint64_t>(end, 48)};
}

Result<DirectoryPlace> FindDirectory(Source& source) {
  const std::uint64_t tail_bytes =
      std::min<std::uint64_t>(source.size(), kEndBytes + kMaxCommentBytes);
  const std::uint64_t tail_at = source.size() - tail_bytes;
  KENNING_ASSIGN_OR_RETURN(const std::string tail, source.Read(tail_at, tail_bytes));
  for (std::size_t at = tail.size() < kEndBytes ? 0 : tail.size() - kEndBytes + 1; at-- > 0;) {
    if (Number<std::uint32_t>(tail, at) != kEndSignature) continue;
    DirectoryPlace place{Number<std::uint16_t>(tail, at + 10), Number<std::uint32_t>(tail, at + 12),
                         Number<std::uint32_t>(tail, at + 16)};
    if (place.entries == 0xFFFF || place.bytes == 0xFFFFFFFF || place.at == 0xFFFFFFFF) {
      return ReadEnd64(source, tail_at + at);
    }
    return place;
  }
  return source.Broken("its directory is missing; the file may be cut off");
}

/// The sizes of an entry that do not fit 32 bits stand in its extra field.
Result<> ReadZip64Sizes(const Source& source, std::string_view extra, ArchiveEntry& entry,
                        std::uint64_t& local_at) {
  std::vector<std::uint64_t*> wanted;
  for (std::uint64_t* value : {&entry.unpacked_bytes, &entry.packed_bytes, &local_at}) {
    if (*value == 0xFFFFFFFF) wanted.push_back(value);
  }
  while (!wanted.empty() && extra.size() >= 4) {
    const auto id = Number<std::uint16_t>(extra, 0);
    const std::size_t size = Number<std::uint16_t>(extra, 2);
    if (extra.size() - 4 < size) break;
    if (id == kZip64Field) {
      if (size < wanted.size() * 8) break;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        *wanted[i] = Number<std::uint64_t>(extra, 4 + i * 8);
      }
      return {};
    }
    extra.remove_prefix(4 + size);
  }
  if (!wanted.empty()) return source.Broken("an entry's size is missing");
  return {};
}

/// One entry at the front of `rest`, which is shortened by it.
Result<ArchiveEntry> TakeEntry(const Source& source, std::string_view& rest) {
  if (rest.size() < kEntryBytes || Number<std::uint32_t>(rest, 0) != kEntrySignature) {
    return source.Broken("its directory is cut off");
  }
  ArchiveEntry entry;
  entry.packed_bytes = Number<std::uint32_t>(rest, 20);
  entry.unpacked_bytes = Number<std::uint32_t>(rest, 24);
  std::uint64_t local_at = Number<std::uint32_t>(rest, 42);
  const std::size_t name_bytes = Number<std::uint16_t>(rest, 28);
  const std::size_t extra_bytes = Number<std::uint16_t>(rest, 30);
  const std::size_t comment_bytes = Number<std::uint16_t>(rest, 32);
  if (rest.size() - kEntryBytes < name_bytes + extra_bytes + comment_bytes) {
    return source.Broken("its directory is cut off");
  }
  entry.name = rest.substr(kEntryBytes, name_bytes);
  KENNING_RETURN_IF_ERROR(
      ReadZip64Sizes(source, rest.substr(kEntryBytes + name_bytes, extra_bytes), entry, local_at));
  if (local_at > source.size() || entry.packed_bytes > source.size() - local_at) {
    return source.Broken(fmt::format("entry \"{}\" lies beyond the file's end", entry.name));
  }
  rest.remove_prefix(kEntryBytes + name_bytes + extra_bytes + comment_bytes);
  return entry;
}

/// The name below the archive's one top folder: "model/code/x.py" -> "code/x.py".
std::string_view BelowTop(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

tl::unexpected<Error> NotTorch(const std::filesystem::path& path) {
  std::string what = "it is not a zip archive, which PyTorch's files are";
  const auto head = ReadFile(path, kMaxFileBytes);
  if (head && head->empty()) what = "it is empty";
  if (head && head->size() > 2 && (*head)[0] == '\x80' && (*head)[1] <= '\x05') {
    what = "it is a Python pickle of an old form, which runs code when it is read; " +
           std::string("load it in your own Python and store it with torch.jit.save");
  }
  return Fail(ErrorCode::kInvalidModel, fmt::format("{}: {}", path.string(), what));
}

constexpr std::string_view kHowToScript =
    "convert it where its Python code is: torch.jit.save(torch.jit.trace(model.eval(), example), "
    "\"model.pt\"), or torch.jit.script where the control flow depends on the data";

}  // namespace

Result<std::vector<ArchiveEntry>> ReadArchiveDirectory(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(Source source, Source::Open(path));
  KENNING_ASSIGN_OR_RETURN(const DirectoryPlace place, FindDirectory(source));
  if (place.entries > kMaxEntries || place.bytes > kMaxDirectoryBytes) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: its directory has {} entries in {}; the limits are {} and {}",
                            path.string(), place.entries, HumanBytes(place.bytes), kMaxEntries,
                            HumanBytes(kMaxDirectoryBytes)));
  }
  KENNING_ASSIGN_OR_RETURN(const std::string directory, source.Read(place.at, place.bytes));
  std::string_view rest = directory;
  std::vector<ArchiveEntry> entries;
  std::uint64_t unpacked = 0;
  for (std::uint64_t i = 0; i < place.entries; ++i) {
    KENNING_ASSIGN_OR_RETURN(ArchiveEntry entry, TakeEntry(source, rest));
    if (entry.unpacked_bytes > kMaxUnpackedBytes - unpacked) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacked it is more than the limit of {}", path.string(),
                              HumanBytes(kMaxUnpackedBytes)));
    }
    unpacked += entry.unpacked_bytes;
    entries.push_back(std::move(entry));
  }
  if (!rest.empty()) return source.Broken("its directory is longer than its entries");
  return entries;
}

Result<ArchiveKind> KindOfArchive(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(Source source, Source::Open(path));
  if (source.size() < kEndBytes) return NotTorch(path);
  KENNING_ASSIGN_OR_RETURN(const std::string magic, source.Read(0, 4));
  if (magic != "PK\x03\x04") return NotTorch(path);
  KENNING_ASSIGN_OR_RETURN(const std::vector<ArchiveEntry> entries, ReadArchiveDirectory(path));
  bool code = false;
  bool constants = false;
  bool data = false;
  bool program = false;
  bool native = false;
  for (const ArchiveEntry& entry : entries) {
    const std::string_view name = BelowTop(entry.name);
    code = code || name.starts_with("code/");
    constants = constants || name == "constants.pkl";
    data = data || name == "data.pkl";
    program = program || (name.starts_with("models/") && name.ends_with(".json"));
    native = native || name.starts_with("data/aotinductor/");
  }
  if (native) return ArchiveKind::kAotInductor;
  if (program) return ArchiveKind::kExported;
  if (constants && code) return ArchiveKind::kTorchScript;
  if (data) return ArchiveKind::kPickle;
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{}: a zip archive, but not one of PyTorch's: neither code and "
                          "constants.pkl (TorchScript) nor models/*.json (torch.export)",
                          path.string()));
}

Result<> CheckTorchScript(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const ArchiveKind kind, KindOfArchive(path));
  switch (kind) {
    case ArchiveKind::kTorchScript:
      return {};
    case ArchiveKind::kExported:
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: this is a program of torch.export, not TorchScript; give it the "
                              "extension .pt2",
                              path.string()));
    case ArchiveKind::kAotInductor:
      return Fail(
          ErrorCode::kInvalidModel,
          fmt::format("{}: this is a package of AOTInductor, not TorchScript", path.string()));
    case ArchiveKind::kPickle:
      break;
  }
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{}: this is a pickle of torch.save (weights, or a Python object), not "
                          "TorchScript: it does not hold the network; {}",
                          path.string(), kHowToScript));
}

Result<> CheckExported(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const ArchiveKind kind, KindOfArchive(path));
  switch (kind) {
    case ArchiveKind::kExported:
      return {};
    case ArchiveKind::kAotInductor:
      return Fail(ErrorCode::kUnsupported,
                  fmt::format("{}: a package of AOTInductor is native code from outside, which is "
                              "not run; store the program itself with torch.export.save",
                              path.string()));
    case ArchiveKind::kTorchScript:
      return Fail(ErrorCode::kInvalidModel,
                  fmt::format("{}: this is TorchScript; give it the extension .pt", path.string()));
    case ArchiveKind::kPickle:
      break;
  }
  return Fail(ErrorCode::kInvalidModel,
              fmt::format("{}: this is a pickle of torch.save, not a program of torch.export; "
                          "store one with torch.export.save(torch.export.export(model.eval(), "
                          "(example,)), \"model.pt2\")",
                          path.string()));
}

}  // namespace kenning::libtorch
