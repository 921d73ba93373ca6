// SPDX-License-Identifier: Apache-2.0
/// \file
/// The options of subcommands that reach a target.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "kenning/registry/param_schema.h"

namespace kenning {

/// What was given on the command line, as parameters of a protocol block. Borrowed by the app until
/// it has parsed.
class TargetOptions {
 public:
  /// Options that say how a target is reached once its address is known.
  void AddAccess(CLI::App& app) {
    app.add_option("--token-file", token_file_, "File with the secret that host and agent share")
        ->type_name("FILE");
    app.add_flag("--tls", tls_, "Encrypt by TLS 1.3; the options below imply it");
    app.add_option("--tls-ca", tls_ca_, "Certificate of the authority that signed the target's")
        ->type_name("FILE");
    app.add_option("--tls-certificate", tls_certificate_, "Our own certificate")->type_name("FILE");
    app.add_option("--tls-key", tls_key_, "Its private key")->type_name("FILE");
    app.add_option("--tls-name", tls_name_, "Name in the target's certificate, if not the host's")
        ->type_name("NAME");
    app.add_option("--tls-fingerprint", tls_fingerprint_, "SHA-256 of the target's certificate")
        ->type_name("HEX");
    app.add_option("--baudrate", baudrate_, "Of a serial line")->type_name("N");
  }

  bool baudrate_given() const { return baudrate_ > 0; }

  /// Adds what was given. Paths become absolute: what is kept must hold in another folder, too.
  void Apply(std::map<std::string, ParamValue>& parameters) const {
    const auto path = [&parameters](const char* name, const std::string& value) {
      if (!value.empty()) parameters[name] = std::filesystem::absolute(value).string();
    };
    path("token_file", token_file_);
    path("tls_ca", tls_ca_);
    path("tls_certificate", tls_certificate_);
    path("tls_key", tls_key_);
    if (!tls_name_.empty()) parameters["tls_name"] = tls_name_;
    if (!tls_fingerprint_.empty()) parameters["tls_fingerprint"] = tls_fingerprint_;
    const bool implied = !tls_ca_.empty() || !tls_certificate_.empty() || !tls_key_.empty() ||
                         !tls_name_.empty() || !tls_fingerprint_.empty();
    if (tls_ || implied) parameters["tls"] = std::string("on");
    if (baudrate_ > 0) parameters["baudrate"] = baudrate_;
  }

 private:
  std::string token_file_;
  bool tls_ = false;
  std::string tls_ca_;
  std::string tls_certificate_;
  std::string tls_key_;
  std::string tls_name_;
  std::string tls_fingerprint_;
  std::int64_t baudrate_ = 0;
};

}  // namespace kenning
