// SPDX-License-Identifier: Apache-2.0
// The measured path: from the request's header to the answer nothing is allocated once the buffers
// have seen a request of this size.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "wire/target_server_impl.h"

namespace kenning::wire {
namespace {

// Outputs of several samples up to this size are put together for the answer, larger ones are sent
// from where they are.
constexpr std::size_t kSmallOutputBytes = std::size_t{16} << 10;

}  // namespace

Result<LoadedModel> TargetServer::Impl::Load(const LoadRequest& request) {
  input_there_ = output_there_ = shapes_given_ = false;
  samples_.DropModel();  // a failed load leaves none behind
  KENNING_ASSIGN_OR_RETURN(LoadedModel loaded, backend_.Load(request));
  samples_.SetModel(loaded.spec);
  if (samples_.is_static()) {
    Result<> ready = BindShapes(samples_.spec_shapes());
    if (ready) ready = samples_.Reserve(1);
    if (!ready) samples_.DropModel();
    KENNING_RETURN_IF_ERROR(std::move(ready), "preparing the model's tensors");
  }
  return loaded;
}

Result<> TargetServer::Impl::BindShapes(std::vector<Shape> shapes) {
  input_there_ = output_there_ = false;
  const std::vector<TensorSpec>& outputs = samples_.spec_outputs();
  const bool known = samples_.is_static() && std::ranges::all_of(outputs, [](const TensorSpec& s) {
                       return ElementCount(s.shape).has_value();
                     });
  if (known) return samples_.Bind(std::move(shapes), outputs);
  KENNING_ASSIGN_OR_RETURN(const std::vector<TensorSpec> resolved, backend_.Resolve(shapes));
  return samples_.Bind(std::move(shapes), resolved);
}

Result<> TargetServer::Impl::BindFor(std::uint64_t sample_bytes) {
  if (samples_.bound() && samples_.input_bytes() == sample_bytes) return {};
  if (shapes_given_ && samples_.bound()) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("an input of {} bytes; the shapes that were set make {}", sample_bytes,
                            samples_.input_bytes()));
  }
  KENNING_ASSIGN_OR_RETURN(std::vector<Shape> shapes, samples_.ShapesOf(sample_bytes));
  return BindShapes(std::move(shapes));
}

// The size of a sample follows from the request; everything is checked before the body is read.
Result<> TargetServer::Impl::PrepareInfer(const NativeRequest& request) {
  if (!samples_.has_model()) {
    return Fail(ErrorCode::kFailedPrecondition, "load a model first");
  }
  const std::uint64_t count = request.prefix.sample_count;
  if (count == 0 || request.body_size() % count != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} samples in {} bytes", count, request.body_size()));
  }
  KENNING_RETURN_IF_ERROR(BindFor(request.body_size() / count));
  return samples_.Reserve(count);
}

Result<> TargetServer::Impl::ServeInfer(const NativeRequest& request) {
  input_there_ = output_there_ = false;
  if (const Result<> ready = PrepareInfer(request); !ready) {
    return RefuseNative(request, StatusOf(ready.error().code()), ready.error().ToString());
  }
  const Deadline deadline = MessageDeadline(request.body_size());
  pieces_.clear();
  for (std::size_t i = 0; i < request.prefix.sample_count; ++i) {
    for (const MutableTensorView& input : samples_.inputs(i)) {
      KENNING_RETURN_IF_ERROR(ReadBody({input.data, input.size_bytes}, deadline));
      pieces_.emplace_back(input.data, input.size_bytes);
    }
  }
  const std::int64_t received_ns = MonotonicNowNs();
  if (NativeCrc(request.header, request.prefix, pieces_) != request.prefix.crc32c) {
    KENNING_RETURN_IF_ERROR(CountProtocolError());
    return FailNative(request, StatusCode::kInvalidData, "the CRC32C of the request is wrong");
  }
  MarkBusy(request.header, request.prefix.request_id, request.deadline_ns);
  times_.resize(request.prefix.sample_count * kInferTimesBytes);
  for (std::size_t i = 0; i < request.prefix.sample_count; ++i) {
    EncodeInferTimes({.received_ns = received_ns},
                     std::span<std::byte, kInferTimesBytes>(times_.data() + i * kInferTimesBytes,
                                                            kInferTimesBytes));
  }
  if (const Result<> ran = InvokeAll(request); !ran) return FailNative(request, ran.error());
  return AnswerInfer(request);
}

Result<> TargetServer::Impl::InvokeAll(const NativeRequest& request) {
  for (std::size_t i = 0; i < request.prefix.sample_count; ++i) {
    if (request.deadline_ns != 0 && MonotonicNowNs() > request.deadline_ns) {
      return Fail(ErrorCode::kDeadlineExceeded,
                  fmt::format("the time of the request was over before sample {} of {}", i + 1,
                              request.prefix.sample_count));
    }
    const std::span<std::byte, kInferTimesBytes> at(times_.data() + i * kInferTimesBytes,
                                                    kInferTimesBytes);
    InferTimes times = DecodeInferTimes(at);
    KENNING_RETURN_IF_ERROR(backend_.Invoke(samples_.input_views(i), samples_.outputs(i), times));
    EncodeInferTimes(times, at);
  }
  return {};
}

Result<> TargetServer::Impl::AnswerInfer(const NativeRequest& request) {
  const std::size_t count = request.prefix.sample_count;
  pieces_.clear();
  pieces_.emplace_back(times_);
  if (count > 1 && samples_.output_bytes() <= kSmallOutputBytes) {
    small_outputs_.resize(count * static_cast<std::size_t>(samples_.output_bytes()));
    std::byte* to = small_outputs_.data();
    for (std::size_t i = 0; i < count; ++i) {
      for (const MutableTensorView& output : samples_.outputs(i)) {
        to = std::copy_n(output.data, output.size_bytes, to);
      }
    }
    pieces_.emplace_back(small_outputs_);
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      for (const MutableTensorView& output : samples_.outputs(i)) {
        pieces_.emplace_back(output.data, output.size_bytes);
      }
    }
  }
  const std::int64_t sent_ns = MonotonicNowNs();
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<std::byte, kInferTimesBytes> at(times_.data() + i * kInferTimesBytes,
                                                    kInferTimesBytes);
    InferTimes times = DecodeInferTimes(at);
    times.sent_ns = sent_ns;
    EncodeInferTimes(times, at);
  }
  return AnswerNative(request, pieces_);
}

}  // namespace kenning::wire
