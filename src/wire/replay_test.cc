// SPDX-License-Identifier: Apache-2.0
// The recorded session of Kenning 0.8.2 (KENNING_CORPUS), played to the server.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "io_spec/io_spec_json.h"
#include "wire/testing/memory_target.h"
#include "wire/testing/requests.h"

namespace kenning::wire {
namespace {

using testing::BytesOf;
using testing::MemoryBackend;
using testing::MemoryStore;
using testing::ParseMessages;
using testing::Received;
using testing::Requests;
using testing::ScriptedChannel;

// What the recorded server's own parts said and computed.
class RecordedTarget {
 public:
  explicit RecordedTarget(const std::vector<Received>& answers) : backend(store) {
    backend.spec = spec_;
    for (const Received& answer : answers) {
      if (answer.header.type == MessageType::kOutput) outputs_.push_back(answer.body);
      if (answer.header.type == MessageType::kStats) backend.statistics = answer.text();
      if (answer.header.type == MessageType::kOptimizeModel) optimised_ = answer.body;
    }
  }
  // Gives the bytes that the server answers to `requests`.
  std::vector<std::byte> Serve(ConstBytes requests, Result<>& ended,
                               std::size_t most_bytes_a_read = SIZE_MAX) {
    ScriptedChannel channel(requests, most_bytes_a_read);
    ServerOptions options;
    options.settings.native = NativeMode::kAuto;
    TargetServer* server = nullptr;
    bool optimised = false;
    std::size_t next = 0;
    backend.optimize = [&](const std::string&) -> Result<std::string> {
      server->Log(LogLevel::kInfo, "Processing block: TFLiteCompiler");
      optimised = true;
      KENNING_ASSIGN_OR_RETURN(const std::string sha256, store.Put(optimised_));
      return R"({"sha256": ")" + sha256 + R"("})";
    };
    backend.invoke = [&](std::span<const TensorView>, std::span<const MutableTensorView> out) {
      std::ranges::copy(outputs_.at(next++), out[0].data);
      return Result<>();
    };
    options.on_activity = [&] {  // lines that came late
      if (!optimised) return;
      optimised = false;
      server->Log(LogLevel::kWarning, "Cannot get model class from model wrapper.");
      server->Log(
          LogLevel::kInfo,
          "Successfully converted model at                              magic_wand.h5 using "
          "keras -> tflite");
    };
    TargetServer the_server(channel, backend, store, options);
    server = &the_server;
    ended = the_server.Serve();
    return channel.written();
  }
  // No SHA-256: many runs are made.
  MemoryStore store{std::uint64_t{1} << 30,
                    [](ConstBytes bytes) { return std::to_string(bytes.size()); }};
  MemoryBackend backend;

 private:
  const ModelSpec spec_{.inputs = {{.name = "in", .shape = {1, 128, 3, 1}}},
                        .outputs = {{.name = "out", .shape = {1, 4}}}};
  std::vector<std::vector<std::byte>> outputs_;
  std::vector<std::byte> optimised_;
};

class ReplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* root = std::getenv("KENNING_CORPUS");
    if (root == nullptr) GTEST_SKIP() << "KENNING_CORPUS is not set";
    const auto folder = std::filesystem::path(root) / "wire" / "kenning-0.8.2";
    requests_ = ReadFile(folder / "cap.c2s.bin", 1 << 20).value();
    answers_ = ReadFile(folder / "cap.s2c.bin", 1 << 20).value();
    target_.emplace(ParseMessages(BytesOf(answers_)));
  }
  std::string requests_;
  std::string answers_;
  std::optional<RecordedTarget> target_;
};

TEST_F(ReplayTest, EveryByteOfTheAnswersIsTheRecordedOne) {
  for (const std::size_t most : {SIZE_MAX, std::size_t{1000}, std::size_t{1}}) {
    Result<> ended;
    const std::vector<std::byte> got = target_->Serve(BytesOf(requests_), ended, most);
    EXPECT_TRUE(ended) << ended.error().ToString();
    EXPECT_TRUE(std::ranges::equal(got, BytesOf(answers_)));
  }
}

// Ends of messages in `stream`.
std::vector<std::size_t> MessageEnds(ConstBytes stream) {
  std::vector<std::size_t> ends = {0};
  while (ends.back() < stream.size()) {
    const Header header = DecodeHeader(stream.subspan(ends.back()).first<kHeaderBytes>());
    ends.push_back(ends.back() + kHeaderBytes + header.body_size());
  }
  return ends;
}

void CutAt(RecordedTarget& target, ConstBytes requests, std::size_t cut, ConstBytes answers,
           const std::vector<std::size_t>& ends) {
  Result<> ended;
  const std::vector<std::byte> got = target.Serve(requests.first(cut), ended);
  const bool between = std::ranges::binary_search(ends, cut);
  ASSERT_EQ(ended.has_value(), between) << "cut at " << cut;
  if (!between) {
    ASSERT_EQ(ended.error().code(), ErrorCode::kTargetLost) << "cut at " << cut;
  }
  ASSERT_LE(got.size(), answers.size());
  ASSERT_TRUE(std::ranges::equal(got, answers.first(got.size()))) << "cut at " << cut;
}

TEST_F(ReplayTest, TheClientLeavesAtAnyByte) {
  // Models of 50 bytes: all places of the exchange, in a time that a test may take.
  Requests shorter;
  const std::vector<std::size_t> ends = MessageEnds(BytesOf(requests_));
  for (std::size_t i = 0; i + 1 < ends.size(); ++i) {
    const ConstBytes message = BytesOf(requests_).subspan(ends[i], ends[i + 1] - ends[i]);
    const Header header = DecodeHeader(message.first<kHeaderBytes>());
    const ConstBytes body = message.subspan(kHeaderBytes);
    const bool model =
        header.type == MessageType::kModel || header.type == MessageType::kUnoptimizedModel;
    shorter.Kenning(header.type, model ? body.first(50) : body);
  }
  const std::vector<std::size_t> shorter_ends = MessageEnds(shorter.bytes);
  for (std::size_t cut = 0; cut <= shorter.bytes.size(); ++cut) {
    CutAt(*target_, shorter.bytes, cut, BytesOf(answers_), shorter_ends);
    if (HasFatalFailure()) return;
  }
  // And the recorded bytes themselves, at every 997th.
  for (std::size_t cut = 0; cut <= requests_.size(); cut += 997) {
    CutAt(*target_, BytesOf(requests_), cut, BytesOf(answers_), ends);
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace kenning::wire
