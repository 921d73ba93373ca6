# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: OpenVINO's run time for the CPU with the readers of IR, ONNX and
# TensorFlow Lite, and its headers.
OPENVINO_VERSION=2026.4.1
OPENVINO_WHEEL_SHA256=2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf

recipe openvino openvino "59 MB, 94 MB kept"

have_openvino() {
  [ -f "$dir/openvino-$OPENVINO_VERSION/include/openvino/openvino.hpp" ] &&
    [ -f "$dir/openvino-$OPENVINO_VERSION/lib/libopenvino.so" ]
}

fetch_openvino() {
  wheel openvino "$OPENVINO_VERSION" 3.11 "$OPENVINO_WHEEL_SHA256" "59 MB"
  local from="$work/openvino/openvino" out="$work/openvino-out" name
  mkdir -p "$out/lib" "$out/include"
  cp -r "$from/include/openvino" "$out/include/"
  for name in libopenvino libopenvino_intel_cpu_plugin libopenvino_ir_frontend libopenvino_onnx_frontend \
    libopenvino_tensorflow_lite_frontend libtbb libtbbmalloc libtbbbind_2_5 \
    libhwloc; do
    cp "$from/libs/$name".so* "$out/lib/"
  done
  cp -r "$work/openvino/openvino-$OPENVINO_VERSION.dist-info/licenses" "$out/"
  chmod 755 "$out/lib/"*
  ln -s "$(basename "$out"/lib/libopenvino.so.*)" "$out/lib/libopenvino.so"
  keep openvino-out "openvino-$OPENVINO_VERSION"
}
