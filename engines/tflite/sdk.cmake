# SPDX-License-Identifier: Apache-2.0
# Target kenning_tflite_sdk: TensorFlow Lite's C library, of TFLITE_ROOT or of scripts/fetch-deps. No target where
# there is neither.
include_guard(GLOBAL)

set(TFLITE_ROOT "" CACHE PATH "A folder with lib/libtensorflowlite_c.so, version 2.21 or newer")
set(tflite_root "${KENNING_DEPS_DIR}/tflite-2.21.0")
if(TFLITE_ROOT)
  set(tflite_root "${TFLITE_ROOT}")
endif()
find_library(kenning_tflite_library tensorflowlite_c NO_CACHE NO_DEFAULT_PATH PATHS "${tflite_root}/lib")
if(NOT kenning_tflite_library)
  message(STATUS "TensorFlow Lite: not found; its runtime will be listed as unavailable")
  return()
endif()
message(STATUS "TensorFlow Lite: ${kenning_tflite_library}")
# The library says no name of its own (SONAME): it is linked by -l, so that no path of the build stays.
add_library(kenning_tflite_sdk SHARED IMPORTED GLOBAL)
set_target_properties(kenning_tflite_sdk PROPERTIES
  IMPORTED_LOCATION "${kenning_tflite_library}" IMPORTED_NO_SONAME TRUE)
install(FILES "${kenning_tflite_library}" DESTINATION "${CMAKE_INSTALL_LIBDIR}/kenning")
