# SPDX-License-Identifier: Apache-2.0
# Target kenning_onnxruntime_sdk: an installation of the user's own first, else what scripts/fetch-deps
# brought. No target where there is neither.
include_guard(GLOBAL)

set(ONNXRUNTIME_ROOT "" CACHE PATH "An ONNX Runtime installation with include/ and lib/")
find_package(onnxruntime CONFIG QUIET)
if(TARGET onnxruntime::onnxruntime)
  add_library(kenning_onnxruntime_sdk INTERFACE)
  target_link_libraries(kenning_onnxruntime_sdk INTERFACE onnxruntime::onnxruntime)
  # It is not installed with kenning: the installed module finds it where it is.
  set(kenning_ort_stays_outside ON)
  message(STATUS "ONNX Runtime: found by CMake (${onnxruntime_DIR})")
  return()
endif()

set(ort_root "${KENNING_DEPS_DIR}/onnxruntime-1.31.1")
if(ONNXRUNTIME_ROOT)
  set(ort_root "${ONNXRUNTIME_ROOT}")
endif()
find_path(kenning_ort_include onnxruntime_cxx_api.h NO_CACHE NO_DEFAULT_PATH
  PATHS "${ort_root}/include" "${ort_root}/include/onnxruntime")
find_library(kenning_ort_library onnxruntime NO_CACHE NO_DEFAULT_PATH PATHS "${ort_root}/lib")
if(NOT kenning_ort_include OR NOT kenning_ort_library)
  message(STATUS "ONNX Runtime: not found; its blocks will be listed as unavailable")
  return()
endif()
message(STATUS "ONNX Runtime: ${kenning_ort_library}")
add_library(kenning_onnxruntime_sdk INTERFACE)
target_include_directories(kenning_onnxruntime_sdk SYSTEM INTERFACE "${kenning_ort_include}")
target_link_libraries(kenning_onnxruntime_sdk INTERFACE "${kenning_ort_library}")
file(GLOB kenning_ort_files "${ort_root}/lib/libonnxruntime.so.1*")
install(FILES ${kenning_ort_files} DESTINATION "${CMAKE_INSTALL_LIBDIR}/kenning")
