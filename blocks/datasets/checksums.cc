// SPDX-License-Identifier: Apache-2.0
#include "checksums.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

struct Entry {
  std::string sha256;
  std::filesystem::path path;
};

bool StaysInside(const std::filesystem::path& path) {
  if (path.empty() || path.is_absolute()) return false;
  return std::ranges::none_of(path, [](const auto& part) { return part == ".."; });
}

Result<std::vector<Entry>> ReadList(const std::filesystem::path& list) {
  KENNING_ASSIGN_OR_RETURN(const std::string text, ReadFile(list, 256U << 20), "checksum_file");
  std::vector<Entry> entries;
  std::istringstream lines(text);
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty() || line[0] == '#') continue;
    const bool form = line.size() > 66 && line[64] == ' ' && (line[65] == ' ' || line[65] == '*') &&
                      std::ranges::all_of(line.substr(0, 64),
                                          [](unsigned char c) { return std::isxdigit(c) != 0; });
    const std::filesystem::path path = form ? line.substr(66) : "";
    if (!form || !StaysInside(path)) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}:{}: \"<sha256>  <path below dataset_root>\" is expected",
                              list.string(), number));
    }
    entries.push_back({ToLower(line.substr(0, 64)), path});
  }
  return entries;
}

}  // namespace

Result<> VerifyChecksums(const std::filesystem::path& list, const std::filesystem::path& root,
                         ProgressSink& progress, const CancelToken& cancel) {
  KENNING_ASSIGN_OR_RETURN(const std::vector<Entry> entries, ReadList(list));
  progress.Begin("verify", entries.size(), "files");
  Result<> result;
  for (std::size_t i = 0; result && i < entries.size(); ++i) {
    const Result<std::string> found = Sha256OfFile(root / entries[i].path);
    if (cancel.cancelled()) {
      result = Fail(ErrorCode::kCancelled, "cancelled while verifying checksums");
    } else if (!found) {
      result = Fail(Error(found.error()).AddContext("checksum_file " + list.string()));
    } else if (*found != entries[i].sha256) {
      result = Fail(
          ErrorCode::kInvalidData,
          fmt::format("{}: its sha256 is {}, {} says {}; fetch the data set again",
                      (root / entries[i].path).string(), *found, list.string(), entries[i].sha256));
    }
    progress.Update(i + 1);
  }
  progress.End();
  return result;
}

}  // namespace kenning
