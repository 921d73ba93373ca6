// SPDX-License-Identifier: Apache-2.0
#include "tvm_elf.h"

#include <elf.h>
#include <fmt/format.h>

#include <cstring>

namespace kenning::tvm_engine {
namespace {

#if defined(__x86_64__)
constexpr unsigned kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kMachine = EM_AARCH64;
#else
constexpr unsigned kMachine = EM_NONE;
#endif

tl::unexpected<Error> Broken(std::string_view what) {
  return Fail(ErrorCode::kInvalidModel, fmt::format("the shared object is damaged: {}", what));
}

bool Inside(std::uint64_t offset, std::uint64_t size, std::size_t limit) {
  return offset <= limit && size <= limit - offset;
}

template <typename T>
T At(std::string_view image, std::uint64_t offset) {
  T value;
  std::memcpy(&value, image.data() + offset, sizeof(T));
  return value;
}

Result<> CheckHeader(std::string_view image, const Elf64_Ehdr& header) {
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != kMachine) {
    return Fail(ErrorCode::kUnsupported,
                fmt::format("the model is machine code of another architecture (ELF machine {}); "
                            "compile it for this one",
                            header.e_machine));
  }
  if (header.e_type != ET_DYN) return Broken("not a shared object");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      !Inside(header.e_phoff, std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr), image.size())) {
    return Broken("its table of segments is not inside the file");
  }
  if (header.e_shnum != 0 &&
      (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shstrndx >= header.e_shnum ||
       !Inside(header.e_shoff, std::uint64_t{header.e_shnum} * sizeof(Elf64_Shdr), image.size()))) {
    return Broken("its table of sections is not inside the file");
  }
  return {};
}

}  // namespace

Result<> CheckSharedObject(std::string_view image) {
  if (image.size() < sizeof(Elf64_Ehdr) || std::memcmp(image.data(), ELFMAG, SELFMAG) != 0) {
    return Broken("no ELF header");
  }
  const auto header = At<Elf64_Ehdr>(image, 0);
  KENNING_RETURN_IF_ERROR(CheckHeader(image, header));
  for (std::uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = At<Elf64_Phdr>(image, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!Inside(segment.p_offset, segment.p_filesz, image.size()) ||
        (segment.p_type == PT_LOAD && segment.p_memsz < segment.p_filesz)) {
      return Broken("a segment is not inside the file");
    }
  }
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    const auto section = At<Elf64_Shdr>(image, header.e_shoff + i * sizeof(Elf64_Shdr));
    if (section.sh_type != SHT_NOBITS &&
        !Inside(section.sh_offset, section.sh_size, image.size())) {
      return Broken("a section is not inside the file");
    }
  }
  return {};
}

}  // namespace kenning::tvm_engine
