// SPDX-License-Identifier: Apache-2.0
#include "transport/testing/certificates.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "kenning/base/file.h"

namespace kenning::testing {
namespace {

constexpr const char* kExpired = R"(
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj /CN={0} \
  -keyout {0}-key.pem -out request
openssl x509 -req -in request -CA ca.pem -CAkey ca-key.pem -days -1 -extfile extensions -out {0}.pem
)";

/// The commands below `<!-- tested: name -->`.
Result<std::string> Documented(const std::string& text, const std::string& name) {
  std::size_t at = text.find("<!-- tested: " + name + " -->\n\n");
  if (at == std::string::npos) {
    return Fail(ErrorCode::kNotFound, "secure-target.md: no commands: " + name);
  }
  at = text.find("\n\n", at) + 2;
  std::string commands;
  while (text.compare(at, 4, "    ") == 0) {
    const std::size_t end = text.find('\n', at) + 1;
    commands += text.substr(at + 4, end - at - 4);
    at = end;
  }
  return commands;
}

}  // namespace

Result<> MakeCertificates(const std::filesystem::path& folder) {
  KENNING_ASSIGN_OR_RETURN(
      const std::string text,
      ReadFile(std::filesystem::path(KENNING_SOURCE_DIR) / "docs/howto/secure-target.md"));
  std::string chain;
  for (const char* step : {"authority", "target", "host"}) {
    KENNING_ASSIGN_OR_RETURN(const std::string commands, Documented(text, step));
    chain += commands;
  }
  KENNING_ASSIGN_OR_RETURN(const std::string fingerprint, Documented(text, "fingerprint"));
  std::string script = fmt::format("set -e\ncd '{}'\n{}", folder.string(), chain);
  script += "{\n" + fingerprint + "} >fingerprint\n";
  script += "echo subjectAltName=DNS:board.local >extensions\n";
  script += fmt::format(kExpired, "old") + fmt::format(kExpired, "late");
  script += "mkdir other\ncd other\n" + chain;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(folder / "script", script));
  const std::string run = fmt::format("sh '{0}/script' >'{0}/log' 2>&1", folder.string());
  if (std::system(run.c_str()) != 0) {
    return Fail(ErrorCode::kEngineFailure, ReadFile(folder / "log").value_or("no log"));
  }
  return {};
}

}  // namespace kenning::testing
