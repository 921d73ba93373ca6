// SPDX-License-Identifier: Apache-2.0
#include "op_recorder.h"

#include <ATen/record_function.h>
#include <fmt/format.h>

#include <algorithm>

#include "kenning/base/clock.h"

namespace kenning::libtorch {
namespace {

/// Call-backs carry no data of their own; they work for the recorder of their thread.
thread_local OpRecorder* active = nullptr;

std::unique_ptr<at::ObserverContext> OnEnter(const at::RecordFunction& function) {
  if (active != nullptr) active->Enter(function.name());
  return nullptr;
}

void OnLeave(const at::RecordFunction& /*function*/, at::ObserverContext* /*context*/) {
  if (active != nullptr) active->Leave();
}

}  // namespace

OpRecorder::Scope::Scope(OpRecorder& recorder) {
  recorder.position_ = 0;
  recorder.depth_ = 0;
  active = &recorder;
  handle_ = at::addThreadLocalCallback(
      at::RecordFunctionCallback(OnEnter, OnLeave).scopes({at::RecordScope::FUNCTION}));
}

OpRecorder::Scope::~Scope() {
  at::removeCallback(handle_);
  active = nullptr;
}

void OpRecorder::Enter(const char* op) {
  if (depth_++ > 0) return;
  current_ = op;
  started_ns_ = MonotonicNowNs();
}

void OpRecorder::Leave() {
  if (--depth_ > 0) return;
  const std::int64_t duration_ns = MonotonicNowNs() - started_ns_;
  Entry& entry = entries_[{position_++, current_}];
  entry.op = current_;
  entry.total_ns += duration_ns;
  ++entry.calls;
}

std::vector<OperatorProfile> OpRecorder::Profiles() const {
  std::vector<OperatorProfile> profiles;
  for (const auto& [key, entry] : entries_) {
    OperatorProfile profile;
    profile.op_type = entry.op.substr(entry.op.rfind(':') + 1);
    profile.name = fmt::format("{}_{}", profile.op_type, key.first);
    profile.total_ns = entry.total_ns;
    profile.calls = entry.calls;
    profile.kernel = entry.op;
    profiles.push_back(std::move(profile));
  }
  std::ranges::sort(profiles, [](const OperatorProfile& a, const OperatorProfile& b) {
    return a.total_ns > b.total_ns;
  });
  return profiles;
}

}  // namespace kenning::libtorch
