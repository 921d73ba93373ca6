// SPDX-License-Identifier: Apache-2.0
// Hostile models: each damaged copy is loaded in a child process, so that a crash is one failed
// test and not the end of the suite.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>

#include "fixture.h"
#include "kenning/base/file.h"

namespace kenning {
namespace {

constexpr unsigned kSecondsOfAChild = 240;
constexpr rlim_t kMemoryOfAChild = rlim_t{8} << 30;
constexpr const char* kFolderVariable = "KENNING_TEST_DAMAGE_FOLDER";
constexpr int kFlips = 40;
constexpr std::chrono::seconds kFlipTime{10};

class DamageTest : public ConformanceTest {
 protected:
  void SetUp() override {
    ConformanceTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    // A child of the threadsafe kind starts anew: it has no half-alive threads of an engine.
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    // The child uses its parent's folder, so that nothing stays behind after a crash.
    const std::string own = testing::TempDir() + "/kenning-damage-" + std::to_string(getpid());
    setenv(kFolderVariable, own.c_str(), 0);
    folder_ = getenv(kFolderVariable);
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (folder_.empty()) return;
    std::filesystem::remove_all(folder_);
    unsetenv(kFolderVariable);
  }

  /// A fresh copy of the model, under its own name.
  std::filesystem::path Copy() const {
    const std::filesystem::path copy = folder_ / ModelPath().filename();
    std::filesystem::remove_all(copy);
    std::filesystem::copy(ModelPath(), copy, std::filesystem::copy_options::recursive);
    return copy;
  }
  /// The files of a model, relative to it; "" for a model that is one file.
  std::vector<std::filesystem::path> Files() const {
    if (!std::filesystem::is_directory(ModelPath())) return {{}};
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(ModelPath())) {
      if (entry.is_regular_file()) files.push_back(entry.path().lexically_relative(ModelPath()));
    }
    std::ranges::sort(files);
    return files;
  }
  static std::filesystem::path Inside(const std::filesystem::path& model,
                                      const std::filesystem::path& file) {
    return file.empty() ? model : model / file;
  }
  /// Whether the model was refused. One that loads is run, if it still takes the inputs.
  bool Refuses(const std::filesystem::path& model, const std::string& damage) const {
    // The last line that a crashed child wrote says what it was at.
    std::fprintf(stderr, "damage: %s\n", damage.c_str());
    const auto session = runtime_->Load(model, Format());
    if (!session) return true;
    RunAnyway(**session);
    return false;
  }

  std::filesystem::path folder_;

 private:
  static void RunAnyway(Session& session) {
    std::vector<Tensor> inputs;
    std::vector<Shape> shapes;
    for (const TensorSpec& spec : session.spec().inputs) {
      Shape shape = spec.shape;
      std::ranges::replace(shape, kAnyDim, 1);
      const auto count = ElementCount(shape);
      if (!count || *count == 0 || *count > (1U << 24) || DTypeSize(spec.dtype) == 0) return;
      inputs.push_back(Tensor::Create(spec.dtype, shape).value());
      std::fill_n(inputs.back().data(), inputs.back().size_bytes(), std::byte{0});
      shapes.push_back(std::move(shape));
    }
    const auto resolved = session.ResolveOutputs(shapes);
    if (!resolved) return;
    std::vector<Tensor> outputs;
    for (const TensorSpec& spec : *resolved) {
      auto output = Tensor::Create(spec.dtype, spec.shape);
      if (!output) return;
      outputs.push_back(*std::move(output));
    }
    std::vector<TensorView> in;
    std::vector<MutableTensorView> out;
    for (const Tensor& tensor : inputs) in.push_back(tensor.view());
    for (Tensor& tensor : outputs) out.push_back(tensor.mutable_view());
    static_cast<void>(session.Invoke(in, out));
  }
};

/// Runs in the child: a time limit, a memory limit, and no destructors of static objects after.
[[noreturn]] void InChild(const std::function<bool()>& work) {
  alarm(kSecondsOfAChild);
  const rlimit limit{kMemoryOfAChild, kMemoryOfAChild};
  setrlimit(RLIMIT_DATA, &limit);
  const bool good = work();
  std::fflush(stderr);
  std::_Exit(good ? 0 : 1);
}

bool Write(const std::filesystem::path& path, const std::string& bytes) {
  const auto written = WriteFileAtomically(path, bytes);
  if (!written) std::fprintf(stderr, "%s\n", written.error().ToString().c_str());
  return written.has_value();
}

TEST_P(DamageTest, CorruptModelsAreRefusedWithoutACrash) {
  EXPECT_EXIT(InChild([this] {
                bool good = true;
                for (const std::filesystem::path& file : Files()) {
                  const std::filesystem::path model = Copy();
                  const std::filesystem::path bad = Inside(model, file);
                  const std::string bytes = ReadFile(bad).value();
                  const std::pair<const char*, std::string> damages[] = {
                      {"empty", ""},
                      {"half", bytes.substr(0, bytes.size() / 2)},
                      {"all 0xff", std::string(bytes.size(), '\xff')}};
                  for (const auto& [what, damaged] : damages) {
                    if (!Write(bad, damaged)) return false;
                    const std::string damage = "file " + file.string() + ": " + what;
                    const bool refused = Refuses(model, damage);
                    // Not every file of a folder needs to be read.
                    if (refused || !file.empty()) continue;
                    std::fprintf(stderr, "loaded, though the model is %s\n", what);
                    good = false;
                  }
                }
                return good;
              }),
              testing::ExitedWithCode(0), "");
}

TEST_P(DamageTest, AFolderOfEmptyFilesIsRefused) {
  if (!std::filesystem::is_directory(ModelPath())) GTEST_SKIP() << "the model is one file";
  EXPECT_EXIT(InChild([this] {
                const std::filesystem::path model = Copy();
                for (const std::filesystem::path& file : Files()) {
                  if (!Write(Inside(model, file), "")) return false;
                }
                if (!Refuses(model, "every file is empty")) return false;
                std::filesystem::remove_all(model);
                std::filesystem::create_directory(model);
                return Refuses(model, "an empty folder");
              }),
              testing::ExitedWithCode(0), "");
}

TEST_P(DamageTest, FlippedBitsDoNoHarm) {
  EXPECT_EXIT(
      InChild([this] {
        std::mt19937 random(20260101);
        const auto end = std::chrono::steady_clock::now() + kFlipTime;
        const std::vector<std::filesystem::path> files = Files();
        for (int k = 0; k < kFlips && std::chrono::steady_clock::now() < end; ++k) {
          const std::filesystem::path& file = files[static_cast<std::size_t>(k) % files.size()];
          const std::filesystem::path model = Copy();
          std::string bytes = ReadFile(Inside(model, file)).value();
          // Half of the flips hit the beginning, where the structure of most formats is.
          const std::size_t reach =
              k % 2 == 0 ? std::min<std::size_t>(bytes.size(), 512) : bytes.size();
          if (reach == 0) continue;
          const std::size_t byte = random() % reach;
          const unsigned bit = random() % 8;
          bytes[byte] = static_cast<char>(static_cast<unsigned char>(bytes[byte]) ^ (1U << bit));
          if (!Write(Inside(model, file), bytes)) return false;
          Refuses(model, "file " + file.string() + ": bit " + std::to_string(bit) + " of byte " +
                             std::to_string(byte));
        }
        return true;
      }),
      testing::ExitedWithCode(0), "");
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(Engines, DamageTest, testing::ValuesIn(AllEngineCases()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace kenning
