// SPDX-License-Identifier: Apache-2.0
#include "agent_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <fstream>
#include <utility>

#include "placement.h"
#include "transport/tcp.h"

namespace kenning::bench {
namespace {

// Where the child writes what is read here; the low ones are taken.
constexpr int kReadyDescriptor = 9;
constexpr double kConnectTime_s = 10;

std::filesystem::path NewFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "bench_wire-XXXXXX").string();
  return ::mkdtemp(name.data()) == nullptr ? std::filesystem::path() : std::filesystem::path(name);
}

}  // namespace

Result<Memory> MemoryOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/smaps_rollup", pid));
  Memory memory;
  std::string line;
  const auto kilobytes = [&](std::string_view key) -> std::uint64_t {
    return line.starts_with(key) ? std::stoull(line.substr(key.size())) * 1024 : 0;
  };
  while (std::getline(file, line)) {
    memory.resident += kilobytes("Rss:");
    memory.proportional += kilobytes("Pss:");
  }
  if (memory.resident == 0) {
    return Fail(ErrorCode::kIo, fmt::format("the memory of process {} cannot be read", pid));
  }
  return memory;
}

std::vector<pid_t> ChildrenOf(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/task/{}/children", pid, pid));
  std::vector<pid_t> children;
  for (pid_t child = 0; file >> child;) children.push_back(child);
  return children;
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::Start(const std::vector<std::string>& command,
                                                          int answer_descriptor) {
  int in[2];
  int out[2];
  if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) {
    return Fail(ErrorCode::kIo, "no pipes");
  }
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  auto child = std::make_unique<ChildProcess>();
  child->pid_ = ::fork();
  if (child->pid_ == 0) {
    ::dup2(in[0], STDIN_FILENO);
    // Onto itself, dup2 would leave it to be closed.
    if (::dup2(out[1], answer_descriptor) == out[1]) ::fcntl(answer_descriptor, F_SETFD, 0);
    // A program that is killed leaves no children behind.
    TakeTargetPlace();
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  child->to_child_ = in[1];
  child->from_child_ = out[0];
  if (child->pid_ < 0) return Fail(ErrorCode::kIo, "no further process");
  return child;
}

ChildProcess::~ChildProcess() {
  ::close(to_child_);
  ::close(from_child_);
  if (pid_ <= 0) return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
}

std::string ChildProcess::ReadLine() const {
  std::string line;
  for (char c = 0; ::read(from_child_, &c, 1) == 1 && c != '\n';) line += c;
  return line;
}

Result<std::unique_ptr<AgentProcess>> AgentProcess::Start(const std::filesystem::path& program,
                                                          std::vector<std::string> options) {
  auto agent = std::make_unique<AgentProcess>();
  agent->state_ = NewFolder();
  std::vector<std::string> command = {program.string(),
                                      "--listen",
                                      "127.0.0.1:0",
                                      "--state",
                                      agent->state_.string(),
                                      "--ready-fd",
                                      std::to_string(kReadyDescriptor)};
  // As root it would leave for a user who may not see the build folder.
  if (::geteuid() == 0) command.emplace_back("--allow-root");
  command.insert(command.end(), options.begin(), options.end());
  KENNING_ASSIGN_OR_RETURN(agent->child_, ChildProcess::Start(command, kReadyDescriptor));
  const std::string address = agent->child_->ReadLine();
  const std::size_t colon = address.rfind(':');
  if (colon != std::string::npos) {
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), agent->port_);
  }
  if (agent->port_ == 0) {
    return Fail(ErrorCode::kTargetLost, fmt::format("{} does not listen", program.string()));
  }
  return agent;
}

AgentProcess::~AgentProcess() {
  child_.reset();
  std::error_code ignored;
  if (!state_.empty()) std::filesystem::remove_all(state_, ignored);
}

Result<std::unique_ptr<wire::TargetClient>> AgentProcess::Connect(NativeMode native) const {
  KENNING_ASSIGN_OR_RETURN(auto channel,
                           ConnectTcp("127.0.0.1", port_, Deadline::After(kConnectTime_s)));
  WireSettings settings;
  settings.native = native;
  return wire::TargetClient::Connect(std::move(channel), settings);
}

}  // namespace kenning::bench
