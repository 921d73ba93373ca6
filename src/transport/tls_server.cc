// SPDX-License-Identifier: Apache-2.0
#include "transport/tls_server.h"

#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <future>
#include <system_error>
#include <thread>
#include <vector>

namespace kenning {
namespace {

constexpr double kHandshakeSeconds = 10;
constexpr double kFarewellSeconds = 1;
constexpr std::size_t kPortionBytes = std::size_t{256} << 10U;

struct Passed {
  Result<> read;   ///< Success where `from` ended in order.
  Result<> write;  ///< Success where `to` took everything.
};

/// One direction, until one of the two fails or `from` ends.
Passed Pass(Channel& from, Channel& to, double write_s) {
  std::vector<std::byte> buffer(kPortionBytes);
  while (true) {
    const auto got = from.ReadSome(buffer, Deadline::Never());
    if (!got) return {.read = Fail(got.error())};
    if (*got == 0) return {};
    const ConstBytes piece = ConstBytes(buffer).first(*got);
    Result<> written = to.WriteAll(std::span(&piece, 1), Deadline::After(write_s));
    if (!written) return {.write = std::move(written)};
  }
}

/// Reads what is left, until the end.
void Drop(Channel& channel, Deadline deadline) {
  std::vector<std::byte> buffer(kPortionBytes);
  while (true) {
    const auto got = channel.ReadSome(buffer, deadline);
    if (!got || *got == 0) return;
  }
}

}  // namespace

Result<std::unique_ptr<Channel>> TlsListener::Accept(Deadline deadline) {
  KENNING_ASSIGN_OR_RETURN(std::unique_ptr<Channel> channel, plain_->Accept(deadline));
  return TlsAccept(std::move(channel), settings_, Deadline::After(kHandshakeSeconds));
}

Result<> RelayTls(std::unique_ptr<Channel> client, const TlsSettings& settings,
                  std::unique_ptr<Channel> plain, const RelayOptions& options) {
  KENNING_ASSIGN_OR_RETURN(
      const std::unique_ptr<TlsChannel> secure,
      TlsAccept(std::move(client), settings, Deadline::After(options.handshake_s)));
  if (options.on_established) options.on_established(*secure);
  std::atomic<bool> server_gone{false};
  std::promise<Result<>> received;
  std::future<Result<>> reception = received.get_future();
  std::thread receiver;
  try {
    receiver = std::thread([&] {
      Passed passed = Pass(*secure, *plain, options.write_s);
      // Whatever ends on the server's side is the server's decision, and no error of the relay.
      const bool server_first = server_gone || !passed.write;
      // The server finds the end, and may have an answer yet to give.
      ::shutdown(plain->descriptor(), SHUT_WR);
      received.set_value(server_first ? Result<>() : std::move(passed.read));
    });
  } catch (const std::system_error& error) {
    return Fail(ErrorCode::kResourceExhausted, std::string("no thread: ") + error.what());
  }
  Result<> sent = Pass(*plain, *secure, options.write_s).write;
  server_gone = true;
  // A client that has said more than was read must not lose the last answer over it: it has a
  // moment to take that and leave.
  secure->EndWriting(Deadline::After(kFarewellSeconds));
  if (reception.wait_for(std::chrono::duration<double>(kFarewellSeconds)) ==
      std::future_status::ready) {
    Drop(*secure, Deadline::After(kFarewellSeconds));
  }
  secure->Shutdown();
  plain->Shutdown();
  receiver.join();
  KENNING_RETURN_IF_ERROR(std::move(sent));
  return reception.get();
}

}  // namespace kenning
