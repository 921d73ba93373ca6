# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Recipe of scripts/fetch-deps: TensorFlow Lite's C library, with XNNPACK and external delegates inside.
TFLITE_VERSION=2.21.0
TFLITE_ARTIFACT=org.bytedeco:tensorflow-lite:2.21.0-1.5.14:jar
# As the jars name the processors.
declare -A TFLITE_PLATFORM=([x86_64]=linux-x86_64 [aarch64]=linux-arm64)
declare -A TFLITE_JAR_SHA256=(
  [x86_64]=97061333854967aadf2f092681d63af90b804db3800f007cffd24a2901f4bc72
  [aarch64]=d34e33c49ce6da8f3c982cc6a084ff02f078d9c371dfb18a269aff93e0949d03
)

recipe tflite tflite "8 MB, of which 12 MB unpacked are kept" maven
also_for aarch64 tflite

have_tflite() { [ -f "$dir/tflite-$TFLITE_VERSION/lib/libtensorflowlite_c.so" ]; }

fetch_tflite() {
  local platform=${TFLITE_PLATFORM[$arch]}
  maven_file "$TFLITE_ARTIFACT:$platform" tflite.jar "${TFLITE_JAR_SHA256[$arch]}" "5 MB, and Maven's own parts"
  python3 -m zipfile -e "$work/tflite.jar" "$work/tflite-jar"
  mkdir -p "$work/tflite-out/lib"
  mv "$work/tflite-jar/org/bytedeco/tensorflowlite/$platform/libjnitensorflowlite.so" \
    "$work/tflite-out/lib/libtensorflowlite_c.so"
  chmod 755 "$work/tflite-out/lib/libtensorflowlite_c.so"
  keep tflite-out "tflite-$TFLITE_VERSION"
}
