# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: TVM's run time and the C++ headers of its function interface. The compiler is
# not among it: it belongs to the toolchain "tvm".
TVM_VERSION=0.27.0.post1
TVM_WHEEL_SHA256=f503fc903b6e16fda5daacac6698ecb8bc38937f57da7aa29f6c7ab169d08657
TVM_FFI_VERSION=0.1.14.post0
TVM_FFI_WHEEL_SHA256=85733ec11d2c9dd258aa134e3fba9c4373a8f45c261f2a3a3df20daed92aa699

recipe tvm tvm "104 MB, of which 7 MB are kept"

have_tvm() {
  [ -f "$dir/tvm-$TVM_VERSION/lib/libtvm_runtime.so" ] &&
    [ -f "$dir/tvm-$TVM_VERSION/include/tvm/ffi/function.h" ]
}

fetch_tvm() {
  wheel apache-tvm "$TVM_VERSION" 3.11 "$TVM_WHEEL_SHA256" "101 MB"
  wheel apache-tvm-ffi "$TVM_FFI_VERSION" 3.11 "$TVM_FFI_WHEEL_SHA256" "3 MB"
  local out="$work/tvm-out"
  mkdir -p "$out/lib"
  cp "$work/apache-tvm/tvm/lib/libtvm_runtime.so" "$out/lib/"
  cp "$work/apache-tvm-ffi/tvm_ffi/lib/libtvm_ffi.so" "$out/lib/"
  chmod 755 "$out/lib/"*.so
  cp -r "$work/apache-tvm-ffi/tvm_ffi/include" "$out/include"
  rm "$out/include/"tvm_ffi_python_*.h
  cp "$work/apache-tvm/tvm/LICENSE" "$out/"
  keep tvm-out "tvm-$TVM_VERSION"
}
