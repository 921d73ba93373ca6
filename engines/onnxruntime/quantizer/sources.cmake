# SPDX-License-Identifier: Apache-2.0
# Relative to engines/onnxruntime. schema.cc is among the descriptors and not listed here.
set(KENNING_ORT_QUANTIZER_SOURCES
  quantizer/activation_range.cc
  quantizer/calibration_run.cc
  quantizer/equalize.cc
  quantizer/histogram.cc
  quantizer/onnx_quantizer.cc
  quantizer/qdq_writer.cc
  quantizer/selection.cc
  quantizer/settings.cc
  quantizer/weights.cc)
set(KENNING_ORT_QUANTIZER_TESTS
  quantizer/histogram_test.cc
  quantizer/onnx_quantizer_test.cc
  quantizer/weights_test.cc)
