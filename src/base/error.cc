// SPDX-License-Identifier: Apache-2.0
#include "kenning/base/error.h"

#include "kenning/base/check.h"

namespace kenning {

std::string_view ErrorCodeName(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kInvalidScenario:
      return "invalid-scenario";
    case ErrorCode::kInvalidModel:
      return "invalid-model";
    case ErrorCode::kInvalidData:
      return "invalid-data";
    case ErrorCode::kNotFound:
      return "not-found";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kFailedPrecondition:
      return "failed-precondition";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kResourceExhausted:
      return "resource-exhausted";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kTargetLost:
      return "target-lost";
    case ErrorCode::kDeadlineExceeded:
      return "deadline-exceeded";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kEngineFailure:
      return "engine-failure";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "unknown";
}

int ExitCodeFor(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidScenario:
    case ErrorCode::kInvalidArgument:
      return 2;
    case ErrorCode::kUnavailable:
      return 3;
    case ErrorCode::kTargetLost:
    case ErrorCode::kDeadlineExceeded:
      return 4;
    case ErrorCode::kCancelled:
      return 130;
    default:
      return 1;
  }
}

Error::Error(ErrorCode code, std::string message, std::source_location where)
    : code_(code), message_(std::move(message)), where_(where) {}

Error& Error::AddContext(std::string text) & {
  context_.push_back(std::move(text));
  return *this;
}

Error&& Error::AddContext(std::string text) && {
  context_.push_back(std::move(text));
  return std::move(*this);
}

std::string Error::ToString() const {
  std::string text;
  for (auto it = context_.rbegin(); it != context_.rend(); ++it) {
    text += *it;
    text += ": ";
  }
  return text + message_;
}

}  // namespace kenning
