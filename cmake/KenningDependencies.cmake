# SPDX-License-Identifier: Apache-2.0
# Finds what the distribution provides, and what scripts/fetch-deps brings from package registries.
include_guard(GLOBAL)

if(KENNING_PORTABLE)
  # From their headers alone: distributions do not agree on versions of the two.
  find_path(KENNING_FMT_INCLUDE fmt/format-inl.h REQUIRED)
  add_library(fmt::fmt INTERFACE IMPORTED)
  set_target_properties(fmt::fmt PROPERTIES INTERFACE_COMPILE_DEFINITIONS FMT_HEADER_ONLY=1
                                            INTERFACE_INCLUDE_DIRECTORIES "${KENNING_FMT_INCLUDE}")
  find_path(KENNING_SPDLOG_INCLUDE spdlog/spdlog.h REQUIRED)
  add_library(spdlog::spdlog INTERFACE IMPORTED)
  set_target_properties(spdlog::spdlog PROPERTIES INTERFACE_COMPILE_DEFINITIONS SPDLOG_FMT_EXTERNAL
                                                  INTERFACE_INCLUDE_DIRECTORIES "${KENNING_SPDLOG_INCLUDE}"
                                                  INTERFACE_LINK_LIBRARIES fmt::fmt)
  set(Protobuf_USE_STATIC_LIBS ON)
else()
  find_package(fmt REQUIRED)
  find_package(spdlog REQUIRED)
endif()
find_package(nlohmann_json REQUIRED)
find_package(tl-expected REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_package(Protobuf REQUIRED)
if(NOT KENNING_AGENT_ONLY)
  find_package(yaml-cpp REQUIRED)
  find_package(ZLIB REQUIRED)
  find_package(PNG REQUIRED)
  find_package(JPEG REQUIRED)
  find_package(CURL REQUIRED)
  find_package(LibArchive REQUIRED)
  if(NOT TARGET yaml-cpp::yaml-cpp)
    # Older packages export the target without a namespace.
    add_library(yaml-cpp::yaml-cpp INTERFACE IMPORTED)
    target_link_libraries(yaml-cpp::yaml-cpp INTERFACE yaml-cpp)
  endif()
endif()
# Serial lines: without libserialport UARTProtocol is listed as unavailable.
if(KENNING_UART AND KENNING_PORTABLE)
  find_path(KENNING_SERIALPORT_INCLUDE libserialport.h REQUIRED)
  find_library(KENNING_SERIALPORT_LIBRARY NAMES libserialport.a serialport REQUIRED)
  add_library(kenning_libserialport UNKNOWN IMPORTED)
  set_target_properties(kenning_libserialport PROPERTIES
    IMPORTED_LOCATION "${KENNING_SERIALPORT_LIBRARY}"
    INTERFACE_INCLUDE_DIRECTORIES "${KENNING_SERIALPORT_INCLUDE}")
elseif(KENNING_UART)
  find_package(PkgConfig REQUIRED)
  pkg_check_modules(kenning_serialport REQUIRED IMPORTED_TARGET libserialport)
  add_library(kenning_libserialport ALIAS PkgConfig::kenning_serialport)
endif()
if(KENNING_TESTS)
  find_package(GTest REQUIRED)
endif()
if(KENNING_BENCHMARKS AND NOT KENNING_AGENT_ONLY)
  find_package(benchmark)
endif()

# Packages of scripts/fetch-deps: fetched at configure time where they are missing.
if(NOT KENNING_DEPS_DIR)
  if(DEFINED ENV{KENNING_DEPS_DIR})
    set(KENNING_DEPS_DIR "$ENV{KENNING_DEPS_DIR}")
  elseif(DEFINED ENV{XDG_CACHE_HOME})
    set(KENNING_DEPS_DIR "$ENV{XDG_CACHE_HOME}/kenning/deps")
  else()
    set(KENNING_DEPS_DIR "$ENV{HOME}/.cache/kenning/deps")
  endif()
endif()

# What is there already is built in any case; engines without their packages are listed as unavailable.
set(KENNING_FETCH_ENGINES "onnxruntime" CACHE STRING
    "Engines whose packages are fetched where they are missing, or all, or empty")
execute_process(
  COMMAND "${PROJECT_SOURCE_DIR}/scripts/fetch-deps" --dir "${KENNING_DEPS_DIR}"
          --arch "${CMAKE_SYSTEM_PROCESSOR}" ${KENNING_FETCH_ENGINES}
  RESULT_VARIABLE kenning_fetch_result)
if(NOT kenning_fetch_result EQUAL 0)
  message(WARNING "scripts/fetch-deps failed (${kenning_fetch_result}): engines whose packages are "
                  "missing will be listed as unavailable.")
endif()
set(kenning_deps_base "${KENNING_DEPS_DIR}")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "aarch64")
  set(KENNING_DEPS_DIR "${KENNING_DEPS_DIR}/aarch64")
endif()
if(CMAKE_CROSSCOMPILING)
  list(APPEND CMAKE_FIND_ROOT_PATH "${KENNING_DEPS_DIR}")
endif()
include(OnnxRuntime)
include(OnnxProto)
