# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: the runtime of IREE as a C library. Its sources come in the Rust crate
# eerie-sys. They are built once, here, so that no build tree of kenning builds them again.
IREE_VERSION=3.13.0
IREE_CRATE_VERSION=0.5.0
IREE_CRATE_SHA256=fbe04c3979533cb301afce98bbdcc4395e9999d9e0e85c9f12e0d05bc1a3d968

recipe iree iree "9 MB, built in 1 to 3 minutes into 9 MB; needs cargo"

have_iree() {
  [ -f "$dir/iree-$IREE_VERSION/include/iree/runtime/api.h" ] &&
    [ -f "$dir/iree-$IREE_VERSION/lib/libiree_runtime.a" ]
}

# Cargo's registry protocol needs version 1.68. Debian 12 has that as cargo-web; without its compiler,
# which nothing here uses, it is small, so it is taken for this run only.
iree_cargo() {
  local minor
  if command -v cargo >/dev/null; then
    minor=$(cargo --version | sed -n 's/^cargo 1\.\([0-9]*\).*/\1/p')
    if [ "${minor:-0}" -ge 68 ]; then
      env CARGO_HOME="$work/cargo-home" RUSTUP_HOME="${RUSTUP_HOME:-$HOME/.rustup}" cargo "$@"
      return
    fi
  fi
  if [ ! -x "$work/cargo-web/usr/bin/cargo" ]; then
    say "no cargo here: taking Debian's for this run only (9 MB)"
    mkdir -p "$work/cargo-packages"
    (cd "$work/cargo-packages" && apt-get download -q cargo-web libgit2-1.5 libhttp-parser2.9 \
      libmbedtls14 libmbedx509-1 libmbedcrypto7 >&2) ||
      fail "cargo 1.68 or newer is missing; install it, for example: apt-get install cargo"
    local package
    for package in "$work"/cargo-packages/*.deb; do dpkg-deb -x "$package" "$work/cargo-web"; done
  fi
  LD_LIBRARY_PATH="$work/cargo-web/usr/lib/$(uname -m)-linux-gnu" CARGO_HOME="$work/cargo-home" \
    "$work/cargo-web/usr/bin/cargo" "$@"
}

iree_sources() { # -> $work/iree-src
  say "downloading the sources of the IREE runtime (eerie-sys $IREE_CRATE_VERSION, 9 MB)"
  mkdir -p "$work/iree-crate/src"
  : >"$work/iree-crate/src/lib.rs"
  cat >"$work/iree-crate/Cargo.toml" <<END
[package]
name = "sources"
version = "0.0.0"
edition = "2021"
[dependencies]
eerie-sys = { version = "=$IREE_CRATE_VERSION", default-features = false }
END
  (cd "$work/iree-crate" && iree_cargo vendor --quiet "$work/iree-vendor" >/dev/null) ||
    fail "cargo could not download eerie-sys $IREE_CRATE_VERSION; is there a network?"
  local crate
  crate=$(find "$work/cargo-home/registry/cache" -name "eerie-sys-$IREE_CRATE_VERSION.crate" | head -n 1)
  check_sha256 "$crate" "$IREE_CRATE_SHA256"
  mkdir -p "$work/iree-src"
  tar -xzf "$crate" -C "$work/iree-src" --strip-components=2 "eerie-sys-$IREE_CRATE_VERSION/iree"
  # It asks for CMake 3.26 and builds with the 3.25 of Debian 12 as well.
  sed -i 's/^cmake_minimum_required(VERSION 3.26/cmake_minimum_required(VERSION 3.25/' \
    "$work/iree-src/CMakeLists.txt"
}

# The CPU drivers, and of the loaders of a model's code only those that need no file of their own: none
# that opens shared libraries.
iree_build() { # $work/iree-src -> $work/iree-build
  local launcher=()
  if command -v ccache >/dev/null; then
    launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  fi
  say "building the IREE runtime (1 to 3 minutes)"
  {
    cmake -G Ninja -S "$work/iree-src" -B "$work/iree-build" "${launcher[@]}" \
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON \
      -DIREE_BUILD_COMPILER=OFF -DIREE_BUILD_TESTS=OFF -DIREE_BUILD_SAMPLES=OFF \
      -DIREE_BUILD_BENCHMARKS=OFF -DIREE_BUILD_BINDINGS_TFLITE=OFF -DIREE_BUILD_BINDINGS_TFLITE_JAVA=OFF \
      -DIREE_ENABLE_LIBBACKTRACE=OFF -DIREE_ENABLE_WERROR_FLAG=OFF -DIREE_ERROR_ON_MISSING_SUBMODULES=OFF \
      -DIREE_HAL_DRIVER_DEFAULTS=OFF -DIREE_HAL_DRIVER_LOCAL_SYNC=ON -DIREE_HAL_DRIVER_LOCAL_TASK=ON \
      -DIREE_HAL_EXECUTABLE_LOADER_DEFAULTS=OFF -DIREE_HAL_EXECUTABLE_PLUGIN_DEFAULTS=OFF \
      -DIREE_HAL_EXECUTABLE_LOADER_EMBEDDED_ELF=ON -DIREE_HAL_EXECUTABLE_LOADER_VMVX_MODULE=ON &&
      CCACHE_BASEDIR="$work" CCACHE_NOHASHDIR=1 \
        ninja -C "$work/iree-build" iree_runtime_unified flatcc_parsing
  } >"$work/iree-build.log" 2>&1 || {
    tail -n 30 "$work/iree-build.log" >&2
    fail "the IREE runtime could not be built"
  }
}

fetch_iree() {
  need_tool cmake cmake
  need_tool ninja ninja-build
  need_tool cc gcc
  iree_sources
  iree_build
  local out="$work/iree-out"
  mkdir -p "$out/include" "$out/lib"
  (cd "$work/iree-src/runtime/src" &&
    find iree \( -name '*.h' -o -name '*.inc' -o -name '*.inl' \) -not -path '*/tokenizer/*' \
      -not -path '*/tooling/*' -not -path '*/testing/*' -print0 | tar --null -T - -cf -) | tar -xf - -C "$out/include"
  cp "$work/iree-src/LICENSE" "$out/"
  ar -M <<END
create $out/lib/libiree_runtime.a
addlib $work/iree-build/runtime/src/iree/runtime/libiree_runtime_unified.a
addlib $work/iree-build/build_tools/third_party/flatcc/libflatcc_parsing.a
save
end
END
  ranlib "$out/lib/libiree_runtime.a"
  keep iree-out "iree-$IREE_VERSION"
}
