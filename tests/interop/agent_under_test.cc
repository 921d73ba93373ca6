// SPDX-License-Identifier: Apache-2.0
#include "agent_under_test.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <thread>

#include "kenning/base/clock.h"
#include "kenning/base/file.h"
#include "kenning/base/modules.h"
#include "transport/tcp.h"
#include "transport/unique_fd.h"

namespace kenning::interop {
namespace {

std::filesystem::path FreshFolder() {
  std::string pattern = testing::TempDir() + "agent-XXXXXX";
  EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
  return pattern;
}

void Pause() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

std::vector<std::string> CommandLine(std::vector<std::string> options, const std::string& listen,
                                     const std::filesystem::path& state, int ready_fd) {
  std::vector<std::string> words = {KENNING_BINARY_DIR "/bin/kenning-agent", "-v", "--ready-fd",
                                    std::to_string(ready_fd)};
  if (std::ranges::find(options, "--state") == options.end()) {
    words.insert(words.end(), {"--state", state.string()});
  }
  if (!listen.empty()) {
    words.emplace_back("--listen");
    words.push_back(listen);
  }
  // The engines' libraries lie where only this user may look.
  const bool leaves_root = std::ranges::find(options, "--user") != options.end();
  if (::geteuid() == 0 && !leaves_root) words.emplace_back("--allow-root");
  words.insert(words.end(), options.begin(), options.end());
  return words;
}

}  // namespace

AgentUnderTest::AgentUnderTest(std::vector<std::string> options, const std::string& listen)
    : state_(FreshFolder()), error_file_(state_ / "errors.txt") {
  // For who is to become another user.
  std::filesystem::permissions(state_, std::filesystem::perms(0711));
  int ends[2] = {-1, -1};
  EXPECT_EQ(::pipe(ends), 0);
  UniqueFd ready(ends[0]);
  UniqueFd tell(ends[1]);
  ::fcntl(ready.get(), F_SETFD, FD_CLOEXEC);
  const std::vector<std::string> words =
      CommandLine(std::move(options), listen, state_ / "store", tell.get());
  pid_ = ::fork();
  if (pid_ == 0) {
    const int errors = ::open(error_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(errors, STDERR_FILENO);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  tell.reset();
  char c = 0;
  while (::read(ready.get(), &c, 1) == 1 && c != '\n') address_ += c;
}

AgentUnderTest::~AgentUnderTest() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (testing::Test::HasFailure()) std::fputs(errors().c_str(), stderr);
  std::error_code ignored;
  std::filesystem::remove_all(state_, ignored);
}

std::uint16_t AgentUnderTest::port() const {
  std::uint16_t port = 0;
  const std::size_t colon = address_.rfind(':');
  if (colon == std::string::npos) return 0;
  std::from_chars(address_.data() + colon + 1, address_.data() + address_.size(), port);
  return port;
}

std::string AgentUnderTest::errors() const { return ReadFile(error_file_).value_or(""); }

void AgentUnderTest::Signal(int signal) const { ::kill(pid_, signal); }

int AgentUnderTest::Wait(double seconds) {
  const Deadline deadline = Deadline::After(seconds);
  while (!deadline.expired()) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -2;
    }
    Pause();
  }
  return -1;
}

std::unique_ptr<Channel> AgentUnderTest::Connect() const {
  auto channel = ConnectTcp("127.0.0.1", port(), Deadline::After(10));
  EXPECT_TRUE(channel) << channel.error().ToString();
  return channel ? *std::move(channel) : nullptr;
}

std::unique_ptr<Channel> AgentUnderTest::ConnectWhenFree() const {
  const Deadline deadline = Deadline::After(30);
  while (Children() > 0 && !deadline.expired()) Pause();
  return Connect();
}

Result<std::unique_ptr<wire::TargetClient>> AgentUnderTest::Client(NativeMode native,
                                                                   double patience_s,
                                                                   const std::string& token) const {
  WireSettings settings;
  settings.native = native;
  settings.token = token;
  settings.timeout_s = 60;
  const Deadline patience = Deadline::After(patience_s);
  while (true) {
    KENNING_ASSIGN_OR_RETURN(auto channel, ConnectTcp("127.0.0.1", port(), Deadline::After(10)));
    auto client = wire::TargetClient::Connect(std::move(channel), settings);
    Error error(ErrorCode::kInternal, "");
    if (client) {
      // Kenning's mode learns with the first request that another is served.
      const auto statistics = (*client)->Statistics();
      if (statistics) return client;
      error = statistics.error();
    } else {
      error = client.error();
    }
    // Of very many at once some only see the end of the connection.
    const bool busy = error.ToString().find("busy") != std::string::npos ||
                      error.code() == ErrorCode::kTargetLost;
    if (patience.expired() || !busy) {
      return Fail(std::move(error));
    }
    Pause();
  }
}

std::size_t AgentUnderTest::OpenDescriptors() const {
  std::error_code error;
  std::size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid_), error)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

std::uint64_t AgentUnderTest::ResidentBytes() const {
  std::ifstream stream(fmt::format("/proc/{}/statm", pid_));
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  stream >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::size_t AgentUnderTest::Children() const {
  std::ifstream stream(fmt::format("/proc/{0}/task/{0}/children", pid_));
  std::size_t count = 0;
  for (pid_t child = 0; stream >> child;) ++count;
  return count;
}

std::string NullModel(const std::string& faults, int elements) {
  return fmt::format(R"({{"inputs": [{{"name": "x", "dtype": "float32", "shape": [1, {0}]}}],)"
                     R"( "outputs": [{{"name": "y", "dtype": "float32", "shape": [1, {0}]}}]{1}}})",
                     elements, faults.empty() ? "" : ", \"faults\": " + faults);
}

std::string NullSpec(int elements) {
  return fmt::format(R"({{"input": [{{"name": "x", "dtype": "float32", "shape": [1, {0}]}}],)"
                     R"( "output": [{{"name": "y", "dtype": "float32", "shape": [1, {0}]}}]}})",
                     elements);
}

Result<> Load(wire::TargetClient& client, const std::string& model, const std::string& spec) {
  ModelArtifact artifact;
  artifact.path = std::filesystem::path(testing::TempDir()) / fmt::format("{}.null", ::getpid());
  KENNING_RETURN_IF_ERROR(WriteFileAtomically(artifact.path, model));
  artifact.format = "null";
  artifact.sha256 = Sha256Hex(model);
  artifact.size_bytes = model.size();
  return client.LoadModel(artifact, spec, {});
}

Result<float> InferOne(wire::TargetClient& client, float value) {
  const Shape shape = {1, 1};
  float output = 0;
  const TensorView in{reinterpret_cast<const std::byte*>(&value), sizeof(value), DType::kFloat32,
                      shape};
  const MutableTensorView out{reinterpret_cast<std::byte*>(&output), sizeof(output),
                              DType::kFloat32, shape};
  KENNING_RETURN_IF_ERROR(client.Infer({&in, 1}, {&out, 1}));
  return output;
}

bool HasEngine(const std::string& engine) {
  return !FindModule("kenning_engine_" + engine + ".so").found.empty();
}

}  // namespace kenning::interop
