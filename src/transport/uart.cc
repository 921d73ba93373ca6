// SPDX-License-Identifier: Apache-2.0
#include "transport/uart.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "transport/serial_line.h"
#include "transport/stream_channel.h"
#include "transport/unique_fd.h"
#include "transport/wait.h"

#ifdef KENNING_HAS_LIBSERIALPORT
#include <libserialport.h>
#endif

namespace kenning {
namespace {

using internal::SystemError;
using internal::WaitFor;
using internal::WaitResult;

std::string GroupOf(const std::string& device) {
  struct stat status = {};
  if (::stat(device.c_str(), &status) == 0 && status.st_gid != 0) {
    if (const group* found = ::getgrgid(status.st_gid)) return found->gr_name;
  }
  return "dialout";
}

tl::unexpected<Error> CannotOpen(const UartSettings& settings, int error_number) {
  const std::string& port = settings.port;
  std::string advice;
  switch (error_number) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
      advice = "is the device plugged in? (see: ls /dev/serial/by-id)";
      break;
    case EACCES:
    case EPERM:
      advice = fmt::format(
          "its group may use it; join the group and log in anew: sudo usermod -aG {} $USER",
          GroupOf(port));
      break;
    case EBUSY:
    case EWOULDBLOCK:
      return Fail(ErrorCode::kTargetLost,
                  fmt::format("{} is used by another program (find it with: fuser -v {}); end it",
                              port, port));
    case EINVAL:
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: its driver does not take 8N1 at {} baud", port, settings.baud_rate));
    case ENOTTY:
      return Fail(ErrorCode::kInvalidArgument, fmt::format("{} is no serial line", port));
    default:
      break;
  }
  return Fail(ErrorCode::kTargetLost,
              fmt::format("cannot open {}: {}{}{}", port, SystemError(error_number),
                          advice.empty() ? "" : "; ", advice));
}

#ifdef KENNING_HAS_LIBSERIALPORT

struct SerialPort {
  sp_port* port = nullptr;
  bool open = false;
  SerialPort() = default;
  SerialPort(const SerialPort&) = delete;
  SerialPort& operator=(const SerialPort&) = delete;
  ~SerialPort() {
    if (open) sp_close(port);
    sp_free_port(port);
  }
};

int ErrnoOf(sp_return result) {
  if (result == SP_ERR_FAIL) return sp_last_error_code();
  return result == SP_ERR_ARG ? EINVAL : EIO;
}

/// Opens and sets up; a copy of the descriptor keeps settings and lock when the port is closed.
int OpenWithLibrary(const std::string& device, int baud_rate, UniqueFd& out) {
  SerialPort serial;
  sp_return result = sp_get_port_by_name(device.c_str(), &serial.port);
  if (result == SP_OK) result = sp_open(serial.port, SP_MODE_READ_WRITE);
  if (result != SP_OK) return ErrnoOf(result);
  serial.open = true;
  for (const sp_return one :
       {sp_set_baudrate(serial.port, baud_rate), sp_set_bits(serial.port, 8),
        sp_set_parity(serial.port, SP_PARITY_NONE), sp_set_stopbits(serial.port, 1),
        sp_set_flowcontrol(serial.port, SP_FLOWCONTROL_NONE)}) {
    if (one != SP_OK) return ErrnoOf(one) == EIO ? EIO : EINVAL;
  }
  int descriptor = -1;
  if (sp_get_port_handle(serial.port, &descriptor) != SP_OK) return EIO;
  out.reset(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0));
  return out ? 0 : errno;
}

#endif

/// Libserialport takes only devices that the kernel lists among its serial lines: no
/// pseudo-terminal, and none of the terminals that drivers in user space or containers make. These
/// are set up by the system's calls, which any terminal takes.
int OpenAnyTerminal(const std::string& device, int baud_rate, UniqueFd& out) {
  out.reset(::open(device.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (!out) return errno;
  return internal::SetRawLine(out.get(), baud_rate);
}

Result<UniqueFd> OpenLine(const UartSettings& settings) {
  if (!UartIsBuilt()) {
    return Fail(ErrorCode::kUnavailable, "this build of kenning has no serial lines");
  }
  std::error_code error;
  const std::filesystem::path device = std::filesystem::canonical(settings.port, error);
  if (error) return CannotOpen(settings, error.value());
  UniqueFd line;
  int failed = 0;
#ifdef KENNING_HAS_LIBSERIALPORT
  if (std::filesystem::exists("/sys/class/tty" / device.lexically_relative("/dev"), error)) {
    failed = OpenWithLibrary(device.string(), settings.baud_rate, line);
  }
#endif
  if (failed == 0 && !line) failed = OpenAnyTerminal(device.string(), settings.baud_rate, line);
  if (failed != 0) return CannotOpen(settings, failed);
  // The driver's own lock does not stop root; this one stops every kenning. It goes with the last
  // copy of the descriptor, in whichever process that is.
  if (::flock(line.get(), LOCK_EX | LOCK_NB) != 0) return CannotOpen(settings, errno);
  ::tcflush(line.get(), TCIOFLUSH);
  return line;
}

class UartListener final : public Listener {
 public:
  UartListener(UartSettings settings, UniqueFd line)
      : settings_(std::move(settings)), line_(std::move(line)) {}

  Result<std::unique_ptr<Channel>> Accept(Deadline deadline) override {
    if (!line_) {
      KENNING_ASSIGN_OR_RETURN(line_, OpenLine(settings_));
    }
    switch (WaitFor(line_.get(), POLLIN, deadline, &wake_)) {
      case WaitResult::kReady:
        break;
      case WaitResult::kWoken:
        return Fail(ErrorCode::kCancelled, address() + ": no longer listening");
      case WaitResult::kDeadline:
        return Fail(ErrorCode::kDeadlineExceeded,
                    address() + ": no bytes came within the time limit");
      case WaitResult::kFailed:
        return Fail(ErrorCode::kIo, fmt::format("{}: {}", address(), SystemError(errno)));
    }
    int waiting = 0;
    if (::ioctl(line_.get(), FIONREAD, &waiting) != 0 || waiting == 0) {
      line_.reset();
      return Fail(ErrorCode::kIo, fmt::format("{}: the line is gone; is the device still plugged "
                                              "in?",
                                              settings_.port));
    }
    UniqueFd copy(::fcntl(line_.get(), F_DUPFD_CLOEXEC, 0));
    if (!copy) return Fail(ErrorCode::kIo, fmt::format("{}: {}", address(), SystemError(errno)));
    return internal::MakeStreamChannel(std::move(copy), settings_.port);
  }
  void Shutdown() noexcept override { wake_.Wake(); }
  std::string address() const override {
    return fmt::format("{} at {} baud", settings_.port, settings_.baud_rate);
  }
  int descriptor() const override { return line_.get(); }

 private:
  UartSettings settings_;
  UniqueFd line_;
  internal::WakeSignal wake_;
};

}  // namespace

bool UartIsBuilt() {
#ifdef KENNING_HAS_LIBSERIALPORT
  return true;
#else
  return false;
#endif
}

Result<std::unique_ptr<Channel>> OpenUart(const UartSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(UniqueFd line, OpenLine(settings));
  return internal::MakeStreamChannel(std::move(line), settings.port);
}

Result<std::unique_ptr<Listener>> ListenUart(const UartSettings& settings) {
  KENNING_ASSIGN_OR_RETURN(UniqueFd line, OpenLine(settings));
  return std::make_unique<UartListener>(settings, std::move(line));
}

}  // namespace kenning
