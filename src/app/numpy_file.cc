// SPDX-License-Identifier: Apache-2.0
#include "app/numpy_file.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <limits>

#include "kenning/base/file.h"

namespace kenning {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// The text after `'key':`, up to the end of the header.
std::optional<std::string_view> ValueOf(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t colon = header.find(':', at);
  if (colon == std::string_view::npos) return std::nullopt;
  header.remove_prefix(colon + 1);
  const std::size_t start = header.find_first_not_of(' ');
  return start == std::string_view::npos ? header.substr(header.size()) : header.substr(start);
}

std::optional<Shape> ParseShape(std::string_view text) {
  if (!text.starts_with('(')) return std::nullopt;
  const std::size_t end = text.find(')');
  if (end == std::string_view::npos) return std::nullopt;
  text = text.substr(1, end - 1);
  Shape shape;
  while (true) {
    const std::size_t start = text.find_first_not_of(", ");
    if (start == std::string_view::npos) return shape;
    text.remove_prefix(start);
    std::int64_t dim = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (error != std::errc() || dim < 0) return std::nullopt;
    shape.push_back(dim);
    text.remove_prefix(static_cast<std::size_t>(at - text.data()));
  }
}

template <typename T>
std::vector<float> Convert(std::string_view bytes) {
  std::vector<float> values(bytes.size() / sizeof(T));
  for (std::size_t i = 0; i < values.size(); ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    values[i] = static_cast<float>(value);
  }
  return values;
}

struct ElementType {
  std::string_view descr;
  std::size_t size;
  std::vector<float> (*convert)(std::string_view);
};
constexpr ElementType kTypes[] = {
    {"<f4", 4, Convert<float>},         {"<f8", 8, Convert<double>},
    {"|u1", 1, Convert<std::uint8_t>},  {"|i1", 1, Convert<std::int8_t>},
    {"<u2", 2, Convert<std::uint16_t>}, {"<i2", 2, Convert<std::int16_t>},
    {"<u4", 4, Convert<std::uint32_t>}, {"<i4", 4, Convert<std::int32_t>},
    {"<u8", 8, Convert<std::uint64_t>}, {"<i8", 8, Convert<std::int64_t>},
    {"|b1", 1, Convert<std::uint8_t>}};

const ElementType* FindType(std::string_view text) {
  for (const ElementType& type : kTypes) {
    if (text.size() > 4 && text.substr(1).starts_with(type.descr)) return &type;
  }
  return nullptr;
}

/// Splits off the header. Empty where the file does not begin as one of NumPy's.
std::optional<std::string_view> TakeHeader(std::string_view& bytes) {
  if (bytes.size() < 12 || !bytes.starts_with(kMagic)) return std::nullopt;
  const auto byte = [&bytes](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::size_t version = byte(6);
  std::size_t length = byte(8) | byte(9) << 8;
  std::size_t start = 10;
  if (version > 1) {
    length |= byte(10) << 16 | byte(11) << 24;
    start = 12;
  }
  if (version == 0 || version > 3 || length > bytes.size() - start) return std::nullopt;
  const std::string_view header = bytes.substr(start, length);
  bytes.remove_prefix(start + length);
  return header;
}

}  // namespace

Result<NumpyArray> ParseNumpy(std::string_view bytes, const std::string& file_name) {
  const auto header = TakeHeader(bytes);
  if (!header) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: not a .npy file", file_name));
  }
  const auto descr = ValueOf(*header, "descr");
  const auto order = ValueOf(*header, "fortran_order");
  const auto shape_text = ValueOf(*header, "shape");
  const auto shape = shape_text ? ParseShape(*shape_text) : std::nullopt;
  if (!descr || !order || !shape) {
    return Fail(ErrorCode::kInvalidData, fmt::format("{}: the header is broken", file_name));
  }
  if (!order->starts_with("False")) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: not in C order; save numpy.ascontiguousarray(x)", file_name));
  }
  const ElementType* type = FindType(*descr);
  if (type == nullptr) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: elements {} are neither integers nor float32 or float64",
                            file_name, descr->substr(0, 8)));
  }
  const auto count = ElementCount(*shape);
  if (!count || *count > bytes.size() / type->size || *count * type->size != bytes.size()) {
    return Fail(ErrorCode::kInvalidData,
                fmt::format("{}: shape {} does not match the {} bytes of data", file_name,
                            ShapeToString(*shape), bytes.size()));
  }
  return NumpyArray{*shape, type->convert(bytes)};
}

Result<NumpyArray> ReadNumpyFile(const std::filesystem::path& path) {
  KENNING_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
  return ParseNumpy(bytes, path.string());
}

}  // namespace kenning
