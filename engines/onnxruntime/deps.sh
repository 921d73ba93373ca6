# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipes of scripts/fetch-deps: ONNX Runtime with its headers, and the definition of the ONNX format.
ORT_VERSION=1.31.1
declare -A ORT_WHEEL_SHA256=(
  [x86_64]=5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f
  [aarch64]=da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3
)
ORT_HEADERS_PACKAGE=com.github.asus4.onnxruntime@0.4.9
ORT_HEADERS_SHA256=e59788788818fdde1b2e522e766a21ba0f7d8391de55737abf81e32cc801785d
ORT_HEADERS_FOLDER='package/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers'
ONNX_VERSION=1.23.2
ONNX_WHEEL_SHA256=7abf381d278f31ac62487fddedc9dd42da842dce94d5d43536836ee3efdf4a2b

recipe onnxruntime onnx "9 MB"
recipe onnxruntime onnxruntime "174 MB, of which 31 MB are kept"
also_for aarch64 onnx
also_for aarch64 onnxruntime

have_onnx() { [ -f "$dir/onnx-$ONNX_VERSION/onnx/onnx.proto" ]; }

have_onnxruntime() {
  [ -f "$dir/onnxruntime-$ORT_VERSION/include/onnxruntime_cxx_api.h" ] &&
    [ -f "$dir/onnxruntime-$ORT_VERSION/lib/libonnxruntime.so" ]
}

# The definition and the headers are the same for every processor: what another one's packages have is taken.
fetch_onnx() {
  mkdir -p "$work/onnx-out/onnx"
  if ! cp "$base/onnx-$ONNX_VERSION/onnx/onnx.proto" "$work/onnx-out/onnx/" 2>/dev/null; then
    wheel onnx "$ONNX_VERSION" 3.12 "$ONNX_WHEEL_SHA256" "9 MB" x86_64
    cp "$work/onnx/onnx/onnx.proto" "$work/onnx-out/onnx/"
  fi
  keep onnx-out "onnx-$ONNX_VERSION"
}

fetch_ort_headers() { # folder
  if cp "$base/onnxruntime-$ORT_VERSION/include"/*.h "$1" 2>/dev/null; then return; fi
  say "downloading the headers of onnxruntime ($ORT_HEADERS_PACKAGE, 150 MB of which 1 MB is kept)"
  npm_pack "$ORT_HEADERS_PACKAGE"
  local archive
  archive=$(find "$work" -maxdepth 1 -name '*.tgz' | head -n 1)
  check_sha256 "$archive" "$ORT_HEADERS_SHA256"
  tar -xzf "$archive" -C "$work" "$ORT_HEADERS_FOLDER"
  cp "$work/$ORT_HEADERS_FOLDER"/*.h "$1"
}

fetch_onnxruntime() {
  wheel onnxruntime "$ORT_VERSION" 3.11 "${ORT_WHEEL_SHA256[$arch]}" "24 MB"
  local out="$work/ort-out"
  mkdir -p "$out/lib" "$out/include"
  fetch_ort_headers "$out/include/"
  cp "$work/onnxruntime/onnxruntime/capi/libonnxruntime.so.$ORT_VERSION" "$out/lib/"
  cp "$work/onnxruntime/onnxruntime/LICENSE" "$out/"
  chmod 755 "$out/lib/libonnxruntime.so.$ORT_VERSION"
  ln -s "libonnxruntime.so.$ORT_VERSION" "$out/lib/libonnxruntime.so.1"
  ln -s libonnxruntime.so.1 "$out/lib/libonnxruntime.so"
  keep ort-out "onnxruntime-$ORT_VERSION"
}
