// SPDX-License-Identifier: Apache-2.0
/// \file
/// What the agent's main process sees of a session's process: one page of shared memory. The main
/// process believes nothing of it but the bytes' lengths: a session may have been taken over.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "kenning/base/result.h"
#include "wire/target_server.h"

namespace kenning::target {

/// Text that one process writes and another reads at any time; cut where it does not fit.
template <std::size_t kSize>
class SharedText {
 public:
  void Set(std::string_view text) {
    for (std::size_t i = 0; i + 1 < kSize; ++i) {
      bytes_[i].store(i < text.size() ? text[i] : '\0', std::memory_order_relaxed);
    }
  }
  /// Printable ASCII only.
  std::string Get() const {
    std::string text;
    for (std::size_t i = 0; i + 1 < kSize; ++i) {
      const char c = bytes_[i].load(std::memory_order_relaxed);
      if (c == '\0') break;
      text += c >= ' ' && c < 0x7F ? c : '?';
    }
    return text;
  }

 private:
  std::array<std::atomic<char>, kSize> bytes_{};
};

struct SessionPage {
  wire::SessionState state;
  SharedText<128> model;  ///< "tflite model 1f2e… in TFLiteRuntime"; empty before one.
  SharedText<256> fault;  ///< Where a fatal signal came: "function of library", or the library.
};

/// The page, mapped so that children share it.
class SharedSessionPage {
 public:
  static Result<SharedSessionPage> Create();
  SessionPage* get() const { return page_.get(); }
  SessionPage* operator->() const { return page_.get(); }

 private:
  struct Unmap {
    void operator()(SessionPage* page) const;
  };
  explicit SharedSessionPage(SessionPage* page) : page_(page) {}
  std::unique_ptr<SessionPage, Unmap> page_;
};

/// In a session's process: on SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT notes in `page` where it
/// happened, then lets the signal end the process as it would have. Of models that are machine code
/// the functions are their operators.
void NoteFatalSignals(SessionPage* page);

}  // namespace kenning::target
