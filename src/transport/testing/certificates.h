// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: the certificates that docs/howto/secure-target.md makes, by its own commands.
#pragma once

#include <filesystem>

#include "kenning/base/result.h"

namespace kenning::testing {

/// Fills a folder with ca.pem, board.pem (a target: board.local, 192.0.2.7), workstation.pem (a
/// host) and their keys, `fingerprint` (of the board's, as printed), old.pem and late.pem (board
/// and host, expired), and other/, with the files of another authority. \return kEngineFailure
/// with what the commands printed.
Result<> MakeCertificates(const std::filesystem::path& folder);

}  // namespace kenning::testing
