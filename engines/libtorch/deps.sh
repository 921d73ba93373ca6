# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: LibTorch for the CPU, out of the packages that bring PyTorch to Python.
TORCH_VERSION=2.15.0
TORCH_WHEEL_SHA256=48c2d861134c0b5697c7602cb5ffa68f62a2989fdcd1717e593356f67996ca1e
# Two small libraries that libtorch_cpu.so is linked with; no GPU is needed.
TORCH_CUPTI_VERSION=13.2.86
TORCH_CUPTI_SHA256=8fa29f15dd8336181f961764d9d95236fc6b931dd0c8fcf8cd70aab0c310b586
TORCH_CUDART_VERSION=13.2.86
TORCH_CUDART_SHA256=3498247680dfddce31bad102af7e3e26fc795342a3cac64722bb0fa95e7f60f0

recipe libtorch libtorch "554 MB, of which 500 MB are kept"

have_libtorch() {
  [ -f "$dir/libtorch-$TORCH_VERSION/include/torch/script.h" ] &&
    [ -f "$dir/libtorch-$TORCH_VERSION/lib/libtorch_cpu.so" ]
}

fetch_libtorch() {
  wheel torch "$TORCH_VERSION" 3.11 "$TORCH_WHEEL_SHA256" "539 MB"
  wheel nvidia-cuda-cupti "$TORCH_CUPTI_VERSION" 3.11 "$TORCH_CUPTI_SHA256" "12 MB"
  wheel nvidia-cuda-runtime "$TORCH_CUDART_VERSION" 3.11 "$TORCH_CUDART_SHA256" "2 MB"
  local out="$work/libtorch-out" from="$work/torch/torch"
  mkdir -p "$out/lib" "$out/include"
  cp -r "$from"/include/{ATen,c10,caffe2,torch} "$out/include/"
  # The rest of include/ are headers of other libraries, which must not hide the system's.
  mv "$from"/lib/{libtorch_cpu.so,libc10.so,libgomp.so.1} "$out/lib/"
  mv "$work/nvidia-cuda-cupti/nvidia/cu13/lib/libcupti.so.13" "$out/lib/"
  mv "$work/nvidia-cuda-runtime/nvidia/cu13/lib/libcudart.so.13" "$out/lib/"
  find "$work/torch/torch-$TORCH_VERSION.dist-info" -name 'LICENSE*' -exec cp {} "$out/" \;
  chmod 755 "$out"/lib/*
  rm -rf "$work/torch" "$work/wheels-torch"
  keep libtorch-out "libtorch-$TORCH_VERSION"
}
