# SPDX-License-Identifier: Apache-2.0
# Target kenning_onnx_proto: the ONNX messages, generated from the onnx.proto of the fetched onnx package,
# for protobuf's lite run-time library. Include as "onnx/onnx.pb.h".
include_guard(GLOBAL)

file(GLOB kenning_onnx_proto_file "${KENNING_DEPS_DIR}/onnx-*/onnx/onnx.proto")
if(NOT kenning_onnx_proto_file)
  message(STATUS "onnx.proto: not found; the ONNX engine will be listed as unavailable")
  return()
endif()
# The cache may still hold older versions.
list(SORT kenning_onnx_proto_file COMPARE NATURAL)
list(GET kenning_onnx_proto_file -1 kenning_onnx_proto_file)

set(onnx_proto_dir "${CMAKE_BINARY_DIR}/onnx_proto")
file(READ "${kenning_onnx_proto_file}" onnx_proto_text)
if(NOT onnx_proto_text MATCHES "optimize_for *= *LITE_RUNTIME")
  string(REPLACE "package onnx;" "package onnx;\noption optimize_for = LITE_RUNTIME;" onnx_proto_text
                 "${onnx_proto_text}")
endif()
file(CONFIGURE OUTPUT "${onnx_proto_dir}/onnx/onnx.proto" CONTENT "${onnx_proto_text}" @ONLY)
add_custom_command(
  OUTPUT "${onnx_proto_dir}/onnx/onnx.pb.cc" "${onnx_proto_dir}/onnx/onnx.pb.h"
  COMMAND protobuf::protoc --proto_path "${onnx_proto_dir}" --cpp_out "${onnx_proto_dir}"
          "${onnx_proto_dir}/onnx/onnx.proto"
  DEPENDS "${onnx_proto_dir}/onnx/onnx.proto"
  VERBATIM)
add_library(kenning_onnx_proto STATIC "${onnx_proto_dir}/onnx/onnx.pb.cc"
                                      "${onnx_proto_dir}/onnx/onnx.pb.h")
target_include_directories(kenning_onnx_proto SYSTEM PUBLIC "${onnx_proto_dir}")
target_link_libraries(kenning_onnx_proto PUBLIC protobuf::libprotobuf-lite)
target_compile_options(kenning_onnx_proto PRIVATE -w)
