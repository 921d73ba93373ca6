# SPDX-License-Identifier: Apache-2.0
# Relative to engines/onnxruntime. schema.cc is among the descriptors and not listed here.
set(KENNING_ORT_QUANTIZER_SOURCES "")
set(KENNING_ORT_QUANTIZER_TESTS "")
