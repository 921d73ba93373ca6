// SPDX-License-Identifier: Apache-2.0
// A toolchain of one small package, made on the spot, installed by the real pip without a network.
#include "kenning/toolchain/toolchain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "kenning/base/file.h"
#include "kenning/base/modules.h"
#include "kenning/toolchain/worker.h"

namespace kenning {
namespace {

using testing::HasSubstr;

constexpr const char* kWheelScript = R"(
import hashlib, sys, zipfile
name, version, body = sys.argv[2:5]
info = f"{name}-{version}.dist-info"
with zipfile.ZipFile(sys.argv[1], "w") as wheel:
    wheel.writestr(f"{name}/__init__.py", body)
    wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", f"{name}/__init__.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")
)";

class ToolchainTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const auto& [name, value] :
         {std::pair<const char*, std::string>{"KENNING_RESOURCES", Path("share")},
          {"KENNING_TOOLCHAIN_DIR", Path("toolchains")},
          {"PIP_NO_INDEX", "1"},
          {"PIP_FIND_LINKS", Path("wheels")}}) {
      ::setenv(name, value.c_str(), 1);
    }
    std::filesystem::create_directories(Path("wheels"));
    Put("make_wheel.py", kWheelScript);
    MakeWheel("kenningprobe", "1.0", "VALUE = 42");
    Describe("kenningprobe==1.0 --hash=sha256:" + WheelHash("kenningprobe", "1.0"));
    std::filesystem::create_directories(Path("share/workers"));
    std::filesystem::copy_file(std::string(KENNING_SOURCE_DIR) + "/src/toolchain/kenning_worker.py",
                               Path("share/workers/kenning_worker.py"));
  }
  void TearDown() override {
    for (const char* name :
         {"KENNING_RESOURCES", "KENNING_TOOLCHAIN_DIR", "PIP_NO_INDEX", "PIP_FIND_LINKS"}) {
      ::unsetenv(name);
    }
  }

  std::string Path(const std::string& name) const { return (scratch_.path() / name).string(); }
  void Put(const std::string& name, std::string_view text) const {
    ASSERT_TRUE(WriteFileAtomically(Path(name), text));
  }
  std::string Wheel(const std::string& name, const std::string& version) const {
    return Path("wheels/" + name + "-" + version + "-py3-none-any.whl");
  }
  void MakeWheel(const std::string& name, const std::string& version, const char* body) const {
    const std::string command = "python3 " + Path("make_wheel.py") + " " + Wheel(name, version) +
                                " " + name + " " + version + " '" + body + "'";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  std::string WheelHash(const std::string& name, const std::string& version) const {
    return Sha256OfFile(Wheel(name, version)).value();
  }
  void Describe(const std::string& lock) const {
    Put("share/engines/x/toolchain/requirements.lock", lock + "\n");
    Put("share/engines/x/toolchain/toolchain.json",
        R"({"name": "probe", "summary": "A probe.", "python": ["3.9","3.10","3.11","3.12","3.13"],
            "versions": {"kenningprobe": "1.0"}, "imports": ["kenningprobe"],
            "download_bytes": 1000, "disk_bytes": 2000000, "minutes": 0.1})");
  }
  void Worker(const std::string& body) const {
    Put("share/engines/x/workers/job.py",
        "import os, sys, time, kenning_worker as worker\n" + body + "\nworker.main(handle)\n");
  }
  Result<nlohmann::json> Run(double time_limit_s = 30, std::uint64_t memory = 0) {
    WorkerJob job;
    job.toolchain = "probe";
    job.engine = "x";
    job.script = "job.py";
    job.request = {{"value", 5}};
    job.time_limit_s = time_limit_s;
    job.memory_limit_bytes = memory;
    return RunWorker(job, progress_, cancel_);
  }
  Result<> Install() {
    return InstallToolchain(FindToolchain("probe").value(), progress_, cancel_);
  }

  ScratchFolder scratch_ = ScratchFolder::Create().value();
  NullProgress progress_;
  CancelToken cancel_;
};

TEST_F(ToolchainTest, MissingOneSaysWhatToType) {
  const auto found = FindToolchain("prob");
  ASSERT_FALSE(found);
  EXPECT_THAT(found.error().message(), HasSubstr("did you mean probe?"));
  Worker("def handle(request): return {}");
  const auto ran = Run();
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code(), ErrorCode::kUnavailable);
  EXPECT_THAT(ran.error().message(), HasSubstr("kenning toolchain install probe"));
}

TEST_F(ToolchainTest, InstallsChecksAndRemoves) {
  const ToolchainInfo info = FindToolchain("probe").value();
  EXPECT_FALSE(ToolchainInstalled(info));
  const auto installed = Install();
  ASSERT_TRUE(installed) << installed.error().ToString();
  EXPECT_TRUE(ToolchainInstalled(info));
  EXPECT_TRUE(Install());
  EXPECT_TRUE(std::filesystem::exists(ToolchainSitePackages("probe").value() / "kenningprobe"));
  EXPECT_THAT(CheckToolchain(info, cancel_).value(), testing::IsEmpty());
  std::filesystem::remove_all(ToolchainSitePackages("probe").value() / "kenningprobe");
  EXPECT_THAT(CheckToolchain(info, cancel_).value(), testing::Not(testing::IsEmpty()));
  EXPECT_GT(RemoveToolchain(info).value(), 0U);
  EXPECT_FALSE(ToolchainInstalled(info));
}

TEST_F(ToolchainTest, GoesOnWhereAnInstallStopped) {
  MakeWheel("kenningsecond", "2.0", "");
  const std::string first = "kenningprobe==1.0 --hash=sha256:" + WheelHash("kenningprobe", "1.0");
  Describe(first + "\nkenningsecond==2.0 --hash=sha256:" + WheelHash("kenningsecond", "2.0"));
  // The second package cannot be had yet.
  std::filesystem::rename(Wheel("kenningsecond", "2.0"), Path("away.whl"));
  const auto stopped = Install();
  ASSERT_FALSE(stopped);
  EXPECT_THAT(stopped.error().message(), HasSubstr("kenningsecond"));
  EXPECT_FALSE(ToolchainInstalled(FindToolchain("probe").value()));
  // The first is not asked for again.
  std::filesystem::remove(Wheel("kenningprobe", "1.0"));
  std::filesystem::rename(Path("away.whl"), Wheel("kenningsecond", "2.0"));
  const auto finished = Install();
  EXPECT_TRUE(finished) << finished.error().ToString();
}

TEST_F(ToolchainTest, ChangedPackageIsRefused) {
  Describe("kenningprobe==1.0 --hash=sha256:" + std::string(64, '0'));
  const auto installed = Install();
  ASSERT_FALSE(installed);
  EXPECT_FALSE(ToolchainInstalled(FindToolchain("probe").value()));
}

TEST_F(ToolchainTest, WorkerAnswersOrItsFailureIsAnError) {
  ASSERT_TRUE(Install());
  Worker(
      "import kenningprobe\n"
      "def handle(request):\n"
      "    worker.progress(1, 2, 'half')\n"
      "    return {'sum': request['value'] + kenningprobe.VALUE}");
  const auto answered = Run();
  ASSERT_TRUE(answered) << answered.error().ToString();
  EXPECT_EQ((*answered)["sum"], 47);

  const auto expect = [this](const std::string& body, ErrorCode code, const char* text,
                             double limit_s = 30) {
    Worker(body);
    const auto ran = Run(limit_s, 300'000'000);
    ASSERT_FALSE(ran) << body;
    EXPECT_EQ(ran.error().code(), code) << ran.error().ToString();
    EXPECT_THAT(ran.error().message(), HasSubstr(text));
  };
  expect("def handle(request): raise worker.WorkerError('invalid-model', 'no layers')",
         ErrorCode::kInvalidModel, "no layers");
  expect("def handle(request): raise ValueError('odd shape')", ErrorCode::kEngineFailure,
         "ValueError: odd shape");
  expect("def handle(request): os.abort()", ErrorCode::kEngineFailure, "crashed (Aborted)");
  expect("def handle(request): time.sleep(60)", ErrorCode::kResourceExhausted, "time limit", 1);
  expect("def handle(request):\n    big = bytearray(600000000)\n    time.sleep(60)",
         ErrorCode::kResourceExhausted, "memory limit");
  expect("def handle(request): sys.stdout.write('last words'); sys.stdout.flush(); os._exit(3)",
         ErrorCode::kEngineFailure, "last words");
  expect("def handle(request):\n    open(sys.argv[2], 'w').write('nonsense'); os._exit(0)",
         ErrorCode::kEngineFailure, "not in the form of an answer");
}

}  // namespace
}  // namespace kenning
