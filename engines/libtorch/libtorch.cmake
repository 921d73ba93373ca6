# SPDX-License-Identifier: Apache-2.0
# Target kenning_libtorch_sdk: the LibTorch of LIBTORCH_ROOT (a folder with include/ and lib/), else what
# scripts/fetch-deps brought. No target where there is neither.
set(LIBTORCH_ROOT "" CACHE PATH "A LibTorch installation with include/ and lib/")
set(libtorch_root "${KENNING_DEPS_DIR}/libtorch-2.15.0")
if(LIBTORCH_ROOT)
  set(libtorch_root "${LIBTORCH_ROOT}")
endif()
find_path(kenning_libtorch_include torch/script.h NO_CACHE NO_DEFAULT_PATH
  PATHS "${libtorch_root}/include")
find_library(kenning_libtorch_cpu torch_cpu NO_CACHE NO_DEFAULT_PATH PATHS "${libtorch_root}/lib")
find_library(kenning_libtorch_c10 c10 NO_CACHE NO_DEFAULT_PATH PATHS "${libtorch_root}/lib")
if(NOT kenning_libtorch_include OR NOT kenning_libtorch_cpu OR NOT kenning_libtorch_c10)
  message(STATUS "LibTorch: not found; its blocks will be listed as unavailable")
  return()
endif()
message(STATUS "LibTorch: ${kenning_libtorch_cpu}")
add_library(kenning_libtorch_sdk INTERFACE)
target_include_directories(kenning_libtorch_sdk SYSTEM INTERFACE
  "${kenning_libtorch_include}" "${kenning_libtorch_include}/torch/csrc/api/include")
target_link_libraries(kenning_libtorch_sdk INTERFACE
  "${kenning_libtorch_cpu}" "${kenning_libtorch_c10}")
# The folder of LibTorch holds what libtorch_cpu.so needs, too; none of it is found at link time otherwise.
target_link_options(kenning_libtorch_sdk INTERFACE -Wl,--allow-shlib-undefined)
