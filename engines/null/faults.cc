// SPDX-License-Identifier: Apache-2.0
#include "faults.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <thread>

namespace kenning::null_engine {
namespace {

constexpr std::size_t kChunk = 16 << 20;

[[noreturn]] void Crash() {
  std::raise(SIGSEGV);
  std::abort();
}

[[noreturn]] void Hang() {
  for (;;) ::pause();
}

}  // namespace

Result<Faults> Faults::FromModel(const nlohmann::json& model, const std::string& file) {
  Faults faults;
  const auto found = model.find("faults");
  if (found == model.end()) return faults;
  try {
    for (const auto& [name, value] : found->items()) {
      if (name == "crash_on_load") {
        faults.crash_on_load_ = value.get<bool>();
      } else if (name == "hang_on_load") {
        faults.hang_on_load_ = value.get<bool>();
      } else if (name == "crash_after") {
        faults.crash_after_ = value.get<std::int64_t>();
      } else if (name == "hang_after") {
        faults.hang_after_ = value.get<std::int64_t>();
      } else if (name == "allocate_bytes") {
        faults.allocate_bytes_ = value.get<std::uint64_t>();
      } else if (name == "sleep_ms") {
        faults.sleep_ms_ = value.get<std::uint64_t>();
      } else if (name == "call") {
        faults.call_ = value.get<std::string>();
      } else {
        return Fail(ErrorCode::kInvalidModel,
                    fmt::format("{}: there is no fault \"{}\"", file, name));
      }
    }
  } catch (const nlohmann::json::exception& exception) {
    return Fail(ErrorCode::kInvalidModel, fmt::format("{}: faults: {}", file, exception.what()));
  }
  return faults;
}

Result<> Faults::WhileLoading() {
  if (crash_on_load_) Crash();
  if (hang_on_load_) Hang();
  return {};
}

Result<> Faults::BeforeInvoke() {
  const std::int64_t before = invokes_++;
  if (crash_after_ && before >= *crash_after_) Crash();
  if (hang_after_ && before >= *hang_after_) Hang();
  if (sleep_ms_ > 0) std::this_thread::sleep_for(std::chrono::milliseconds(sleep_ms_));
  for (std::uint64_t got = 0; got < allocate_bytes_; got += kChunk) {
    try {
      memory_.emplace_back(kChunk, 'x');
    } catch (const std::bad_alloc&) {
      return Fail(ErrorCode::kResourceExhausted, fmt::format("no more memory after {} bytes", got));
    }
  }
  return call_.empty() ? Result<>() : Call();
}

Result<> Faults::Call() const {
  int result = -1;
  errno = 0;
  if (call_ == "exec") {
    char name[] = "/bin/true";
    char* const words[] = {name, nullptr};
    result = ::execv(name, words);
  } else if (call_ == "socket") {
    result = ::socket(AF_INET, SOCK_STREAM, 0);
  } else if (call_ == "fork") {
    result = ::fork();
    if (result == 0) ::_exit(0);
  } else if (call_ == "kill_parent") {
    result = ::kill(::getppid(), 0);
  } else if (call_.starts_with("write ")) {
    result = ::open(call_.c_str() + 6, O_WRONLY | O_CREAT, 0600);
  } else {
    return Fail(ErrorCode::kInvalidModel, fmt::format("there is no call \"{}\"", call_));
  }
  if (result >= 0) return {};
  return Fail(ErrorCode::kEngineFailure,
              fmt::format("{}: {}", call_, std::generic_category().message(errno)));
}

}  // namespace kenning::null_engine
