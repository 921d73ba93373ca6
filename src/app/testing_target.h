// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: a target in this process, reached through memory.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "kenning/core/transport.h"
#include "wire/target_server.h"
#include "wire/testing/memory_channel.h"
#include "wire/testing/memory_target.h"

namespace kenning::testing_target {

/// Serves every connection on a thread of its own, one after another.
class MemoryTarget {
 public:
  MemoryTarget() : backend(store) {}
  ~MemoryTarget() {
    for (std::thread& thread : threads_) thread.join();
  }

  std::unique_ptr<Channel> Connect() {
    auto [host, target] = wire::testing::MakeMemoryPair();
    ++connections;
    threads_.emplace_back([this, channel = std::shared_ptr<Channel>(std::move(target))] {
      const std::scoped_lock one_at_a_time(serving_);
      {
        const std::scoped_lock lock(current_mutex_);
        current_ = channel;
      }
      wire::ServerOptions options;
      options.settings = settings;
      static_cast<void>(wire::TargetServer(*channel, backend, store, options).Serve());
      channel->Shutdown();
    });
    return std::move(host);
  }
  /// The connection breaks, as where a cable is pulled.
  void Vanish() {
    const std::scoped_lock lock(current_mutex_);
    if (current_ != nullptr) current_->Shutdown();
  }

  WireSettings settings;  ///< Of the target's side.
  wire::testing::MemoryStore store;
  wire::testing::MemoryBackend backend;
  std::atomic<int> connections{0};

 private:
  std::mutex serving_;
  std::mutex current_mutex_;
  std::shared_ptr<Channel> current_;
  std::vector<std::thread> threads_;
};

/// The host's way to it.
class MemoryTransport final : public Transport {
 public:
  MemoryTransport(MemoryTarget& target, WireSettings settings)
      : target_(target), settings_(std::move(settings)) {}
  const WireSettings& settings() const override { return settings_; }
  std::string name() const override { return "memory://target"; }
  Result<std::unique_ptr<Channel>> Connect(Deadline) override { return target_.Connect(); }
  Result<std::unique_ptr<Listener>> Listen() override {
    return Fail(ErrorCode::kUnsupported, "memory is not listened to");
  }

 private:
  MemoryTarget& target_;
  WireSettings settings_;
};

}  // namespace kenning::testing_target
