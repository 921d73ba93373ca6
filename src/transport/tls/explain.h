// SPDX-License-Identifier: Apache-2.0
/// \file
/// What OpenSSL reports, in words that say what to do. Part kenning_part_tls.
#pragma once

#include <filesystem>
#include <string>

#include "kenning/base/error.h"
#include "kenning/base/result.h"
#include "transport/tls/context.h"

namespace kenning::internal {

/// OpenSSL's words for the newest error of this thread, which is cleared.
std::string LastReason();

/// A file that OpenSSL did not take: missing, or not what it should be.
tl::unexpected<Error> BadFile(const std::filesystem::path& path, const std::string& what);

/// Why a call failed, from this thread's queue of errors, which is cleared, and from the check of
/// the other side's certificate.
Error ExplainFailure(const PeerCheck& check, const TlsSettings& settings, TlsRole role,
                     const std::string& peer);

/// A name of a certificate for people: escaped, at most some hundred characters.
std::string NameText(const X509_NAME* name);

}  // namespace kenning::internal
