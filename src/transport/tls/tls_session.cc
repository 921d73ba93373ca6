// SPDX-License-Identifier: Apache-2.0
#include "transport/tls/tls_session.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "transport/tls/context.h"
#include "transport/tls/explain.h"

namespace kenning::internal {
namespace {

constexpr std::size_t kReadBytes = std::size_t{128} << 10U;
// Of one record. Pieces of a message that fit one record together travel in one.
constexpr std::size_t kRecordBytes = std::size_t{16} << 10U;
// Encrypted bytes are written in portions of about this size.
constexpr std::size_t kPortionBytes = std::size_t{256} << 10U;
// For a last word to the other side, which may not listen any more.
constexpr double kFarewellSeconds = 0.5;

/// OpenSSL never touches the connection: it takes encrypted bytes from `in` and leaves its own in
/// `out`, so that nobody waits for the network while holding the lock of the SSL object.
class Session final : public TlsChannel {
 public:
  Session(std::unique_ptr<Channel> channel, const TlsSettings& settings, TlsRole role)
      : channel_(std::move(channel)),
        settings_(settings),
        role_(role),
        check_{.pin = role == TlsRole::kClient ? FingerprintDigits(settings.fingerprint) : ""},
        received_(kReadBytes) {}
  ~Session() override;

  Result<> Handshake(Deadline deadline);

  Result<std::size_t> ReadSome(MutableBytes out, Deadline deadline) override;
  Result<> WriteAll(std::span<const ConstBytes> pieces, Deadline deadline) override;
  void Shutdown() noexcept override { channel_->Shutdown(); }
  std::string peer() const override { return channel_->peer(); }
  int poll_descriptor() const override { return channel_->descriptor(); }
  bool pending() const override {
    const std::lock_guard lock(ssl_mutex_);
    return !in_.empty() || SSL_has_pending(ssl_.get()) == 1;
  }
  void EndWriting(Deadline deadline) noexcept override;
  std::string peer_subject() const override { return subject_; }

 private:
  enum class Step : std::uint8_t { kDone, kWantsBytes, kEnded, kFailed };
  struct Outcome {
    Step step = Step::kDone;
    std::size_t bytes = 0;
    std::optional<Error> error;
  };
  static BIO_METHOD* Method();
  static Session& Of(BIO* bio) { return *static_cast<Session*>(BIO_get_data(bio)); }
  static int BioRead(BIO* bio, char* out, std::size_t size, std::size_t* got);
  static int BioWrite(BIO* bio, const char* bytes, std::size_t size, std::size_t* written);
  static long BioControl(BIO* bio, int command, long number, void* pointer);

  Result<> Prepare();
  Outcome Judge(int result);  // Holds ssl_mutex_.
  Outcome Decrypt(MutableBytes out);
  Result<> Encrypt(ConstBytes plain);
  Result<> Receive(Deadline deadline, bool& ended);
  Result<> SendPending(Deadline deadline);  // Holds send_mutex_.
  Result<> FlushPlain();
  void DrainAfterRefusal();

  std::unique_ptr<Channel> channel_;
  TlsSettings settings_;
  TlsRole role_;
  PeerCheck check_;
  SslContext context_;
  SslHandle ssl_;
  std::string subject_;
  bool established_ = false;
  std::atomic<bool> broken_{false};

  std::vector<std::byte> received_;  // Of the reading thread; `in_` lies within.
  std::optional<Error> failure_;     // Of the reading thread: what every later read says.
  mutable std::mutex ssl_mutex_;     // Of ssl_, in_, out_.
  ConstBytes in_;
  std::vector<std::byte> out_;
  std::mutex send_mutex_;  // Taken before ssl_mutex_: encrypted bytes leave in their order.
  std::vector<std::byte> sending_;
  std::vector<std::byte> plain_;
};

int Session::BioRead(BIO* bio, char* out, std::size_t size, std::size_t* got) {
  ConstBytes& in = Of(bio).in_;
  BIO_clear_retry_flags(bio);
  *got = std::min(size, in.size());
  if (*got == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(out, in.data(), *got);
  in = in.subspan(*got);
  return 1;
}

int Session::BioWrite(BIO* bio, const char* bytes, std::size_t size, std::size_t* written) {
  const auto all = std::as_bytes(std::span(bytes, size));
  std::vector<std::byte>& out = Of(bio).out_;
  out.insert(out.end(), all.begin(), all.end());
  *written = size;
  return 1;
}

long Session::BioControl(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* Session::Method() {
  // Never freed: connections may outlive the order in which statics end.
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "channel");
    BIO_meth_set_read_ex(made, BioRead);
    BIO_meth_set_write_ex(made, BioWrite);
    BIO_meth_set_ctrl(made, BioControl);
    return made;
  }();
  return method;
}

Result<> Session::Prepare() {
  KENNING_ASSIGN_OR_RETURN(context_, MakeContext(settings_, role_, check_));
  KENNING_ASSIGN_OR_RETURN(ssl_, MakeHandle(*context_, settings_, role_));
  BIO* bio = BIO_new(Method());
  if (bio == nullptr) return Fail(ErrorCode::kResourceExhausted, "OpenSSL: " + LastReason());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  return {};
}

Session::Outcome Session::Judge(int result) {
  if (result == 1) return {};
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      ERR_clear_error();
      return {.step = Step::kWantsBytes};
    case SSL_ERROR_ZERO_RETURN:
      return {.step = Step::kEnded};
    default:
      return {.step = Step::kFailed,
              .error = ExplainFailure(check_, settings_, role_, channel_->peer())};
  }
}

Result<> Session::Receive(Deadline deadline, bool& ended) {
  KENNING_ASSIGN_OR_RETURN(const std::size_t got, channel_->ReadSome(received_, deadline));
  ended = got == 0;
  const std::lock_guard lock(ssl_mutex_);
  in_ = ConstBytes(received_).first(got);
  return {};
}

Result<> Session::SendPending(Deadline deadline) {
  {
    const std::lock_guard lock(ssl_mutex_);
    std::swap(out_, sending_);
  }
  const ConstBytes piece(sending_);
  if (piece.empty()) return {};
  Result<> written = channel_->WriteAll(std::span(&piece, 1), deadline);
  sending_.clear();
  if (!written) broken_ = true;
  return written;
}

Result<> Session::Handshake(Deadline deadline) {
  KENNING_RETURN_IF_ERROR(Prepare());
  while (true) {
    Outcome outcome;
    bool speaks = false;
    {
      const std::lock_guard lock(ssl_mutex_);
      ERR_clear_error();
      outcome = Judge(SSL_do_handshake(ssl_.get()));
      speaks = !out_.empty();
    }
    Result<> sent;
    {
      const std::lock_guard lock(send_mutex_);
      sent = SendPending(deadline);
    }
    if (outcome.step == Step::kFailed) {
      broken_ = true;
      if (speaks) DrainAfterRefusal();
      return Fail(std::move(*outcome.error));
    }
    KENNING_RETURN_IF_ERROR(std::move(sent), "shaking hands for TLS");
    if (outcome.step == Step::kDone) break;
    bool ended = false;
    KENNING_RETURN_IF_ERROR(Receive(deadline, ended), "shaking hands for TLS");
    if (ended) {
      return Fail(ErrorCode::kTargetLost,
                  fmt::format("{}: TLS: the other side left during the handshake; does it speak "
                              "TLS?",
                              channel_->peer()));
    }
  }
  if (const X509* certificate = SSL_get0_peer_certificate(ssl_.get())) {
    subject_ = NameText(X509_get_subject_name(certificate));
  }
  established_ = true;
  return {};
}

// Closing at once could reset the connection, and the other side would lose our word on why.
void Session::DrainAfterRefusal() {
  const Deadline deadline = Deadline::After(kFarewellSeconds);
  for (std::size_t most = std::size_t{1} << 20U; most > 0;) {
    const auto got = channel_->ReadSome(received_, deadline);
    if (!got || *got == 0) return;
    most -= std::min(most, *got);
  }
}

void Session::EndWriting(Deadline deadline) noexcept {
  if (!established_ || broken_) return;
  {
    const std::lock_guard lock(ssl_mutex_);
    ERR_clear_error();
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
  }
  const std::lock_guard lock(send_mutex_);
  // Where it cannot be written, the other side finds the end without it.
  [[maybe_unused]] const Result<> sent = SendPending(deadline);
  if (channel_->descriptor() >= 0) ::shutdown(channel_->descriptor(), SHUT_WR);
}

Session::~Session() { EndWriting(Deadline::After(0)); }

/// Whole records, as many as are there and fit.
Session::Outcome Session::Decrypt(MutableBytes out) {
  const std::lock_guard lock(ssl_mutex_);
  Outcome outcome;
  while (outcome.bytes < out.size()) {
    std::size_t got = 0;
    ERR_clear_error();
    const MutableBytes rest = out.subspan(outcome.bytes);
    Outcome one = Judge(SSL_read_ex(ssl_.get(), rest.data(), rest.size(), &got));
    outcome.bytes += got;
    if (one.step != Step::kDone) {
      // What came before an end or an error is given first; the next call meets it again.
      if (outcome.bytes == 0) return one;
      if (one.step == Step::kFailed && !failure_) failure_ = std::move(one.error);
      break;
    }
  }
  return outcome;
}

Result<std::size_t> Session::ReadSome(MutableBytes out, Deadline deadline) {
  if (out.empty()) return Fail(ErrorCode::kInvalidArgument, "a read of no bytes");
  while (true) {
    if (failure_) return Fail(*failure_);
    Outcome outcome = Decrypt(out);
    // A reply to a change of keys. Where the other thread is writing, it takes it along.
    if (std::unique_lock lock(send_mutex_, std::try_to_lock); lock.owns_lock()) {
      [[maybe_unused]] const Result<> sent = SendPending(deadline);
    }
    switch (outcome.step) {
      case Step::kDone:
        return outcome.bytes;
      case Step::kEnded:
        return std::size_t{0};
      case Step::kFailed:
        broken_ = true;
        failure_ = outcome.error;
        return Fail(std::move(*outcome.error));
      case Step::kWantsBytes:
        break;
    }
    bool ended = false;
    KENNING_RETURN_IF_ERROR(Receive(deadline, ended));
    if (ended) {
      broken_ = true;
      return Fail(ErrorCode::kTargetLost,
                  fmt::format("{}: TLS: the connection ended without the other side's word; it "
                              "crashed, or somebody cut the line",
                              channel_->peer()));
    }
  }
}

Result<> Session::Encrypt(ConstBytes plain) {
  const std::lock_guard lock(ssl_mutex_);
  std::size_t written = 0;
  ERR_clear_error();
  Outcome outcome = Judge(SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written));
  if (outcome.step == Step::kDone) return {};
  broken_ = true;
  if (outcome.error) return Fail(std::move(*outcome.error));
  return Fail(ErrorCode::kTargetLost,
              fmt::format("{}: TLS: the connection is over", channel_->peer()));
}

Result<> Session::FlushPlain() {
  if (plain_.empty()) return {};
  Result<> done = Encrypt(plain_);
  plain_.clear();
  return done;
}

Result<> Session::WriteAll(std::span<const ConstBytes> pieces, Deadline deadline) {
  const std::lock_guard lock(send_mutex_);
  if (broken_) {
    return Fail(ErrorCode::kTargetLost,
                fmt::format("{}: TLS: the connection is over", channel_->peer()));
  }
  plain_.clear();
  for (ConstBytes piece : pieces) {
    if (plain_.size() + piece.size() <= kRecordBytes) {
      plain_.insert(plain_.end(), piece.begin(), piece.end());
      continue;
    }
    // The first record is filled up, and a large piece follows without a copy.
    const std::size_t fill = plain_.empty() ? 0 : kRecordBytes - plain_.size();
    plain_.insert(plain_.end(), piece.begin(), piece.begin() + static_cast<std::ptrdiff_t>(fill));
    KENNING_RETURN_IF_ERROR(FlushPlain());
    piece = piece.subspan(fill);
    while (piece.size() > kRecordBytes) {
      const std::size_t portion =
          std::min(piece.size() / kRecordBytes * kRecordBytes, kPortionBytes);
      KENNING_RETURN_IF_ERROR(Encrypt(piece.first(portion)));
      KENNING_RETURN_IF_ERROR(SendPending(deadline));
      piece = piece.subspan(portion);
    }
    plain_.assign(piece.begin(), piece.end());
  }
  KENNING_RETURN_IF_ERROR(FlushPlain());
  return SendPending(deadline);
}

Result<std::unique_ptr<TlsChannel>> Start(std::unique_ptr<Channel> channel,
                                          const TlsSettings& settings, TlsRole role,
                                          Deadline deadline) {
  auto session = std::make_unique<Session>(std::move(channel), settings, role);
  KENNING_RETURN_IF_ERROR(session->Handshake(deadline));
  return session;
}

}  // namespace

Result<std::unique_ptr<TlsChannel>> ConnectWithOpenSsl(std::unique_ptr<Channel> channel,
                                                       const TlsSettings& settings,
                                                       Deadline deadline) {
  return Start(std::move(channel), settings, TlsRole::kClient, deadline);
}

Result<std::unique_ptr<TlsChannel>> AcceptWithOpenSsl(std::unique_ptr<Channel> channel,
                                                      const TlsSettings& settings,
                                                      Deadline deadline) {
  return Start(std::move(channel), settings, TlsRole::kServer, deadline);
}

Result<> CheckServerFiles(const TlsSettings& settings) {
  PeerCheck check;
  KENNING_RETURN_IF_ERROR(MakeContext(settings, TlsRole::kServer, check));
  return {};
}

}  // namespace kenning::internal
