// SPDX-License-Identifier: Apache-2.0
/// \file
/// Channels in memory, for tests and fuzzing: a connected pair, and one that plays given bytes.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kenning/core/transport.h"

namespace kenning::wire::testing {

/// One direction of a connection.
class MemoryPipe {
 public:
  Result<std::size_t> Read(MutableBytes out, Deadline deadline, std::size_t most) {
    std::unique_lock lock(mutex_);
    const auto ready = [this] { return !bytes_.empty() || ended_ || broken_; };
    if (const auto left = deadline.remaining_ns()) {
      if (!changed_.wait_for(lock, std::chrono::nanoseconds(*left), ready)) {
        return Fail(ErrorCode::kDeadlineExceeded, "no bytes came in time");
      }
    } else {
      changed_.wait(lock, ready);
    }
    if (broken_) return Fail(ErrorCode::kTargetLost, "the connection was shut down");
    const std::size_t count = std::min({out.size(), bytes_.size(), most});
    std::copy_n(bytes_.begin(), count, out.begin());
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  Result<> Write(std::span<const ConstBytes> pieces) {
    const std::scoped_lock lock(mutex_);
    if (ended_ || broken_ || reader_gone_) {
      return Fail(ErrorCode::kTargetLost, "the other side has gone");
    }
    for (const ConstBytes piece : pieces) bytes_.insert(bytes_.end(), piece.begin(), piece.end());
    changed_.notify_all();
    return {};
  }
  /// The reader gets what is there, then the end of the stream.
  void End() { Set(ended_); }
  /// The reader gets an error at once.
  void Break() { Set(broken_); }
  /// The writer gets an error.
  void LeaveReader() { Set(reader_gone_); }

 private:
  void Set(bool& flag) {
    const std::scoped_lock lock(mutex_);
    flag = true;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::byte> bytes_;
  bool ended_ = false;
  bool broken_ = false;
  bool reader_gone_ = false;
};

/// One end of a connection in memory. Writes never block.
class MemoryChannel final : public Channel {
 public:
  MemoryChannel(std::shared_ptr<MemoryPipe> in, std::shared_ptr<MemoryPipe> out)
      : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryChannel() override {
    in_->LeaveReader();
    out_->End();
  }
  Result<std::size_t> ReadSome(MutableBytes out, Deadline deadline) override {
    return in_->Read(out, deadline, most_);
  }
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline) override {
    return out_->Write(pieces);
  }
  void Shutdown() noexcept override {
    in_->Break();
    out_->End();
  }
  std::string peer() const override { return "memory"; }
  /// One ReadSome gives at most this many bytes.
  void set_most_bytes_a_read(std::size_t most) { most_ = most; }

 private:
  std::shared_ptr<MemoryPipe> in_;
  std::shared_ptr<MemoryPipe> out_;
  std::size_t most_ = SIZE_MAX;
};

/// Two connected ends.
inline std::pair<std::unique_ptr<MemoryChannel>, std::unique_ptr<MemoryChannel>> MakeMemoryPair() {
  auto one_way = std::make_shared<MemoryPipe>();
  auto other_way = std::make_shared<MemoryPipe>();
  return {std::make_unique<MemoryChannel>(one_way, other_way),
          std::make_unique<MemoryChannel>(other_way, one_way)};
}

/// Plays `input` and then the end of the stream; keeps what is written. Never waits.
class ScriptedChannel final : public Channel {
 public:
  explicit ScriptedChannel(ConstBytes input, std::size_t most_bytes_a_read = SIZE_MAX)
      : input_(input), most_(most_bytes_a_read) {}
  Result<std::size_t> ReadSome(MutableBytes out, Deadline) override {
    const std::size_t count = std::min({out.size(), input_.size(), most_});
    if (count > 0) std::memcpy(out.data(), input_.data(), count);
    input_ = input_.subspan(count);
    return count;
  }
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline) override {
    ++writes_;
    for (const ConstBytes piece : pieces) {
      written_.insert(written_.end(), piece.begin(), piece.end());
    }
    return {};
  }
  void Shutdown() noexcept override { input_ = {}; }
  std::string peer() const override { return "script"; }

  const std::vector<std::byte>& written() const { return written_; }
  std::size_t writes() const { return writes_; }

 private:
  ConstBytes input_;
  std::size_t most_;
  std::vector<std::byte> written_;
  std::size_t writes_ = 0;
};

/// The bytes of text.
inline ConstBytes BytesOf(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

}  // namespace kenning::wire::testing
