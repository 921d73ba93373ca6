// SPDX-License-Identifier: Apache-2.0
#include "base/tar.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>

namespace kenning {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kEndBytes = 2 * kBlock;
constexpr std::size_t kMaxTreeEntries = 10000;
constexpr int kMaxDepth = 16;
using Block = std::array<char, kBlock>;

// Fields of a header.
struct Field {
  std::size_t at;
  std::size_t size;
};
constexpr Field kName{0, 100};
constexpr Field kMode{100, 8};
constexpr Field kUid{108, 8};
constexpr Field kGid{116, 8};
constexpr Field kSize{124, 12};
constexpr Field kTime{136, 12};
constexpr Field kChecksum{148, 8};
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::string_view kMagic{"ustar\00000", 8};
constexpr Field kPrefix{345, 155};
constexpr char kFileType = '0';
constexpr char kFolderType = '5';
/// The most that eleven octal digits hold.
constexpr std::uint64_t kMaxFileBytes = (std::uint64_t{1} << 33) - 1;

std::uint64_t Padded(std::uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

Error SystemError(const fs::path& path, int number) {
  const ErrorCode code = number == ENOENT                       ? ErrorCode::kNotFound
                         : number == ENOSPC || number == EDQUOT ? ErrorCode::kResourceExhausted
                                                                : ErrorCode::kIo;
  return {code, fmt::format("{}: {}", path.string(), std::generic_category().message(number))};
}

void PutText(Block& block, Field field, std::string_view text) {
  std::memcpy(block.data() + field.at, text.data(), text.size());
}

void PutOctal(Block& block, Field field, std::uint64_t value) {
  PutText(block, field, fmt::format("{:0{}o}", value, field.size - 1));
}

/// The sum of all bytes, the checksum's own counted as spaces.
std::uint64_t SumOf(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.at && i < kChecksum.at + kChecksum.size;
    sum += own ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

/// Where a long name is cut into prefix and name; 0: no cut is needed; empty: it does not fit.
std::optional<std::size_t> CutOf(std::string_view name) {
  if (name.size() <= kName.size) return 0;
  for (std::size_t cut = name.find('/'); cut != std::string_view::npos && cut <= kPrefix.size;
       cut = name.find('/', cut + 1)) {
    const std::size_t rest = name.size() - cut - 1;
    if (cut > 0 && rest > 0 && rest <= kName.size) return cut;
  }
  return std::nullopt;
}

Block HeaderOf(const std::string& name, std::uint64_t size) {
  Block block{};
  const std::size_t cut = CutOf(name).value_or(0);
  if (cut > 0) PutText(block, kPrefix, std::string_view(name).substr(0, cut));
  PutText(block, kName, std::string_view(name).substr(cut > 0 ? cut + 1 : 0));
  const bool folder = name.ends_with('/');
  PutOctal(block, kMode, folder ? 0755 : 0644);
  PutOctal(block, kUid, 0);
  PutOctal(block, kGid, 0);
  PutOctal(block, kSize, size);
  PutOctal(block, kTime, 0);
  block[kTypeAt] = folder ? kFolderType : kFileType;
  std::memcpy(block.data() + kMagicAt, kMagic.data(), kMagic.size());
  // Six digits, a zero byte, a space.
  PutText(block, kChecksum, fmt::format("{:06o}", SumOf(block)));
  block[kChecksum.at + 7] = ' ';
  return block;
}

}  // namespace

TarOfTree::TarOfTree(TarOfTree&& other) noexcept
    : entries_(std::move(other.entries_)),
      size_(other.size_),
      open_(std::exchange(other.open_, -1)),
      open_index_(other.open_index_) {}

TarOfTree::~TarOfTree() {
  if (open_ >= 0) ::close(open_);
}

Result<TarOfTree> TarOfTree::Create(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Fail(ErrorCode::kNotFound, fmt::format("{}: is no folder", folder.string()));
  }
  TarOfTree tar;
  KENNING_RETURN_IF_ERROR(tar.AddFolder(folder, "", 0));
  tar.size_ += kEndBytes;
  return tar;
}

Result<> TarOfTree::AddFolder(const fs::path& folder, const std::string& prefix, int depth) {
  if (depth > kMaxDepth) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: more than {} folders deep", folder.string(), kMaxDepth));
  }
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    found.push_back(it->path());
    if (found.size() > kMaxTreeEntries) break;  // Append says it.
  }
  if (error) return Fail(SystemError(folder, error.value()));
  std::ranges::sort(found);
  for (const fs::path& path : found) {
    const std::string name = prefix + path.filename().string();
    const fs::file_status status = fs::symlink_status(path, error);
    if (fs::is_directory(status)) {
      KENNING_RETURN_IF_ERROR(Append({name + "/", path, 0, 0}));
      KENNING_RETURN_IF_ERROR(AddFolder(path, name + "/", depth + 1));
    } else if (fs::is_regular_file(status)) {
      const std::uint64_t size = fs::file_size(path, error);
      if (error) return Fail(SystemError(path, error.value()));
      KENNING_RETURN_IF_ERROR(Append({name, path, size, 0}));
    } else {
      return Fail(
          ErrorCode::kInvalidData,
          fmt::format("{}: a model's folder holds regular files and folders only", path.string()));
    }
  }
  return {};
}

Result<> TarOfTree::Append(Entry entry) {
  if (!CutOf(entry.name)) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("{}: the name is too long to be sent", entry.path.string()));
  }
  if (entry.size > kMaxFileBytes || entries_.size() >= kMaxTreeEntries) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{}: a folder that is sent has at most {} entries of at most {} bytes",
                            entry.path.string(), kMaxTreeEntries, kMaxFileBytes));
  }
  entry.begin = size_;
  size_ += kBlock + Padded(entry.size);
  entries_.push_back(std::move(entry));
  return {};
}

Result<> TarOfTree::Read(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > size_ || out.size() > size_ - offset) {
    return Fail(ErrorCode::kInvalidArgument, "a read beyond the archive's end");
  }
  auto next =
      std::ranges::upper_bound(entries_, offset, {}, [](const Entry& one) { return one.begin; });
  std::size_t index =
      next == entries_.begin() ? 0 : static_cast<std::size_t>(next - entries_.begin()) - 1;
  while (!out.empty()) {
    const bool last = index + 1 >= entries_.size();
    const std::uint64_t end = entries_.empty() ? 0
                              : last           ? size_ - kEndBytes
                                               : entries_[index + 1].begin;
    if (offset >= end) {  // The archive's end.
      std::ranges::fill(out, std::byte{0});
      return {};
    }
    const std::size_t count = std::min<std::uint64_t>(out.size(), end - offset);
    KENNING_RETURN_IF_ERROR(
        ReadEntry(index, offset - entries_[index].begin, out.subspan(0, count)));
    out = out.subspan(count);
    offset += count;
    if (!last) ++index;
  }
  return {};
}

Result<> TarOfTree::ReadEntry(std::size_t index, std::uint64_t at, std::span<std::byte> out) {
  const Entry& entry = entries_[index];
  if (at < kBlock) {
    const Block header = HeaderOf(entry.name, entry.size);
    const std::size_t count = std::min<std::uint64_t>(out.size(), kBlock - at);
    std::memcpy(out.data(), header.data() + at, count);
    out = out.subspan(count);
    at += count;
  }
  if (out.empty()) return {};
  const std::uint64_t from = at - kBlock;
  const std::size_t count =
      from < entry.size ? std::min<std::uint64_t>(out.size(), entry.size - from) : 0;
  if (count > 0) KENNING_RETURN_IF_ERROR(ReadContents(index, from, out.subspan(0, count)));
  std::ranges::fill(out.subspan(count), std::byte{0});
  return {};
}

Result<> TarOfTree::ReadContents(std::size_t index, std::uint64_t at, std::span<std::byte> out) {
  const fs::path& path = entries_[index].path;
  if (open_ < 0 || open_index_ != index) {
    if (open_ >= 0) ::close(open_);
    open_index_ = index;
    open_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (open_ < 0) return Fail(SystemError(path, errno));
  }
  while (!out.empty()) {
    const ssize_t got = ::pread(open_, out.data(), out.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Fail(SystemError(path, errno));
    if (got == 0) {
      return Fail(ErrorCode::kInvalidData,
                  fmt::format("{}: the file got shorter while it was read", path.string()));
    }
    out = out.subspan(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
  }
  return {};
}

bool LooksLikeTar(std::span<const std::byte> begin) {
  return begin.size() >= kBlock &&
         std::memcmp(begin.data() + kMagicAt, kMagic.data(), kMagic.size()) == 0;
}

namespace {

/// What a header says, checked.
struct Member {
  std::string name;  ///< Without a final slash.
  bool folder = false;
  std::uint64_t size = 0;
};

std::string_view TextOf(const Block& block, Field field) {
  const std::string_view text(block.data() + field.at, field.size);
  return text.substr(0, text.find('\0'));
}

std::optional<std::uint64_t> OctalOf(const Block& block, Field field) {
  std::string_view text = TextOf(block, field);
  while (text.ends_with(' ')) text.remove_suffix(1);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool SafeName(std::string_view name) {
  int depth = 0;
  while (!name.empty()) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (part.empty() || part == "." || part == ".." || ++depth > kMaxDepth + 1) return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
  return false;  // Empty, or with a final slash.
}

class Unpacker {
 public:
  Unpacker(const fs::path& archive, fs::path folder, const TarLimits& limits)
      : archive_(archive), folder_(std::move(folder)), limits_(limits) {}
  ~Unpacker() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Unpacker(const Unpacker&) = delete;
  Unpacker& operator=(const Unpacker&) = delete;

  Result<> Run() {
    file_ = std::fopen(archive_.c_str(), "rbe");
    if (file_ == nullptr) return Fail(SystemError(archive_, errno));
    for (;;) {
      Block block{};
      KENNING_RETURN_IF_ERROR(ReadBlock(block));
      if (std::ranges::all_of(block, [](char c) { return c == 0; })) return CheckEnd();
      KENNING_ASSIGN_OR_RETURN(const Member member, ReadMember(block));
      if (++entries_ > limits_.max_entries || member.size > limits_.max_bytes - bytes_) {
        return Fail(ErrorCode::kResourceExhausted,
                    fmt::format("the archive holds more than {} entries or {} bytes",
                                limits_.max_entries, limits_.max_bytes));
      }
      bytes_ += member.size;
      KENNING_RETURN_IF_ERROR(Make(member), fmt::format("unpacking \"{}\"", member.name));
    }
  }

 private:
  tl::unexpected<Error> Bad(std::string what) const {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("entry {} of the archive: {}", entries_ + 1, what));
  }
  Result<> ReadBlock(Block& block) {
    if (std::fread(block.data(), 1, kBlock, file_) == kBlock) return {};
    if (std::ferror(file_) != 0) return Fail(SystemError(archive_, errno));
    return Bad("the archive ends too early");
  }
  /// After the first block of zeros: one more, and nothing else.
  Result<> CheckEnd() {
    Block block{};
    KENNING_RETURN_IF_ERROR(ReadBlock(block));
    for (;;) {
      if (!std::ranges::all_of(block, [](char c) { return c == 0; })) {
        return Bad("bytes after the end");
      }
      const std::size_t got = std::fread(block.data(), 1, kBlock, file_);
      if (got == 0) return {};
      if (got < kBlock) return Bad("bytes after the end");
    }
  }
  Result<Member> ReadMember(const Block& block) const {
    if (std::memcmp(block.data() + kMagicAt, kMagic.data(), kMagic.size()) != 0 ||
        OctalOf(block, kChecksum) != SumOf(block)) {
      return Bad("no header of an archive");
    }
    const char type = block[kTypeAt];
    if (type != kFileType && type != kFolderType) return Bad("neither a file nor a folder");
    Member member;
    const std::string_view prefix = TextOf(block, kPrefix);
    member.name = prefix;
    if (!prefix.empty()) member.name += '/';
    member.name += TextOf(block, kName);
    member.folder = type == kFolderType;
    if (member.folder && member.name.ends_with('/')) member.name.pop_back();
    if (!SafeName(member.name)) return Bad("a name that leaves the folder");
    const auto size = OctalOf(block, kSize);
    if (!size || *size > kMaxFileBytes || (member.folder && *size != 0)) return Bad("a wrong size");
    member.size = *size;
    return member;
  }
  Result<> Make(const Member& member) {
    const fs::path path = folder_ / member.name;
    std::error_code error;
    // All folders on the way were made here: there is no link to follow.
    fs::create_directories(member.folder ? path : path.parent_path(), error);
    if (error == std::errc::not_a_directory || error == std::errc::file_exists) {
      return Bad("a name that is taken");
    }
    if (error) return Fail(SystemError(path, error.value()));
    if (member.folder) return {};
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 && (errno == EEXIST || errno == EISDIR)) return Bad("a name that is taken");
    if (fd < 0) return Fail(SystemError(path, errno));
    Result<> copied = CopyContents(fd, path, member.size);
    if (::close(fd) != 0 && copied) copied = Fail(SystemError(path, errno));
    return copied;
  }
  Result<> CopyContents(int fd, const fs::path& path, std::uint64_t size) {
    std::vector<char> chunk(std::min<std::uint64_t>(Padded(size), std::uint64_t{1} << 18));
    for (std::uint64_t left = size; left > 0;) {
      // Whole blocks, the padding with the last.
      const std::size_t count = std::min<std::uint64_t>(chunk.size(), Padded(left));
      if (std::fread(chunk.data(), 1, count, file_) != count) {
        return Bad("the archive ends too early");
      }
      const std::size_t wanted = std::min<std::uint64_t>(count, left);
      for (std::size_t done = 0; done < wanted;) {
        const ssize_t put = ::write(fd, chunk.data() + done, wanted - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return Fail(SystemError(path, errno));
        done += static_cast<std::size_t>(put);
      }
      left -= wanted;
    }
    return {};
  }

  fs::path archive_;
  fs::path folder_;
  TarLimits limits_;
  std::FILE* file_ = nullptr;
  std::size_t entries_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

Result<> UnpackTar(const fs::path& archive, const fs::path& folder, const TarLimits& limits) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error))) {
    return Fail(ErrorCode::kIo, fmt::format("{}: is there already", folder.string()));
  }
  fs::path temporary = folder;
  temporary += fmt::format(".tmp-{}", ::getpid());
  fs::remove_all(temporary, error);
  fs::create_directories(temporary, error);
  if (error) return Fail(SystemError(temporary, error.value()));
  Result<> done = Unpacker(archive, temporary, limits).Run();
  if (done) {
    fs::rename(temporary, folder, error);
    if (error) done = Fail(SystemError(folder, error.value()));
  }
  if (!done) fs::remove_all(temporary, error);
  return done;
}

}  // namespace kenning
