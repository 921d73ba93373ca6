// SPDX-License-Identifier: Apache-2.0
#include "transport/devices.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <system_error>

#include "kenning/base/file.h"
#include "kenning/base/strings.h"

namespace kenning {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::uint64_t kMaxFileBytes = 1 << 20;
constexpr std::size_t kMaxDevices = 1000;
constexpr std::size_t kMaxText = 4096;
constexpr int kVersion = 1;
constexpr int kMaxDepth = 8;

const char* NonEmptyEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

/// Reads a tree and says where in it something is wrong.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  Result<std::vector<Device>> Read(std::string_view text) {
    KENNING_ASSIGN_OR_RETURN(const Json root, Parse(text));
    KENNING_RETURN_IF_ERROR(CheckKeys(root, "", {"version", "devices"}));
    if (!root.contains("version") || root["version"] != kVersion) {
      return Wrong("version", fmt::format("must be {}", kVersion));
    }
    const auto list = root.find("devices");
    if (list == root.end() || !list->is_object()) {
      return Wrong("devices", "must be an object with one member for each device");
    }
    if (list->size() > kMaxDevices) {
      return Wrong("devices", fmt::format("has more than {} members", kMaxDevices));
    }
    std::vector<Device> devices;
    for (const auto& [name, value] : list->items()) {
      KENNING_ASSIGN_OR_RETURN(Device device, ReadDevice(name, value));
      devices.push_back(std::move(device));
    }
    std::ranges::sort(devices, {}, &Device::name);
    return devices;
  }

 private:
  tl::unexpected<Error> Wrong(std::string_view place, std::string_view what) const {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: {}{}{}", file_, place, place.empty() ? "" : ": ", what));
  }

  Result<Json> Parse(std::string_view text) const {
    // Repeated keys are a mistake that the library does not see by itself.
    std::vector<std::vector<std::string>> open;
    std::string repeated;
    bool deep = false;
    const Json::parser_callback_t look = [&](int depth, Json::parse_event_t event, Json& value) {
      using Event = Json::parse_event_t;
      if (event == Event::object_start) open.emplace_back();
      if (event == Event::object_end && !open.empty()) open.pop_back();
      if (event == Event::key && !open.empty()) {
        const std::string key = value.get<std::string>();
        if (std::ranges::find(open.back(), key) != open.back().end()) repeated = key;
        open.back().push_back(key);
      }
      deep |= depth > kMaxDepth;
      return !deep;
    };
    try {
      Json root = Json::parse(text, look);
      if (!repeated.empty()) return Wrong("", fmt::format("\"{}\" stands there twice", repeated));
      if (deep) return Wrong("", "is nested too deeply");
      if (!root.is_object()) return Wrong("", "must be a JSON object");
      return root;
    } catch (const Json::parse_error& error) {
      const std::string_view before = text.substr(0, error.byte > 0 ? error.byte - 1 : 0);
      const auto line = std::ranges::count(before, '\n') + 1;
      const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}:{}:{}: this is no JSON", file_, line, column));
    } catch (const Json::exception& error) {
      return Wrong("", error.what());
    }
  }

  Result<> CheckKeys(const Json& object, const std::string& place,
                     const std::vector<std::string>& known) const {
    if (!object.is_object()) return Wrong(place, "must be an object");
    for (const auto& [key, value] : object.items()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      const std::vector<std::string> nearest = NearestNames(key, known, 1);
      return Wrong(place.empty() ? key : place + "." + key,
                   nearest.empty() ? fmt::format("is unknown; there are: {}", Join(known))
                                   : fmt::format("is unknown; did you mean {}?", nearest[0]));
    }
    return {};
  }

  Result<std::string> Text(const Json& object, const std::string& place, const char* key,
                           bool required = false) const {
    const auto it = object.find(key);
    if (it == object.end() && !required) return std::string();
    if (it == object.end() || !it->is_string() ||
        it->get_ref<const std::string&>().size() > kMaxText || (required && *it == "")) {
      return Wrong(place + "." + key, fmt::format("must be a text of at most {} bytes", kMaxText));
    }
    return it->get<std::string>();
  }

  Result<Device> ReadDevice(const std::string& name, const Json& value) const {
    const std::string place = "devices." + name;
    if (!IsDeviceName(name)) {
      return Wrong("devices", fmt::format("\"{}\" is no name of a device: letters, digits, '.', "
                                          "'_' and '-', at most 64",
                                          name.substr(0, 80)));
    }
    KENNING_RETURN_IF_ERROR(CheckKeys(value, place, {"protocol", "note", "seen"}));
    Device device;
    device.name = name;
    KENNING_ASSIGN_OR_RETURN(device.note, Text(value, place, "note"));
    if (!value.contains("protocol")) return Wrong(place, "has no protocol");
    const Json& protocol = value["protocol"];
    const std::string protocol_place = place + ".protocol";
    KENNING_RETURN_IF_ERROR(CheckKeys(protocol, protocol_place, {"type", "parameters"}));
    KENNING_ASSIGN_OR_RETURN(device.protocol, Text(protocol, protocol_place, "type", true));
    if (protocol.contains("parameters")) {
      KENNING_RETURN_IF_ERROR(ReadParameters(protocol["parameters"], protocol_place + ".parameters",
                                             device.parameters));
    }
    if (value.contains("seen")) {
      KENNING_ASSIGN_OR_RETURN(device.seen, ReadSeen(value["seen"], place + ".seen"));
    }
    return device;
  }

  Result<> ReadParameters(const Json& value, const std::string& place,
                          std::map<std::string, DeviceValue>& out) const {
    if (!value.is_object() || value.size() > 100) return Wrong(place, "must be an object");
    for (const auto& [key, one] : value.items()) {
      if (one.is_boolean()) {
        out[key] = one.get<bool>();
      } else if (one.is_string() && one.get_ref<const std::string&>().size() <= kMaxText) {
        out[key] = one.get<std::string>();
      } else if (one.is_number_float() && std::isfinite(one.get<double>())) {
        out[key] = one.get<double>();
      } else if (one.is_number_integer() &&
                 !(one.is_number_unsigned() && one.get<std::uint64_t>() > INT64_MAX)) {
        out[key] = one.get<std::int64_t>();
      } else {
        return Wrong(place + "." + key, "must be a text, a number, true or false");
      }
    }
    return {};
  }

  Result<DeviceSeen> ReadSeen(const Json& value, const std::string& place) const {
    KENNING_RETURN_IF_ERROR(
        CheckKeys(value, place, {"at", "agent", "cpu", "engines", "authentication"}));
    DeviceSeen seen;
    KENNING_ASSIGN_OR_RETURN(seen.at, Text(value, place, "at"));
    KENNING_ASSIGN_OR_RETURN(seen.agent, Text(value, place, "agent"));
    KENNING_ASSIGN_OR_RETURN(seen.cpu, Text(value, place, "cpu"));
    KENNING_ASSIGN_OR_RETURN(seen.authentication, Text(value, place, "authentication"));
    const auto engines = value.find("engines");
    if (engines == value.end()) return seen;
    if (!engines->is_array() || engines->size() > 100) {
      return Wrong(place + ".engines", "must be a list of texts");
    }
    for (const Json& engine : *engines) {
      if (!engine.is_string()) return Wrong(place + ".engines", "must be a list of texts");
      seen.engines.push_back(engine.get<std::string>());
    }
    return seen;
  }

  std::string file_;
};

/// Held while the file is read and written anew.
class FileLock {
 public:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  ~FileLock() { ::close(descriptor_); }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace

fs::path DevicesFile() {
  if (const char* xdg = NonEmptyEnvironment("XDG_CONFIG_HOME")) {
    return fs::path(xdg) / "kenning" / "devices.json";
  }
  const char* home = NonEmptyEnvironment("HOME");
  return fs::path(home != nullptr ? home : ".") / ".config" / "kenning" / "devices.json";
}

bool IsDeviceName(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  return !name.empty() && name.size() <= 64 && alphanumeric(name[0]) &&
         std::ranges::all_of(name, [&alphanumeric](char c) {
           return alphanumeric(c) || c == '.' || c == '_' || c == '-';
         });
}

Result<std::vector<Device>> DevicesFromJson(std::string_view text, const std::string& file_name) {
  return Reader(file_name).Read(text);
}

std::string DevicesToJson(const std::vector<Device>& devices) {
  Json list = Json::object();
  for (const Device& device : devices) {
    Json parameters = Json::object();
    for (const auto& [key, value] : device.parameters) {
      std::visit([&, name = key](const auto& held) { parameters[name] = held; }, value);
    }
    Json one = {{"protocol", {{"type", device.protocol}, {"parameters", std::move(parameters)}}}};
    if (!device.note.empty()) one["note"] = device.note;
    if (device.seen) {
      one["seen"] = {{"at", device.seen->at},
                     {"agent", device.seen->agent},
                     {"cpu", device.seen->cpu},
                     {"engines", device.seen->engines},
                     {"authentication", device.seen->authentication}};
    }
    list[device.name] = std::move(one);
  }
  const Json root = {{"version", kVersion}, {"devices", std::move(list)}};
  return root.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<std::vector<Device>> ReadDevices(const fs::path& file) {
  Result<std::string> text = ReadFile(file, kMaxFileBytes);
  if (!text && text.error().code() == ErrorCode::kNotFound) return std::vector<Device>();
  if (!text) return Fail(text.error());
  return DevicesFromJson(*text, file.string());
}

Result<> UpdateDevices(const fs::path& file,
                       const std::function<Result<>(std::vector<Device>&)>& change) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const std::string lock_file = file.string() + ".lock";
  const int descriptor = ::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return Fail(ErrorCode::kIo,
                fmt::format("{}: {}", lock_file, std::generic_category().message(errno)));
  }
  const FileLock lock(descriptor);
  while (::flock(descriptor, LOCK_EX) != 0 && errno == EINTR) continue;
  KENNING_ASSIGN_OR_RETURN(std::vector<Device> devices, ReadDevices(file));
  KENNING_RETURN_IF_ERROR(change(devices));
  std::ranges::sort(devices, {}, &Device::name);
  KENNING_ASSIGN_OR_RETURN(AtomicFile out, AtomicFile::Create(file));
  // It names files of secrets, and where the devices are.
  if (::chmod(out.temporary_path().c_str(), 0600) != 0) {
    return Fail(ErrorCode::kIo, fmt::format("{}: {}", out.temporary_path().string(),
                                            std::generic_category().message(errno)));
  }
  KENNING_RETURN_IF_ERROR(out.Write(DevicesToJson(devices)));
  return out.Commit();
}

Result<Device> FindDevice(const std::string& name) {
  const fs::path file = DevicesFile();
  KENNING_ASSIGN_OR_RETURN(std::vector<Device> devices, ReadDevices(file));
  std::vector<std::string> names;
  for (Device& device : devices) {
    if (device.name == name) return std::move(device);
    names.push_back(device.name);
  }
  const std::vector<std::string> nearest = NearestNames(name, names);
  return Fail(
      ErrorCode::kNotFound,
      fmt::format("there is no device \"{}\" in {}{}", name, file.string(),
                  names.empty()     ? "; add it with: kenning devices add"
                  : nearest.empty() ? fmt::format("; there are: {}", Join(names))
                                    : fmt::format("; did you mean {}?", Join(nearest, " or "))));
}

}  // namespace kenning
