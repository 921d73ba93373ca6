// SPDX-License-Identifier: Apache-2.0
// The server against clients that send whatever they like: it always comes to an end, and what it
// answers is well-formed.
//
// The input: one byte of settings, then what the client sends. With the lowest bit of the settings
// these are its bytes as they are. Without it they are steps, each a request with the right
// checksum, CRC or proof, so that what lies behind these checks is reached.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "kenning/base/check.h"
#include "wire/auth.h"
#include "wire/hex.h"
#include "wire/testing/memory_target.h"
#include "wire/testing/requests.h"

namespace {

using kenning::Channel;
using kenning::ConstBytes;
using kenning::Deadline;
using kenning::Digest;
using kenning::MutableBytes;
using kenning::Result;
using namespace kenning::wire;
using kenning::wire::testing::BytesOf;
using kenning::wire::testing::MemoryBackend;
using kenning::wire::testing::MemoryStore;
using kenning::wire::testing::ParseMessages;
using kenning::wire::testing::Received;
using kenning::wire::testing::Requests;

constexpr std::string_view kToken = "token";
constexpr std::string_view kNonce =
    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

enum Setting : std::uint8_t {
  kRaw = 1U << 0,
  kUart = 1U << 1,
  kNativeOff = 1U << 2,
  kWithToken = 1U << 3,
  kChecksums = 1U << 4,
  kNativeOnly = 1U << 5,
  kShortReads = 1U << 6,
};

// A name for a model that a fuzzer can guess: its first bytes.
std::string NameOf(ConstBytes model) {
  Digest digest{};
  std::ranges::copy(model.first(std::min<std::size_t>(model.size(), 4)), digest.begin());
  return kenning::ToHex(digest);
}

// Bytes of the input, taken from its beginning; zeros behind its end.
class Input {
 public:
  explicit Input(ConstBytes bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const auto byte = std::to_integer<std::uint8_t>(bytes_[0]);
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  ConstBytes Take(std::size_t size) {
    const ConstBytes taken = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(taken.size());
    return taken;
  }
  ConstBytes Rest() { return Take(bytes_.size()); }

 private:
  ConstBytes bytes_;
};

// Reads go to the next step of the client, which sees what was answered before.
class FuzzedClient final : public Channel {
 public:
  FuzzedClient(Input input, std::uint8_t settings)
      : input_(input), settings_(settings), checksums_((settings & kChecksums) != 0) {}
  Result<std::size_t> ReadSome(MutableBytes out, Deadline) override {
    while (sent_ == pending_.size() && !input_.empty()) NextStep();
    std::size_t count = std::min(out.size(), pending_.size() - sent_);
    if ((settings_ & kShortReads) != 0) count = std::min<std::size_t>(count, 7);
    if (count > 0) std::memcpy(out.data(), pending_.data() + sent_, count);
    sent_ += count;
    return count;
  }
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline) override {
    for (const ConstBytes piece : pieces) {
      written_.insert(written_.end(), piece.begin(), piece.end());
    }
    return {};
  }
  void Shutdown() noexcept override {}
  std::string peer() const override { return "fuzzer"; }
  const std::vector<std::byte>& written() const { return written_; }
  std::size_t requests() const { return requests_; }

 private:
  void NextStep() {
    Requests step(checksums_);
    if ((settings_ & kRaw) != 0) {
      step.Raw(input_.Rest());
    } else {
      const std::uint8_t what = input_.Byte() % 32;
      ++requests_;
      if (what < 14) {
        Kenning(static_cast<MessageType>(what), step);
      } else if (what < 27) {
        Native(static_cast<NativeType>(kFirstNativeType + what - 14), step);
      } else {
        Prepared(what, step);
      }
    }
    pending_ = std::move(step.bytes);
    sent_ = 0;
  }
  // Type, flow and payload by the input; flags, checksum right unless it says otherwise.
  void Kenning(MessageType type, Requests& step) {
    const std::uint8_t how = input_.Byte();
    const ConstBytes payload = input_.Take(input_.Byte());
    Header header{.type = type, .flow = static_cast<FlowControl>(how >> 6)};
    header.flags = static_cast<std::uint16_t>(how & 3);
    if ((how & 4) != 0) header.flags |= kNativeOffer;
    if ((how & 8) == 0) header.flags |= kFirst;
    if ((how & 16) == 0) header.flags |= kLast;
    if (!payload.empty()) header.flags |= kHasPayload;
    header.payload_size = static_cast<std::uint32_t>(payload.size());
    if (checksums_) header.checksum = ChecksumOf(EncodeHeader(header), payload);
    if ((how & 32) != 0) header.checksum = static_cast<std::uint8_t>(header.checksum ^ 1);
    step.Head(header).Raw(payload);
  }
  void Native(NativeType type, Requests& step) {
    const std::uint8_t how = input_.Byte();
    const ConstBytes body = input_.Take(input_.Byte());
    step.Native(type, how, body, {.sample_count = static_cast<std::uint32_t>(how & 15)});
    if (how == 255) step.bytes.back() ^= std::byte{1};
  }
  void Prepared(std::uint8_t what, Requests& step) {
    switch (what) {
      case 27: {  // the model of one letter, loaded as it should be
        const char letter = "MDEH"[input_.Byte() % 4];
        step.Kenning(MessageType::kModel, std::string(1, letter));
        break;
      }
      case 28: {  // samples of the right size
        const std::uint8_t count = input_.Byte() % 8;
        step.Infer(1, count, std::vector<std::byte>(std::size_t{16} * count));
        break;
      }
      case 29:
        step.Native(NativeType::kHello, 1,
                    R"({"versions":[1],"nonce":")" + std::string(kNonce) + R"("})");
        break;
      case 30:
        step.Native(NativeType::kAuth, 1, ClientProof(kToken, kNonce, ServerNonce()));
        break;
      default:
        step.Kenning(MessageType::kPing, {}, kSuccess);
        break;
    }
  }
  // Out of the last answer to HELLO.
  std::string ServerNonce() const {
    const std::string_view text(reinterpret_cast<const char*>(written_.data()), written_.size());
    constexpr std::string_view kKey = "\"nonce\":\"";
    const std::size_t at = text.rfind(kKey);
    return at == std::string_view::npos ? "" : std::string(text.substr(at + kKey.size(), 64));
  }

  Input input_;
  std::uint8_t settings_;
  bool checksums_;
  std::vector<std::byte> pending_;
  std::size_t sent_ = 0;
  std::vector<std::byte> written_;
  std::size_t requests_ = 0;
};

ServerOptions OptionsOf(std::uint8_t settings) {
  ServerOptions options;
  options.settings.error_recovery = (settings & kChecksums) != 0;
  if ((settings & kUart) != 0) {
    options.settings.dialect = kenning::WireDialect::kUart;
    options.settings.max_message_size = 400;
  }
  if ((settings & kNativeOff) != 0) {
    options.settings.native = kenning::NativeMode::kOff;
  } else if ((settings & kNativeOnly) != 0) {
    options.settings.native = kenning::NativeMode::kOn;
  }
  if ((settings & kWithToken) != 0) options.settings.token = kToken;
  options.limits = {.max_model_bytes = 1U << 14,
                    .max_io_spec_bytes = 1U << 12,
                    .max_json_bytes = 1U << 12,
                    .max_input_bytes = 1U << 14,
                    .max_part_bytes = 1U << 10};
  return options;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t settings = data[0];
  MemoryStore store(1U << 14, NameOf);
  MemoryBackend backend(store);
  backend.optimize = [&store](const std::string&) -> Result<std::string> {
    return R"({"sha256":")" + store.Put(BytesOf("Mo")).value() + R"("})";
  };
  FuzzedClient client(Input(std::as_bytes(std::span(data + 1, size - 1))), settings);
  SessionState state;
  ServerOptions options = OptionsOf(settings);
  const bool network = options.settings.dialect == kenning::WireDialect::kNetwork;
  options.state = &state;
  TargetServer server(client, backend, store, options);
  static_cast<void>(server.Serve());
  KENNING_CHECK(state.busy == 0);
  std::size_t answers = 0;
  bool proven = options.settings.token.empty();
  for (const Received& answer : ParseMessages(client.written(), network)) {
    KENNING_CHECK(answer.crc_right);
    KENNING_CHECK(answer.header.flow == FlowControl::kTransmission);
    if (answer.header.type == MessageType::kLogs) continue;
    ++answers;
    KENNING_CHECK(answer.header.has(kSuccess) != answer.header.has(kFail));
    if (answer.native_type() != NativeType::kAuth) continue;
    proven = proven || answer.header.has(kSuccess);
  }
  // Nobody loads a model without having shown the token.
  KENNING_CHECK(proven || backend.loads.empty());
  if ((settings & kRaw) == 0) KENNING_CHECK(answers <= client.requests());
  return 0;
}
