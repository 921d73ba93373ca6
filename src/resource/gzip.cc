// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>

#include "kenning/base/strings.h"
#include "resource/resource.h"

namespace kenning {
namespace {

struct CloseGzip {
  void operator()(gzFile file) const { gzclose_r(file); }
};
using GzipPtr = std::unique_ptr<gzFile_s, CloseGzip>;

Error NotWhole(const std::filesystem::path& path, std::string_view what) {
  return {ErrorCode::kInvalidData,
          fmt::format("{}: {}; delete it and fetch it again", path.string(), what)};
}

}  // namespace

Result<std::string> ReadGzipFile(const std::filesystem::path& path, std::uint64_t max_bytes) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: no such file", path.string()));
  }
  if (!std::filesystem::is_regular_file(path, ignored)) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is not a file", path.string()));
  }
  const GzipPtr file(gzopen(path.c_str(), "rbe"));
  if (!file) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: {}", path.string(), std::generic_category().message(errno)));
  }
  gzbuffer(file.get(), 1 << 18);
  std::string bytes;
  auto chunk = std::make_unique<std::array<char, 1 << 18>>();
  for (;;) {
    const int got = gzread(file.get(), chunk->data(), static_cast<unsigned>(chunk->size()));
    if (gzdirect(file.get()) != 0) {
      return Fail(NotWhole(path, "is not a gzip file (its first two bytes are not 1f 8b)"));
    }
    if (got < 0) {
      int number = Z_OK;
      const char* reason = gzerror(file.get(), &number);
      return Fail(NotWhole(path, fmt::format("corrupt gzip data ({})", reason)));
    }
    if (bytes.size() + static_cast<std::size_t>(got) > max_bytes) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("{}: unpacks to more than the {} that such a file may hold",
                              path.string(), HumanBytes(max_bytes)));
    }
    bytes.append(chunk->data(), static_cast<std::size_t>(got));
    if (static_cast<std::size_t>(got) < chunk->size()) break;
  }
  // A file that ends early is reported here only, not as a failed read.
  int number = Z_OK;
  gzerror(file.get(), &number);
  if (number != Z_OK && number != Z_STREAM_END) {
    return Fail(NotWhole(
        path, fmt::format("the gzip file is truncated after {} unpacked bytes", bytes.size())));
  }
  return bytes;
}

}  // namespace kenning
