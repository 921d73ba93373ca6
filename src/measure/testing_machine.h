// SPDX-License-Identifier: Apache-2.0
/// \file
/// For tests: a folder with the /proc and /sys of some machine.
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>

namespace kenning::testing_machine {

/// Removed at the end.
class Machine {
 public:
  Machine() {
    static std::atomic<int> count{0};
    root_ = std::filesystem::temp_directory_path() /
            ("kenning-machine-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(root_);
  }
  ~Machine() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  const std::filesystem::path& root() const { return root_; }
  /// Keeps the file's identity where it is there already, as /sys does.
  void Write(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::trunc) << text;
  }
  /// A processor with so many busy and idle jiffies a core.
  void WriteStat(std::initializer_list<std::pair<int, int>> cores) const {
    std::string text = "cpu  1 2 3 4 5 6 7 8 0 0\n";
    int core = 0;
    for (const auto& [busy, idle] : cores) {
      text += "cpu" + std::to_string(core++) + " " + std::to_string(busy) + " 0 0 " +
              std::to_string(idle) + " 0 0 0 0 0 0\n";
    }
    Write("proc/stat", text + "intr 12345 0 0\nctxt 1\n");
  }
  void WriteMemory(int total_kib, int available_kib) const {
    Write("proc/meminfo", "MemTotal:       " + std::to_string(total_kib) +
                              " kB\nMemFree:  5 kB\nMemAvailable:   " +
                              std::to_string(available_kib) + " kB\nBuffers: 1 kB\n");
  }

 private:
  std::filesystem::path root_;
};

}  // namespace kenning::testing_machine
