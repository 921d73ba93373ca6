// SPDX-License-Identifier: Apache-2.0
/// \file
/// Times of operators through LibTorch's own call-backs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kenning/core/runtime.h"

namespace kenning::libtorch {

/// Sums the time of each operator that the model calls itself (not of those inside operators), by
/// its position in the run. Of one session; records what its thread runs while a Scope lives.
class OpRecorder {
 public:
  /// Records on this thread, one run, until it ends.
  class Scope {
   public:
    explicit Scope(OpRecorder& recorder);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    std::uint64_t handle_;
  };

  std::vector<OperatorProfile> Profiles() const;
  void Clear() { entries_.clear(); }

  /// Called by the call-backs.
  void Enter(const char* op);
  void Leave();

 private:
  struct Entry {
    std::string op;
    std::int64_t total_ns = 0;
    std::uint64_t calls = 0;
  };
  std::map<std::pair<std::size_t, std::string>, Entry> entries_;
  std::size_t position_ = 0;
  int depth_ = 0;
  std::int64_t started_ns_ = 0;
  std::string current_;
};

}  // namespace kenning::libtorch
