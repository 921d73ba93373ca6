// SPDX-License-Identifier: Apache-2.0
// Runs one case of tests/scenarios: scenario_runner CASE_DIR KENNING SOURCE_DIR. See README.md
// there.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
constexpr int kSkipped = 77;

std::string ReadAll(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// TEXT with its placeholders as a regular expression.
std::regex ToRegex(const std::string& text) {
  static const std::map<std::string, std::string> kPlaceholders = {
      {"%int", "-?[0-9]+"}, {"%float", "-?[0-9]+(\\.[0-9]+)?(e[-+]?[0-9]+)?"}, {"%any", ".*"}};
  std::string pattern;
  for (std::size_t i = 0; i < text.size();) {
    bool replaced = false;
    for (const auto& [name, expression] : kPlaceholders) {
      if (text.compare(i, name.size(), name) == 0) {
        pattern += expression;
        i += name.size();
        replaced = true;
        break;
      }
    }
    if (replaced) continue;
    if (std::string_view("\\^$.|?*+()[]{}").find(text[i]) != std::string_view::npos)
      pattern += '\\';
    pattern += text[i++];
  }
  return std::regex(pattern);
}

/// A text that directives consume from top to bottom.
class Stream {
 public:
  explicit Stream(const std::string& text) : lines_(Lines(text)) {}
  bool Advance(const std::string& wanted) {
    const std::regex regex = ToRegex(wanted);
    for (; next_ < lines_.size(); ++next_) {
      if (std::regex_search(lines_[next_], regex)) {
        ++next_;
        return true;
      }
    }
    return false;
  }
  bool Contains(const std::string& text) const {
    const std::regex regex = ToRegex(text);
    for (const std::string& line : lines_) {
      if (std::regex_search(line, regex)) return true;
    }
    return false;
  }

 private:
  std::vector<std::string> lines_;
  std::size_t next_ = 0;
};

/// What a command prints.
std::string OutputOf(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char chunk[4096];
  for (std::size_t got = 0; (got = std::fread(chunk, 1, sizeof(chunk), pipe)) > 0;) {
    text.append(chunk, got);
  }
  ::pclose(pipe);
  return text;
}

class Case {
 public:
  Case(fs::path folder, fs::path work, fs::path kenning)
      : folder_(std::move(folder)), work_(std::move(work)), kenning_(std::move(kenning)) {}

  int Run() {
    const std::vector<std::string> expectations = Lines(ReadAll(folder_ / "expect"));
    for (const std::string& line : expectations) {
      const std::string missing = Missing(line);
      if (missing.empty()) continue;
      fmt::print("skipped: {}\n", missing);
      return kSkipped;
    }
    fs::copy(folder_, work_, fs::copy_options::recursive);
    if (fs::exists(work_ / "setup") && Shell("setup", "setup.out", "setup.err") != 0) {
      fmt::print("setup failed:\n{}", ReadAll(work_ / "setup.err"));
      return 1;
    }
    exit_code_ = Shell("command", "stdout.txt", "stderr.txt");
    out_ = Stream(ReadAll(work_ / "stdout.txt"));
    err_ = Stream(ReadAll(work_ / "stderr.txt"));
    for (const std::string& line : expectations) Check(line);
    if (failures_ > 0) {
      fmt::print("--- exit {}\n--- standard output\n{}\n--- standard error\n{}\n", exit_code_,
                 ReadAll(work_ / "stdout.txt"), ReadAll(work_ / "stderr.txt"));
    }
    return failures_ == 0 ? 0 : 1;
  }

 private:
  /// Why a directive "requires …" is not met; empty where it is, and for other directives.
  std::string Missing(const std::string& line) const {
    std::istringstream words(line);
    std::string verb;
    std::string kind;
    std::string name;
    words >> verb >> kind >> name;
    if (verb != "requires") return "";
    if (kind == "corpus") {
      return std::getenv("KENNING_CORPUS") == nullptr ? "KENNING_CORPUS is not set" : "";
    }
    if (kind == "engine") {
      const fs::path module = kenning_.parent_path() / ("kenning_engine_" + name + ".so");
      return fs::exists(module) ? "" : fmt::format("the engine {} is not built", name);
    }
    if (kind == "program") {
      return fs::exists(kenning_.parent_path() / name) ? "" : fmt::format("{} is not built", name);
    }
    if (kind == "toolchain") {
      const std::string list = OutputOf(fmt::format("'{}' toolchain list", kenning_.string()));
      for (const std::string& entry : Lines(list)) {
        std::istringstream columns(entry);
        std::string toolchain;
        std::string state;
        columns >> toolchain >> state;
        if (toolchain == name && state == "installed") return "";
      }
      return fmt::format("the toolchain {0} is not installed (kenning toolchain install {0})",
                         name);
    }
    return "";
  }

  int Shell(const std::string& script, const std::string& out, const std::string& err) {
    const std::string command =
        fmt::format("cd '{}' && sh ./{} >{} 2>{}", work_.string(), script, out, err);
    const int status = std::system(command.c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  void Expect(bool holds, const std::string& line) {
    if (holds) return;
    fmt::print("not met: {}\n", line);
    ++failures_;
  }

  void Check(const std::string& line) {
    const std::size_t space = line.find(' ');
    const std::string verb = line.substr(0, space);
    const std::string rest = space == std::string::npos ? "" : line.substr(space + 1);
    if (verb.empty() || verb[0] == '#' || verb == "requires") return;
    if (verb == "exit") return Expect(exit_code_ == std::atoi(rest.c_str()), line);
    if (verb == "out") return Expect(out_.Advance(rest), line);
    if (verb == "err") return Expect(err_.Advance(rest), line);
    if (verb == "not-out") return Expect(!out_.Contains(rest), line);
    if (verb == "not-err") return Expect(!err_.Contains(rest), line);
    if (verb == "present") return Expect(fs::exists(work_ / rest), line);
    if (verb == "absent") return Expect(!fs::exists(work_ / rest), line);
    if (verb == "no-leftovers") return Expect(Leftovers().empty(), line + ": " + Leftovers());
    if (verb == "file") return CheckFile(rest, line);
    Expect(false, "unknown directive: " + line);
  }

  void CheckFile(const std::string& rest, const std::string& line) {
    const std::size_t space = rest.find(' ');
    const std::string name = rest.substr(0, space);
    auto [it, inserted] = files_.try_emplace(name, Stream(""));
    if (inserted) it->second = Stream(ReadAll(work_ / name));
    Expect(space != std::string::npos && it->second.Advance(rest.substr(space + 1)), line);
  }

  std::string Leftovers() const {
    std::string found;
    for (const auto& entry : fs::recursive_directory_iterator(work_)) {
      const std::string name = entry.path().filename().string();
      if (name.find(".tmp-") != std::string::npos || entry.path().extension() == ".part") {
        found += name + " ";
      }
    }
    return found;
  }

  fs::path folder_;
  fs::path work_;
  fs::path kenning_;
  int exit_code_ = -1;
  int failures_ = 0;
  Stream out_{""};
  Stream err_{""};
  std::map<std::string, Stream> files_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: scenario_runner CASE_DIR KENNING SOURCE_DIR\n");
    return 2;
  }
  std::string pattern = (fs::temp_directory_path() / "kenning-scenario-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) return 1;
  const fs::path base = pattern;
  const std::string path = fs::path(argv[2]).parent_path().string() + ":" +
                           (std::getenv("PATH") != nullptr ? std::getenv("PATH") : "");
  setenv("PATH", path.c_str(), 1);
  setenv("SOURCE", argv[3], 1);
  setenv("KENNING_RESOURCES", (fs::path(argv[3]) / "resources").c_str(), 1);
  setenv("KENNING_CACHE_DIR", (base / "cache").c_str(), 1);
  if (std::getenv("KENNING_CORPUS") != nullptr) setenv("CORPUS", std::getenv("KENNING_CORPUS"), 1);
  const int result = Case(argv[1], base / "work", argv[2]).Run();
  std::error_code ignored;
  fs::remove_all(base, ignored);
  return result;
}
