# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipes of scripts/fetch-deps: ONNX Runtime with its headers, and the definition of the ONNX format.
ORT_VERSION=1.31.1
ORT_WHEEL_SHA256=5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f
ORT_HEADERS_PACKAGE=com.github.asus4.onnxruntime@0.4.9
ORT_HEADERS_SHA256=e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d
ORT_HEADERS_FOLDER='package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers'
ONNX_VERSION=1.23.2
ONNX_WHEEL_SHA256=7abf381d278f31ac62487fddedc9dd42da842dce94d5d43536836ee3efdf4a2b

recipe onnxruntime onnx "9 MB"
recipe onnxruntime onnxruntime "174 MB, of which 31 MB are kept"

have_onnx() { [ -f "$dir/onnx-$ONNX_VERSION/onnx/onnx.proto" ]; }

have_onnxruntime() {
  [ -f "$dir/onnxruntime-$ORT_VERSION/include/onnxruntime_cxx_api.h" ] &&
    [ -f "$dir/onnxruntime-$ORT_VERSION/lib/libonnxruntime.so" ]
}

fetch_onnx() {
  wheel onnx "$ONNX_VERSION" 3.12 "$ONNX_WHEEL_SHA256" "9 MB"
  mkdir -p "$work/onnx-out/onnx"
  cp "$work/onnx/onnx/onnx.proto" "$work/onnx-out/onnx/"
  keep onnx-out "onnx-$ONNX_VERSION"
}

fetch_onnxruntime() {
  wheel onnxruntime "$ORT_VERSION" 3.11 "$ORT_WHEEL_SHA256" "24 MB"
  say "downloading the headers of onnxruntime ($ORT_HEADERS_PACKAGE, 150 MB of which 1 MB is kept)"
  npm_pack "$ORT_HEADERS_PACKAGE"
  local archive
  archive=$(find "$work" -maxdepth 1 -name '*.tgz' | head -n 1)
  check_sha256 "$archive" "$ORT_HEADERS_SHA256"
  tar -xzf "$archive" -C "$work" "$ORT_HEADERS_FOLDER"
  local out="$work/ort-out"
  mkdir -p "$out/lib" "$out/include"
  cp "$work/$ORT_HEADERS_FOLDER"/*.h "$out/include/"
  cp "$work/onnxruntime/onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" "$out/lib/"
  cp "$work/onnxruntime/onnxruntime/LICENSE" "$out/"
  chmod 755 "$out/lib/libonnxruntime.so.$ORT_VERSION"
  ln -s "libonnxruntime.so.$ORT_VERSION" "$out/lib/libonnxruntime.so.1"
  ln -s libonnxruntime.so.1 "$out/lib/libonnxruntime.so"
  keep ort-out "onnxruntime-$ORT_VERSION"
}
