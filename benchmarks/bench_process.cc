// SPDX-License-Identifier: Apache-2.0
// Runs a command several times and prints wall time and peak resident memory: minimum, median,
// maximum.
//   bench_process [-n RUNS] [-q] -- COMMAND ARGUMENTS…
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

struct RunCost {
  double seconds = 0;
  double resident_mb = 0;
  int status = 0;
};

RunCost RunOnce(char** command, bool quiet) {
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child == 0) {
    if (quiet) {
      const int null = open("/dev/null", O_WRONLY);
      dup2(null, STDOUT_FILENO);
      dup2(null, STDERR_FILENO);
    }
    execvp(command[0], command);
    _exit(127);
  }
  RunCost cost;
  rusage usage{};
  wait4(child, &cost.status, 0, &usage);
  const auto end = std::chrono::steady_clock::now();
  cost.seconds = std::chrono::duration<double>(end - start).count();
  cost.resident_mb = static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;
  return cost;
}

void PrintRow(const char* name, std::vector<double> values, const char* unit) {
  std::sort(values.begin(), values.end());
  fmt::print("{:<14} min {:.4g}  median {:.4g}  max {:.4g} {}\n", name, values.front(),
             values[values.size() / 2], values.back(), unit);
}

}  // namespace

int main(int argc, char** argv) {
  int runs = 11;
  bool quiet = false;
  int i = 1;
  for (; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    if (std::string_view(argv[i]) == "-q") quiet = true;
    if (std::string_view(argv[i]) == "-n" && i + 1 < argc) runs = std::atoi(argv[++i]);
  }
  if (i + 1 >= argc || runs < 1) {
    fmt::print(stderr, "usage: bench_process [-n RUNS] [-q] -- COMMAND ARGUMENTS…\n");
    return 2;
  }
  std::vector<double> milliseconds;
  std::vector<double> megabytes;
  // One run apart warms the file cache.
  RunOnce(argv + i + 1, quiet);
  for (int run = 0; run < runs; ++run) {
    const RunCost cost = RunOnce(argv + i + 1, quiet);
    if (cost.status != 0) {
      fmt::print(stderr, "the command failed with status {}\n", cost.status);
      return 1;
    }
    milliseconds.push_back(cost.seconds * 1e3);
    megabytes.push_back(cost.resident_mb);
  }
  PrintRow("wall time", milliseconds, "ms");
  PrintRow("peak resident", megabytes, "MB");
  return 0;
}
