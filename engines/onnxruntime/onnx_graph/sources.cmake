# SPDX-License-Identifier: Apache-2.0
# Relative to engines/onnxruntime.
set(KENNING_ONNX_GRAPH_SOURCES
  onnx_graph/external_data.cc
  onnx_graph/graph.cc
  onnx_graph/inspect.cc
  onnx_graph/onnx_reader.cc
  onnx_graph/opset.cc
  onnx_graph/passes.cc
  onnx_graph/tensors.cc
  onnx_graph/validate.cc)
set(KENNING_ONNX_GRAPH_TESTS
  onnx_graph/onnx_reader_test.cc)
