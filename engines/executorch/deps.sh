# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: ExecuTorch's runtime, CPU operators, XNNPACK delegate and headers.
EXECUTORCH_VERSION=1.5.1
EXECUTORCH_WHEEL_SHA256=274c28c2fe2b76acb03f9fa381537425c40e0098dcf886baf6d97a1a55ffe300

recipe executorch executorch "19 MB, of which 16 MB unpacked are kept"

have_executorch() {
  [ -f "$dir/executorch-$EXECUTORCH_VERSION/include/executorch/runtime/executor/program.h" ] &&
    [ -f "$dir/executorch-$EXECUTORCH_VERSION/lib/libexecutorch_backend_xnnpack.so" ]
}

fetch_executorch() {
  wheel executorch "$EXECUTORCH_VERSION" 3.11 "$EXECUTORCH_WHEEL_SHA256" "19 MB"
  local from="$work/executorch" out="$work/executorch-out" name
  mkdir -p "$out/lib"
  cp -r "$from/executorch/include" "$out/"
  for name in executorch executorch_threadpool executorch_kernels_optimized \
    executorch_kernels_quantized executorch_backend_xnnpack; do
    cp "$from/executorch/lib/lib$name.so" "$out/lib/"
  done
  cp -r "$from/executorch-$EXECUTORCH_VERSION.dist-info/licenses" "$out/"
  keep executorch-out "executorch-$EXECUTORCH_VERSION"
}
