// SPDX-License-Identifier: Apache-2.0
#include "wire/model_source.h"

#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <vector>

#include "kenning/base/digest.h"

namespace kenning::wire {

namespace fs = std::filesystem;

Result<ModelSource> ModelSource::Open(const fs::path& path) {
  ModelSource source;
  source.path_ = path;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    KENNING_ASSIGN_OR_RETURN(TarOfTree tar, TarOfTree::Create(path));
    source.size_ = tar.size_bytes();
    source.tar_.emplace(std::move(tar));
    return source;
  }
  source.size_ = fs::file_size(path, error);
  if (!error) {
    source.file_.reset(std::fopen(path.c_str(), "rbe"));
    if (!source.file_) error = std::error_code(errno, std::generic_category());
  }
  if (error) {
    const bool missing = error == std::errc::no_such_file_or_directory;
    return Fail(missing ? ErrorCode::kNotFound : ErrorCode::kIo,
                fmt::format("{}: {}", path.string(), error.message()));
  }
  return source;
}

Result<> ModelSource::Read(std::uint64_t offset, std::span<std::byte> out) {
  if (tar_) return tar_->Read(offset, out);
  while (!out.empty()) {
    const ssize_t got =
        ::pread(::fileno(file_.get()), out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      return Fail(ErrorCode::kIo,
                  fmt::format("{}: {}", path_.string(), std::generic_category().message(errno)));
    }
    if (got == 0) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: the file got shorter while it was sent", path_.string()));
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return {};
}

Result<std::string> ModelSource::Sha256Digits(const CancelToken* cancel) {
  Sha256 hash;
  std::vector<std::byte> chunk(std::min<std::uint64_t>(size_, std::uint64_t{1} << 20));
  for (std::uint64_t at = 0; at < size_;) {
    if (cancel != nullptr && cancel->cancelled()) {
      return Fail(ErrorCode::kCancelled, "stopped before the model was sent");
    }
    const auto part = std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), size_ - at));
    KENNING_RETURN_IF_ERROR(Read(at, part));
    hash.Add(part);
    at += part.size();
  }
  return hash.FinishHex();
}

}  // namespace kenning::wire
