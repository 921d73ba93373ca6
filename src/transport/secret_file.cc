// SPDX-License-Identifier: Apache-2.0
#include "transport/secret_file.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <string_view>

#include "kenning/base/file.h"
#include "transport/wait.h"

namespace kenning {
namespace {

constexpr std::size_t kLeastBytes = 16;
constexpr std::size_t kMostBytes = 4096;

}  // namespace

Result<> CheckSecretFile(const std::filesystem::path& path) {
  struct stat status = {};
  if (::stat(path.c_str(), &status) != 0) {
    return Fail(ErrorCode::kNotFound,
                fmt::format("{}: {}", path.string(), internal::SystemError(errno)));
  }
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: others than its owner may use this secret; run: chmod 600 {}",
                            path.string(), path.string()));
  }
  return {};
}

Result<std::string> ReadSecretFile(const std::filesystem::path& path) {
  KENNING_RETURN_IF_ERROR(CheckSecretFile(path));
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, 2 * kMostBytes));
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  const std::size_t end = text.find_last_not_of(kSpace);
  std::string secret = begin == std::string::npos ? "" : text.substr(begin, end - begin + 1);
  if (secret.size() < kLeastBytes || secret.size() > kMostBytes) {
    return Fail(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: a secret of {} bytes; {} to {} are allowed; make one with: openssl "
                    "rand -hex 32",
                    path.string(), secret.size(), kLeastBytes, kMostBytes));
  }
  return secret;
}

}  // namespace kenning
