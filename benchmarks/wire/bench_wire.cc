// SPDX-License-Identifier: Apache-2.0
// The cost of the wire and of the agent on this machine, beside the least that two processes can do
// (README.md of this folder):
//   bench_wire [--agent FILE] [--out DIR] [--rounds N] [--samples N] [--cpus HOST,TARGET]
//              [--small-onnx FILE] [--onnx FILE] [PART]…
// --agent FILE       default: kenning-agent beside this program
// --out DIR          also writes wire.md and wire.json there
// --cpus             keeps this side and the other, rivals included, on one processor each
// --small-onnx FILE  a model whose latency is measured, too
// --onnx FILE        a float model of about 14 MB for the part model; without it that part is left
// out Parts: latency, transfer, memory, model, size, start; by default all of them.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "bare_tcp.h"
#include "figures.h"
#include "kenning/base/clock.h"
#include "lanes.h"
#include "placement.h"

namespace kenning::bench {
namespace {

constexpr std::size_t kSmallInput = 1536;
constexpr std::size_t kLargeInput = 602'112;
constexpr std::size_t kAnswer = 16;
constexpr double kMegabyte = 1e6;
constexpr const char* kPeerLatency = "2230 us per sample, all of it";

struct Options {
  std::filesystem::path agent;
  std::filesystem::path onnx;
  std::filesystem::path small_onnx;
  std::filesystem::path out;
  int rounds = 31;
  int samples = 1000;
  std::vector<std::string> parts;

  bool Wants(const char* part) const {
    return parts.empty() || std::ranges::find(parts, part) != parts.end();
  }
};

class Bench {
 public:
  explicit Bench(Options options) : options_(std::move(options)) {}

  Result<> Run() {
    if (options_.Wants("latency")) KENNING_RETURN_IF_ERROR(Latency(), "latency");
    if (options_.Wants("transfer")) KENNING_RETURN_IF_ERROR(Transfer(), "transfer");
    if (options_.Wants("memory")) KENNING_RETURN_IF_ERROR(IdleMemory(), "memory");
    if (options_.Wants("model") && !options_.onnx.empty()) {
      KENNING_RETURN_IF_ERROR(ModelMemory(), "model");
    }
    if (options_.Wants("size")) KENNING_RETURN_IF_ERROR(Size(), "size");
    if (options_.Wants("start")) KENNING_RETURN_IF_ERROR(Start(), "start");
    return {};
  }
  const std::vector<Figure>& figures() const { return figures_; }

 private:
  /// A model that computes nothing, of so many bytes in and 16 out.
  Result<LocalModel> NullModel(std::size_t input_bytes) {
    const auto path = folder_.path / fmt::format("{}.null", input_bytes);
    std::ofstream(path) << fmt::format(
        R"({{"inputs": [{{"name": "x", "dtype": "float32", "shape": [1, {}]}}],)"
        R"( "outputs": [{{"name": "y", "dtype": "float32", "shape": [1, {}]}}]}})",
        input_bytes / 4, kAnswer / 4);
    return LoadHere(path, "null", "NullRuntime");
  }

  static std::vector<double> Minus(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> result;
    for (std::size_t i = 0; i < a.size(); ++i) result.push_back(a[i] - b[i]);
    return result;
  }
  static std::vector<double> Over(const std::vector<double>& a, const std::vector<double>& b) {
    std::vector<double> result;
    for (std::size_t i = 0; i < a.size(); ++i) result.push_back(a[i] / b[i]);
    return result;
  }

  void AddLatency(const char* name, const Lane& remote, const Lane& local, const Lane& bare,
                  double bar, const char* peer) {
    const auto added = Minus(remote.rounds_us, local.rounds_us);
    figures_.push_back({.name = name,
                        .unit = "us",
                        .measured = MedianOfRounds(added),
                        .bar = bar,
                        .rival = "bare TCP round trip",
                        .rival_measured = MedianOfRounds(bare.rounds_us),
                        .ratio = MedianOfRounds(Over(added, bare.rounds_us)),
                        .peer = peer,
                        .note = {}});
  }

  Result<> Latency() {
    KENNING_ASSIGN_OR_RETURN(const LocalModel model, NullModel(kSmallInput));
    KENNING_ASSIGN_OR_RETURN(const Tensors tensors, Tensors::Make(*model.session));
    KENNING_ASSIGN_OR_RETURN(const auto native,
                             RemoteModel::Load(options_.agent, model, NativeMode::kOn));
    KENNING_ASSIGN_OR_RETURN(const auto compatible,
                             RemoteModel::Load(options_.agent, model, NativeMode::kOff));
    BareTcp rival(kSmallInput, kAnswer);
    Lane bare{"bare TCP", [&]() -> Result<> {
                rival.RoundTrip();
                return {};
              }};
    Lane local{"local", [&] { return model.session->Invoke(tensors.inputs(), tensors.outputs()); }};
    Lane remote{"native", [&] { return native->Invoke(tensors); }};
    Lane three{"compatible", [&] { return compatible->Invoke(tensors); }};
    KENNING_RETURN_IF_ERROR(
        Measure({&bare, &local, &remote, &three}, options_.rounds, options_.samples));
    AddLatency("Added host time per sample, 1.5 KB input, native mode", remote, local, bare, 30,
               kPeerLatency);
    AddLatency("The same in Kenning-compatible mode (three round trips)", three, local, bare, 100,
               kPeerLatency);
    KENNING_RETURN_IF_ERROR(Pipelined(*native, tensors));
    if (!options_.small_onnx.empty()) KENNING_RETURN_IF_ERROR(LatencyOfModel());
    return {};
  }

  /// Time per sample where the next ones are on their way already.
  Result<> Pipelined(RemoteModel& native, const Tensors& tensors) {
    constexpr int kInFlight = 16;
    auto& client = native.client();
    Lane lane{"pipelined", [&]() -> Result<> {
                for (int i = 0; i < kInFlight; ++i) {
                  KENNING_RETURN_IF_ERROR(client.SendInfer(tensors.inputs()));
                }
                for (int i = 0; i < kInFlight; ++i) {
                  const auto result = client.ReceiveInfer(tensors.outputs());
                  if (!result) return Fail(result.error());
                }
                return {};
              }};
    KENNING_RETURN_IF_ERROR(
        Measure({&lane}, options_.rounds, std::max(options_.samples / kInFlight, 1)));
    for (double& us : lane.rounds_us) us /= kInFlight;
    figures_.push_back({.name = "Time per sample with 16 in flight, 1.5 KB input, native mode",
                        .unit = "us",
                        .measured = MedianOfRounds(lane.rounds_us),
                        .bar = {},
                        .rival = {},
                        .peer = "cannot",
                        .note = {}});
    return {};
  }

  Result<> LatencyOfModel() {
    KENNING_ASSIGN_OR_RETURN(const LocalModel model,
                             LoadHere(options_.small_onnx, "onnx", "ONNXRuntime"));
    KENNING_ASSIGN_OR_RETURN(const Tensors tensors, Tensors::Make(*model.session));
    KENNING_ASSIGN_OR_RETURN(const auto native,
                             RemoteModel::Load(options_.agent, model, NativeMode::kOn));
    BareTcp rival(tensors.input_bytes(), kAnswer);
    Lane bare{"bare TCP", [&]() -> Result<> {
                rival.RoundTrip();
                return {};
              }};
    Lane local{"local", [&] { return model.session->Invoke(tensors.inputs(), tensors.outputs()); }};
    Lane remote{"native", [&] { return native->Invoke(tensors); }};
    KENNING_RETURN_IF_ERROR(Measure({&bare, &local, &remote}, options_.rounds, options_.samples));
    const auto added = Minus(remote.rounds_us, local.rounds_us);
    figures_.push_back(
        {.name = fmt::format("Added host time per sample, {} in ONNX Runtime, native mode",
                             options_.small_onnx.filename().string()),
         .unit = "us",
         .measured = MedianOfRounds(added),
         .bar = 30,
         .rival = "bare TCP round trip",
         .rival_measured = MedianOfRounds(bare.rounds_us),
         .ratio = MedianOfRounds(Over(added, bare.rounds_us)),
         .peer = kPeerLatency,
         .note = fmt::format("one invoke takes {:.1f} us here",
                             MedianOfRounds(local.rounds_us).value)});
    return {};
  }

  static std::vector<double> GigabytesPerSecond(const Lane& lane) {
    std::vector<double> rates;
    for (const double us : lane.rounds_us) {
      rates.push_back(static_cast<double>(kLargeInput) / us * 1e-3);
    }
    return rates;
  }

  Result<> Transfer() {
    KENNING_ASSIGN_OR_RETURN(const LocalModel model, NullModel(kLargeInput));
    KENNING_ASSIGN_OR_RETURN(const Tensors tensors, Tensors::Make(*model.session));
    KENNING_ASSIGN_OR_RETURN(const auto native,
                             RemoteModel::Load(options_.agent, model, NativeMode::kOn));
    BareTcp rival(kLargeInput, kAnswer);
    Lane bare{"bare TCP", [&]() -> Result<> {
                rival.RoundTrip();
                return {};
              }};
    Lane remote{"native", [&] { return native->Invoke(tensors); }};
    KENNING_RETURN_IF_ERROR(
        Measure({&bare, &remote}, options_.rounds, std::max(options_.samples / 4, 1)));
    const auto rate = GigabytesPerSecond(remote);
    const auto bare_rate = GigabytesPerSecond(bare);
    figures_.push_back({.name = "Transfer of 602,112-byte inputs with CRC32C",
                        .unit = "GB/s",
                        .measured = MedianOfRounds(rate),
                        .bar = 2.5,
                        .at_most = false,
                        .rival = "bare TCP, no check",
                        .rival_measured = MedianOfRounds(bare_rate),
                        .ratio = MedianOfRounds(Over(rate, bare_rate)),
                        .peer = "about 0.04 GB/s with its checksum",
                        .note = "bytes of the input over the time of a whole round trip, the null "
                                "engine's 0.1 us included"});
    return {};
  }

  Result<> IdleMemory() {
    KENNING_ASSIGN_OR_RETURN(const auto agent, AgentProcess::Start(options_.agent));
    KENNING_ASSIGN_OR_RETURN(const Memory fresh, MemoryOf(agent->pid()));
    {
      KENNING_ASSIGN_OR_RETURN(const auto client, agent->Connect(NativeMode::kOn));
      KENNING_RETURN_IF_ERROR(client->Disconnect());
    }
    KENNING_ASSIGN_OR_RETURN(const Memory after, MemoryOf(agent->pid()));
    const Memory most = after.resident > fresh.resident ? after : fresh;
    figures_.push_back(
        {.name = "Agent idle, resident",
         .unit = "MB",
         .measured = {static_cast<double>(most.resident) / kMegabyte, {}, {}},
         .bar = 8,
         .rival = {},
         .peer = "626 MB",
         .note = fmt::format("{:.2f} MB of it are its share of pages (PSS); the larger of before "
                             "and after a session",
                             static_cast<double>(most.proportional) / kMegabyte)});
    return {};
  }

  Result<> ModelMemory() {
    KENNING_ASSIGN_OR_RETURN(const LocalModel model,
                             LoadHere(options_.onnx, "onnx", "ONNXRuntime"));
    KENNING_ASSIGN_OR_RETURN(const Tensors tensors, Tensors::Make(*model.session));
    KENNING_ASSIGN_OR_RETURN(const auto remote,
                             RemoteModel::Load(options_.agent, model, NativeMode::kOn));
    KENNING_RETURN_IF_ERROR(remote->Invoke(tensors));
    const pid_t main = remote->agent().pid();
    KENNING_ASSIGN_OR_RETURN(Memory agent, MemoryOf(main));
    for (const pid_t child : ChildrenOf(main)) {
      KENNING_ASSIGN_OR_RETURN(const Memory memory, MemoryOf(child));
      agent.resident += memory.resident;
      agent.proportional += memory.proportional;
    }
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bare_ort";
    KENNING_ASSIGN_OR_RETURN(
        const auto bare,
        ChildProcess::Start({program.string(), options_.onnx.string(), "1"}, STDOUT_FILENO));
    if (bare->ReadLine() != "ready") return Fail(ErrorCode::kEngineFailure, "bare_ort failed");
    KENNING_ASSIGN_OR_RETURN(const Memory rival, MemoryOf(bare->pid()));
    const auto megabytes = [](std::uint64_t bytes) {
      return Estimate{static_cast<double>(bytes) / kMegabyte, {}, {}};
    };
    const double ratio = static_cast<double>(agent.resident) / static_cast<double>(rival.resident);
    figures_.push_back(
        {.name = fmt::format("Agent and session with ONNX Runtime and a model of {:.0f} MB",
                             static_cast<double>(model.artifact.size_bytes) / kMegabyte),
         .unit = "MB",
         .measured = megabytes(agent.resident),
         .bar = 2 * static_cast<double>(rival.resident) / kMegabyte,
         .rival = "bare ONNX Runtime process",
         .rival_measured = megabytes(rival.resident),
         .ratio = Estimate{ratio, {}, {}},
         .peer = "626 MB",
         .note = fmt::format("resident pages after one inference, pages that both processes of the "
                             "agent share counted twice; shares of pages (PSS): {:.1f} against "
                             "{:.1f} MB",
                             static_cast<double>(agent.proportional) / kMegabyte,
                             static_cast<double>(rival.proportional) / kMegabyte)});
    return {};
  }

  Result<> Size() {
    const auto stripped = folder_.path / "kenning-agent";
    const std::string command =
        fmt::format("strip -o '{}' '{}'", stripped.string(), options_.agent.string());
    if (std::system(command.c_str()) != 0) return Fail(ErrorCode::kIo, "strip failed");
    figures_.push_back(
        {.name = "Agent binary, stripped, without engines",
         .unit = "MB",
         .measured = {static_cast<double>(std::filesystem::file_size(stripped)) / kMegabyte,
                      {},
                      {}},
         .bar = 3,
         .rival = {},
         .peer = {},
         .note = {}});
    return {};
  }

  Result<> Start() {
    constexpr int kStarts = 21;
    std::vector<double> milliseconds;
    for (int i = -1; i < kStarts; ++i) {
      const std::int64_t start = MonotonicNowNs();
      KENNING_ASSIGN_OR_RETURN(const auto agent, AgentProcess::Start(options_.agent));
      KENNING_ASSIGN_OR_RETURN(const auto client, agent->Connect(NativeMode::kOn));
      const double took = static_cast<double>(MonotonicNowNs() - start) * 1e-6;
      if (i >= 0) milliseconds.push_back(took);
    }
    figures_.push_back({.name = "Start to first answered message",
                        .unit = "ms",
                        .measured = MedianOfRounds(milliseconds),
                        .bar = 50,
                        .rival = {},
                        .peer = "about 6 s",
                        .note = "from fork to the answer to HELLO, 21 starts"});
    return {};
  }

  struct Folder {
    std::filesystem::path path;
    Folder() {
      std::string name = (std::filesystem::temp_directory_path() / "bench_wire-XXXXXX").string();
      if (::mkdtemp(name.data()) != nullptr) path = name;
    }
    ~Folder() {
      std::error_code ignored;
      if (!path.empty()) std::filesystem::remove_all(path, ignored);
    }
  };

  Options options_;
  Folder folder_;
  std::vector<Figure> figures_;
};

int Usage() {
  fmt::print(
      stderr,
      "usage: bench_wire [--agent FILE] [--out DIR] [--rounds N] [--samples N] [--onnx FILE] "
      "[latency|transfer|memory|model|size|start]…\n");
  return 2;
}

}  // namespace

int Main(int argc, char** argv) {
  Options options;
  options.agent = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "kenning-agent";
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (!word.starts_with("--")) {
      options.parts.push_back(word);
      continue;
    }
    if (++i >= argc) return Usage();
    if (word == "--agent") {
      options.agent = std::filesystem::absolute(argv[i]);
    } else if (word == "--out") {
      options.out = argv[i];
    } else if (word == "--onnx") {
      options.onnx = argv[i];
    } else if (word == "--small-onnx") {
      options.small_onnx = argv[i];
    } else if (word == "--cpus") {
      int host = -1;
      int target = -1;
      if (std::sscanf(argv[i], "%d,%d", &host, &target) != 2) return Usage();
      SetPlacement(host, target);
    } else if (word == "--rounds") {
      options.rounds = std::atoi(argv[i]);
    } else if (word == "--samples") {
      options.samples = std::atoi(argv[i]);
    } else {
      return Usage();
    }
  }
  if (options.rounds < 1 || options.samples < 1) return Usage();
  const std::filesystem::path out = options.out;
  Bench bench(std::move(options));
  const Result<> result = bench.Run();
  const std::string markdown = ToMarkdown(bench.figures());
  fmt::print("{}", markdown);
  if (!out.empty()) {
    std::error_code ignored;
    std::filesystem::create_directories(out, ignored);
    std::ofstream(out / "wire.md") << markdown;
    std::ofstream(out / "wire.json") << ToJson(bench.figures());
  }
  if (result) return 0;
  fmt::print(stderr, "bench_wire: {}\n", result.error().message());
  return 1;
}

}  // namespace kenning::bench

int main(int argc, char** argv) { return kenning::bench::Main(argc, argv); }
