// SPDX-License-Identifier: Apache-2.0
// The classes that Kenning 0.8.2 publishes, each with why it is not available here. The rows of
// classes that this build does have are passed over.
#include <array>

#include "kenning/registry/registry.h"

namespace kenning {
namespace {

constexpr const char* kAbstract = "it is an abstract base class: name one of its subclasses";
constexpr const char* kAutoMl = "this version has no AutoML";
constexpr const char* kConverter =
    "optimizers convert models: ONNXCompiler, TFLiteCompiler and others";
constexpr const char* kCuda = "this version describes the local machine only: use LocalPlatform";
constexpr const char* kDarknet = "the Darknet importer is not part of this build";
constexpr const char* kDataset =
    "this dataset is not part of this version; \"kenning list datasets\" shows those that are";
constexpr const char* kExecuTorch = "the ExecuTorch engine is not part of this build";
constexpr const char* kFlow = "flows of runners are not part of this version";
constexpr const char* kInternalPart =
    "data conversion is done by the inference loop itself: leave the block out";
constexpr const char* kInserter =
    "this version replaces no models half-way: name the other model in the model wrapper";
constexpr const char* kIree = "the IREE engine is not part of this build";
constexpr const char* kLlm = "this version has no support for language models";
constexpr const char* kLoop = "the inference loop is chosen by the run itself: leave the block out";
constexpr const char* kMicro = "this version has no support for microcontroller toolchains";
constexpr const char* kModel =
    "this model is not part of this version; Classifier runs a classifier of any format";
constexpr const char* kMxnet = "the MXNet engine is not part of this build";
constexpr const char* kNotBuilt = "it is not part of this build";
constexpr const char* kReportPart = "reports are made by \"kenning report\"";
constexpr const char* kRos2 = "this version has no ROS 2 support";
constexpr const char* kSensor = "this version reads no sensors";
constexpr const char* kSklearn = "the scikit-learn engine is not part of this build";
constexpr const char* kTensorFlow = "the TensorFlow engine is not part of this build";
constexpr const char* kTflite = "the TFLite engine is not part of this build";
constexpr const char* kTinygrad = "the tinygrad engine is not part of this build";
constexpr const char* kTorch = "the PyTorch engine is not part of this build";
constexpr const char* kTvm = "the TVM engine is not part of this build";
constexpr const char* kZephyr = "this version has no Zephyr or bare-metal support";

struct Row {
  const char* dotted_path;
  BlockCategory category;
  const char* reason;
};

constexpr auto kRows = std::to_array<Row>({
    {"kenning.core.dataset.Dataset", BlockCategory::kDataset, kAbstract},
    {"kenning.datasets.anomaly_detection_dataset.AnomalyDetectionDataset", BlockCategory::kDataset,
     kDataset},
    {"kenning.datasets.cnn_dailymail.CNNDailymailDataset", BlockCategory::kDataset, kLlm},
    {"kenning.datasets.coco_dataset.COCODataset2017", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.common_voice_dataset.CommonVoiceDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.helpers.detection_and_segmentation.ObjectDetectionSegmentationDataset",
     BlockCategory::kDataset, kAbstract},
    {"kenning.datasets.imagenet_dataset.ImageNetDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.lindenthal_camera_traps_dataset.LindenthalCameraTrapsDataset",
     BlockCategory::kDataset, kDataset},
    {"kenning.datasets.magic_wand_dataset.MagicWandDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.open_images_dataset.OpenImagesDatasetV6", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.pet_dataset.PetDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.random_dataset.RandomizedAnomalyDetectionDataset", BlockCategory::kDataset,
     kDataset},
    {"kenning.datasets.random_dataset.RandomizedClassificationDataset", BlockCategory::kDataset,
     kDataset},
    {"kenning.datasets.random_dataset.RandomizedDetectionSegmentationDataset",
     BlockCategory::kDataset, kDataset},
    {"kenning.datasets.random_dataset.RandomizedImageClassificationDataset",
     BlockCategory::kDataset, kDataset},
    {"kenning.datasets.random_dataset.RandomizedTextDataset", BlockCategory::kDataset, kLlm},
    {"kenning.datasets.tabular_dataset.TabularDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.video_dataset.VideoDataset", BlockCategory::kDataset, kDataset},
    {"kenning.datasets.visual_wake_words_dataset.VisualWakeWordsDataset", BlockCategory::kDataset,
     kDataset},
    {"kenning.core.model.ModelWrapper", BlockCategory::kModelWrapper, kAbstract},
    {"kenning.modelwrappers.anomaly_detection.ai8x_cnn.Ai8xAnomalyDetectionCNN",
     BlockCategory::kModelWrapper, kMicro},
    {"kenning.modelwrappers.anomaly_detection.cnn.PyTorchAnomalyDetectionCNN",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.anomaly_detection.vae.PyTorchAnomalyDetectionVAE",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.classification.pytorch_generic.PyTorchGenericClassification",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.classification.pytorch_generic_ae."
     "PyTorchGenericAutoencoderClassification",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.classification.pytorch_magic_wand.PyTorchMagicWandModelWrapper",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.classification.pytorch_pet_dataset.PyTorchPetDatasetMobileNetV2",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.classification.sklearn_generic_decision_tree."
     "SKLearnGenericDecisionTreeClassifier",
     BlockCategory::kModelWrapper, kSklearn},
    {"kenning.modelwrappers.classification.stub_emlearn.StubEmlearnModel",
     BlockCategory::kModelWrapper, kMicro},
    {"kenning.modelwrappers.classification.tensorflow_imagenet.TensorFlowImageNet",
     BlockCategory::kModelWrapper, kTensorFlow},
    {"kenning.modelwrappers.classification.tensorflow_pet_dataset.TensorFlowPetDatasetMobileNetV2",
     BlockCategory::kModelWrapper, kTensorFlow},
    {"kenning.modelwrappers.classification.tflite_magic_wand.MagicWandModelWrapper",
     BlockCategory::kModelWrapper, kTflite},
    {"kenning.modelwrappers.classification.tflite_person_detection.PersonDetectionModelWrapper",
     BlockCategory::kModelWrapper, kTflite},
    {"kenning.modelwrappers.classification.tinygrad_imagenet.TinygradImageNet",
     BlockCategory::kModelWrapper, kTinygrad},
    {"kenning.modelwrappers.depth_estimation.dinov2ONNX.Dinov2ONNX", BlockCategory::kModelWrapper,
     kModel},
    {"kenning.modelwrappers.frameworks.pytorch.PyTorchWrapper", BlockCategory::kModelWrapper,
     kTorch},
    {"kenning.modelwrappers.frameworks.sklearn.SKLearnModelWrapper", BlockCategory::kModelWrapper,
     kSklearn},
    {"kenning.modelwrappers.frameworks.tensorflow.TensorFlowWrapper", BlockCategory::kModelWrapper,
     kTensorFlow},
    {"kenning.modelwrappers.frameworks.tinygrad.TinygradWrapper", BlockCategory::kModelWrapper,
     kTinygrad},
    {"kenning.modelwrappers.instance_segmentation.pytorch_coco.PyTorchCOCOMaskRCNN",
     BlockCategory::kModelWrapper, kTorch},
    {"kenning.modelwrappers.instance_segmentation.yolact.YOLACT", BlockCategory::kModelWrapper,
     kModel},
    {"kenning.modelwrappers.instance_segmentation.yolact.YOLACTWithPostprocessing",
     BlockCategory::kModelWrapper, kModel},
    {"kenning.modelwrappers.instance_segmentation.yolact.YOLACTWrapper",
     BlockCategory::kModelWrapper, kAbstract},
    {"kenning.modelwrappers.llm.llama.Llama", BlockCategory::kModelWrapper, kLlm},
    {"kenning.modelwrappers.llm.llm.LLM", BlockCategory::kModelWrapper, kAbstract},
    {"kenning.modelwrappers.llm.mistral.MistralInstruct", BlockCategory::kModelWrapper, kLlm},
    {"kenning.modelwrappers.llm.phi_2.PHI2", BlockCategory::kModelWrapper, kLlm},
    {"kenning.modelwrappers.object_detection.darknet_coco.TVMDarknetCOCOYOLOV3",
     BlockCategory::kModelWrapper, kTvm},
    {"kenning.modelwrappers.object_detection.yolo_wrapper.YOLOWrapper",
     BlockCategory::kModelWrapper, kAbstract},
    {"kenning.modelwrappers.object_detection.yolov4.ONNXYOLOV4", BlockCategory::kModelWrapper,
     kModel},
    {"kenning.modelwrappers.pose_estimation.mmpose.MMPoseModelWrapper",
     BlockCategory::kModelWrapper, kModel},
    {"kenning.modelwrappers.pose_estimation.mmpose_onnx.MMPoseDetectionInput",
     BlockCategory::kModelWrapper, kModel},
    {"kenning.modelwrappers.pose_estimation.mmpose_onnx.MMPoseONNX", BlockCategory::kModelWrapper,
     kModel},
    {"kenning.modelwrappers.pose_estimation.mmpose_rtmo_onnx.MMPoseRTMOONNX",
     BlockCategory::kModelWrapper, kModel},
    {"kenning.core.optimizer.Optimizer", BlockCategory::kOptimizer, kAbstract},
    {"kenning.optimizers.ai8x.Ai8xCompiler", BlockCategory::kOptimizer, kMicro},
    {"kenning.optimizers.awq.AWQOptimizer", BlockCategory::kOptimizer, kLlm},
    {"kenning.optimizers.emlearn.EmlearnCompiler", BlockCategory::kOptimizer, kMicro},
    {"kenning.optimizers.executorch.ExecuTorchOptimizer", BlockCategory::kOptimizer, kExecuTorch},
    {"kenning.optimizers.gptq.GPTQOptimizer", BlockCategory::kOptimizer, kLlm},
    {"kenning.optimizers.gptq_sparsegpt.GPTQSparseGPTOptimizer", BlockCategory::kOptimizer, kLlm},
    {"kenning.optimizers.iree.IREECompiler", BlockCategory::kOptimizer, kIree},
    {"kenning.optimizers.model_inserter.ModelInserter", BlockCategory::kOptimizer, kInserter},
    {"kenning.optimizers.nni_pruning.NNIPruningOptimizer", BlockCategory::kOptimizer, kTorch},
    {"kenning.optimizers.onnx.ONNXCompiler", BlockCategory::kOptimizer, kNotBuilt},
    {"kenning.optimizers.tensorflow_clustering.TensorFlowClusteringOptimizer",
     BlockCategory::kOptimizer, kTensorFlow},
    {"kenning.optimizers.tensorflow_optimizers.TensorFlowOptimizer", BlockCategory::kOptimizer,
     kTensorFlow},
    {"kenning.optimizers.tensorflow_pruning.TensorFlowPruningOptimizer", BlockCategory::kOptimizer,
     kTensorFlow},
    {"kenning.optimizers.tflite.TFLiteCompiler", BlockCategory::kOptimizer, kTflite},
    {"kenning.optimizers.tinygrad.TinygradOptimizer", BlockCategory::kOptimizer, kTinygrad},
    {"kenning.optimizers.tvm.TVMCompiler", BlockCategory::kOptimizer, kTvm},
    {"kenning.core.runtime.Runtime", BlockCategory::kRuntime, kAbstract},
    {"kenning.runtimes.ai8x.Ai8xRuntime", BlockCategory::kRuntime, kMicro},
    {"kenning.runtimes.executorch.ExecuTorchRuntime", BlockCategory::kRuntime, kExecuTorch},
    {"kenning.runtimes.iree.IREERuntime", BlockCategory::kRuntime, kIree},
    {"kenning.runtimes.onnx.ONNXRuntime", BlockCategory::kRuntime, kNotBuilt},
    {"kenning.runtimes.pytorch.PyTorchRuntime", BlockCategory::kRuntime, kTorch},
    {"kenning.runtimes.tflite.TFLiteRuntime", BlockCategory::kRuntime, kTflite},
    {"kenning.runtimes.tinygrad.TinygradRuntime", BlockCategory::kRuntime, kTinygrad},
    {"kenning.runtimes.tvm.TVMRuntime", BlockCategory::kRuntime, kTvm},
    {"kenning.runtimes.vllm.VLLMRuntime", BlockCategory::kRuntime, kLlm},
    {"kenning.core.protocol.Protocol", BlockCategory::kProtocol, kAbstract},
    {"kenning.protocols.bytes_based_protocol.BytesBasedProtocol", BlockCategory::kProtocol,
     kAbstract},
    {"kenning.protocols.kenning_protocol.KenningProtocol", BlockCategory::kProtocol, kAbstract},
    {"kenning.protocols.network.NetworkProtocol", BlockCategory::kProtocol, kNotBuilt},
    {"kenning.protocols.ros2.ROS2Protocol", BlockCategory::kProtocol, kRos2},
    {"kenning.protocols.uart.UARTProtocol", BlockCategory::kProtocol, kNotBuilt},
    {"kenning.core.dataprovider.DataProvider", BlockCategory::kDataProvider, kAbstract},
    {"kenning.dataproviders.camera_dataprovider.CameraDataProvider", BlockCategory::kDataProvider,
     kFlow},
    {"kenning.dataproviders.ros2_camera_node_data_provider.ROS2CameraNodeDataProvider",
     BlockCategory::kDataProvider, kRos2},
    {"kenning.dataproviders.ros2_data_provider.ROS2DataProvider", BlockCategory::kDataProvider,
     kRos2},
    {"kenning.dataproviders.ros2_segmentation_data_provider.ROS2SegmentationDataProvider",
     BlockCategory::kDataProvider, kRos2},
    {"kenning.core.outputcollector.OutputCollector", BlockCategory::kOutputCollector, kAbstract},
    {"kenning.outputcollectors.detection_visualizer.DetectionVisualizer",
     BlockCategory::kOutputCollector, kFlow},
    {"kenning.outputcollectors.name_printer.NamePrinter", BlockCategory::kOutputCollector, kFlow},
    {"kenning.outputcollectors.pose_visualizer.PoseVisualizer", BlockCategory::kOutputCollector,
     kFlow},
    {"kenning.outputcollectors.real_time_visualizers.BaseRealTimeVisualizer",
     BlockCategory::kOutputCollector, kAbstract},
    {"kenning.outputcollectors.real_time_visualizers.RealTimeClassificationVisualizer",
     BlockCategory::kOutputCollector, kFlow},
    {"kenning.outputcollectors.real_time_visualizers.RealTimeDetectionVisualizer",
     BlockCategory::kOutputCollector, kFlow},
    {"kenning.outputcollectors.real_time_visualizers.RealTimeSegmentationVisualizer",
     BlockCategory::kOutputCollector, kFlow},
    {"kenning.outputcollectors.ros2_dinov2_outputcollector.ROS2DinoV2OutputCollector",
     BlockCategory::kOutputCollector, kRos2},
    {"kenning.outputcollectors.ros2_pose_outputcollector.ROS2PoseOutputCollector",
     BlockCategory::kOutputCollector, kRos2},
    {"kenning.outputcollectors.ros2_yolact_outputcollector.ROS2YolactOutputCollector",
     BlockCategory::kOutputCollector, kRos2},
    {"kenning.outputcollectors.video_recorder.DepthVideoRecorder", BlockCategory::kOutputCollector,
     kFlow},
    {"kenning.outputcollectors.video_recorder.VideoRecorder", BlockCategory::kOutputCollector,
     kFlow},
    {"kenning.core.runner.Runner", BlockCategory::kRunner, kAbstract},
    {"kenning.runners.modelruntime_runner.ModelRuntimeRunner", BlockCategory::kRunner, kFlow},
    {"kenning.core.dataconverter.DataConverter", BlockCategory::kDataConverter, kAbstract},
    {"kenning.dataconverters.modelwrapper_dataconverter.ModelWrapperDataConverter",
     BlockCategory::kDataConverter, kInternalPart},
    {"kenning.dataconverters.ros2_dataconverter.ROS2DataConverter", BlockCategory::kDataConverter,
     kRos2},
    {"kenning.core.platform.Platform", BlockCategory::kPlatform, kAbstract},
    {"kenning.platforms.bare_metal.BareMetalPlatform", BlockCategory::kPlatform, kZephyr},
    {"kenning.platforms.cuda.CUDAPlatform", BlockCategory::kPlatform, kCuda},
    {"kenning.platforms.local.LocalPlatform", BlockCategory::kPlatform, kNotBuilt},
    {"kenning.platforms.ros2.ROS2Platform", BlockCategory::kPlatform, kRos2},
    {"kenning.platforms.simulatable_platform.SimulatablePlatform", BlockCategory::kPlatform,
     kZephyr},
    {"kenning.platforms.zephyr.ZephyrPlatform", BlockCategory::kPlatform, kZephyr},
    {"kenning.core.onnxconversion.ONNXConversion", BlockCategory::kOnnxConversion, kAbstract},
    {"kenning.onnxconverters.mxnet.MXNetONNXConversion", BlockCategory::kOnnxConversion, kMxnet},
    {"kenning.onnxconverters.pytorch.PyTorchONNXConversion", BlockCategory::kOnnxConversion,
     kTorch},
    {"kenning.onnxconverters.tensorflow.TensorFlowONNXConversion", BlockCategory::kOnnxConversion,
     kTensorFlow},
    {"kenning.core.runtimebuilder.RuntimeBuilder", BlockCategory::kRuntimeBuilder, kAbstract},
    {"kenning.runtimebuilders.zephyr.ZephyrRuntimeBuilder", BlockCategory::kRuntimeBuilder,
     kZephyr},
    {"kenning.automl.auto_pytorch.AutoPyTorchML", BlockCategory::kOther, kAutoMl},
    {"kenning.core.automl.AutoML", BlockCategory::kOther, kAbstract},
    {"kenning.core.inferenceloop.InferenceLoop", BlockCategory::kOther, kLoop},
    {"kenning.core.inferenceloop.RealtimeInferenceLoop", BlockCategory::kOther, kLoop},
    {"kenning.core.inferenceloop.SequentialInferenceLoop", BlockCategory::kOther, kLoop},
    {"kenning.inferenceloops.anomaly_realtime.AnomalyDetectionInferenceLoop", BlockCategory::kOther,
     kLoop},
    {"kenning.inferenceloops.local_sequential.LocalSequentialInferenceLoop", BlockCategory::kOther,
     kLoop},
    {"kenning.inferenceloops.remote_sequential.RemoteSequentialInferenceLoop",
     BlockCategory::kOther, kLoop},
    {"kenning.inferenceloops.sensor_realtime.SensorRealtimeInferenceLoop", BlockCategory::kOther,
     kLoop},
    {"kenning.core.report.Report", BlockCategory::kReport, kAbstract},
    {"kenning.report.markdown_report.MarkdownReport", BlockCategory::kReport, kReportPart},
    {"kenning.report.stub_report.StubReport", BlockCategory::kReport, kReportPart},
    {"kenning.converters.ai8x_converter.Ai8xConverter", BlockCategory::kOther, kMicro},
    {"kenning.converters.darknet_converter.DarknetConverter", BlockCategory::kOther, kDarknet},
    {"kenning.converters.keras_converter.KerasConverter", BlockCategory::kOther, kTensorFlow},
    {"kenning.converters.onnx_converter.OnnxConverter", BlockCategory::kOther, kConverter},
    {"kenning.converters.sklearn_converter.SKLearnConverter", BlockCategory::kOther, kSklearn},
    {"kenning.converters.tflite_converter.TFLiteConverter", BlockCategory::kOther, kTflite},
    {"kenning.converters.torch_converter.TorchConverter", BlockCategory::kOther, kTorch},
    {"kenning.core.converter.ModelConverter", BlockCategory::kOther, kAbstract},
    // Names that Kenning used before 0.8 and its documents still show.
    {"kenning.core.compiler.ModelCompiler", BlockCategory::kOptimizer, kAbstract},
    {"kenning.core.runtimeprotocol.RuntimeProtocol", BlockCategory::kProtocol, kAbstract},
    {"kenning.core.flow.KenningFlow", BlockCategory::kOther, kFlow},
    {"kenning.core.sensor.ADXL345Sensor", BlockCategory::kOther, kSensor},
    {"kenning.core.sensor.LIS2DS12Sensor", BlockCategory::kOther, kSensor},
    {"kenning.core.sensor.Sensor", BlockCategory::kOther, kSensor},
});

}  // namespace

void RegisterKnownClasses(Registry& registry) {
  for (const Row& row : kRows) registry.AddKnown({row.dotted_path, row.category, row.reason});
}

}  // namespace kenning
