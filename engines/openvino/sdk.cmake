# SPDX-License-Identifier: Apache-2.0
# Target kenning_openvino_sdk: an installation of the user's own first (OpenVINO_DIR), else what
# scripts/fetch-deps brought. No target where there is neither.
find_package(OpenVINO CONFIG QUIET COMPONENTS Runtime)
if(TARGET openvino::runtime)
  add_library(kenning_openvino_sdk INTERFACE)
  target_link_libraries(kenning_openvino_sdk INTERFACE openvino::runtime)
  # It is not installed with kenning: the installed module finds it where it is.
  set(kenning_openvino_stays_outside ON)
  message(STATUS "OpenVINO: found by CMake (${OpenVINO_DIR})")
  return()
endif()

set(openvino_root "${KENNING_DEPS_DIR}/openvino-2026.4.1")
find_path(kenning_openvino_include openvino/openvino.hpp NO_CACHE NO_DEFAULT_PATH PATHS "${openvino_root}/include")
find_library(kenning_openvino_library openvino NO_CACHE NO_DEFAULT_PATH PATHS "${openvino_root}/lib")
if(NOT kenning_openvino_include OR NOT kenning_openvino_library)
  message(STATUS "OpenVINO: not found; its blocks will be listed as unavailable (scripts/fetch-deps openvino)")
  return()
endif()
message(STATUS "OpenVINO: ${kenning_openvino_library}")
add_library(kenning_openvino_sdk INTERFACE)
target_include_directories(kenning_openvino_sdk SYSTEM INTERFACE "${kenning_openvino_include}")
target_link_libraries(kenning_openvino_sdk INTERFACE "${kenning_openvino_library}")
file(GLOB kenning_openvino_files "${openvino_root}/lib/*.so" "${openvino_root}/lib/*.so.*")
list(FILTER kenning_openvino_files EXCLUDE REGEX "/libopenvino\\.so$")
install(FILES ${kenning_openvino_files} DESTINATION "${CMAKE_INSTALL_LIBDIR}/kenning")
