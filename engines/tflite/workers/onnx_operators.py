# SPDX-License-Identifier: Apache-2.0
"""What each ONNX operator is in TensorFlow. Used by onnx_to_tf."""

import re

import kenning_worker as worker
import numpy as np


def plain_name(name):
    return re.sub(r"[^A-Za-z0-9_.]", "_", name).lstrip("_.") or "tensor"


class Value:
    """A tensor, or a constant as a NumPy array. `last`: memory has channels last, the shape's meaning has them
    second. `positive`: no element is below zero."""

    def __init__(self, data, last=False, positive=False):
        self.data = data
        self.last = last
        self.positive = positive

    @property
    def constant(self):
        return isinstance(self.data, np.ndarray) or np.isscalar(self.data)

    @property
    def rank(self):
        return len(self.data.shape)

    def shape(self):
        """As ONNX sees it; None where open."""
        dims = list(self.data.shape)
        return [dims[0], dims[-1], *dims[1:-1]] if self.last else dims

    def axis(self, axis):
        """Where a dimension of ONNX is in memory."""
        axis = axis + self.rank if axis < 0 else axis
        if not self.last or axis == 0:
            return axis
        return self.rank - 1 if axis == 1 else axis - 1

    def first(self, tf):
        if not self.last:
            return self.data
        return tf.transpose(self.data, [0, self.rank - 1, *range(1, self.rank - 1)])

    def channels_last(self, tf):
        if self.last:
            return self.data
        order = [0, *range(2, self.rank), 1]
        return np.transpose(self.data, order) if self.constant else tf.transpose(self.data, order)


class Context:
    def __init__(self, tf, opset, notes):
        self.tf = tf
        self.opset = opset
        self.notes = notes


def unsupported(text):
    return worker.WorkerError("unsupported", text)


def attributes(node):
    import onnx

    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def text(value):
    return value.decode() if isinstance(value, bytes) else value


def numbers(value, what):
    """A constant list of integers."""
    if value is None:
        return None
    if not value.constant:
        raise unsupported(f"{what} is computed by the model; only constants can be converted")
    return [int(item) for item in np.ravel(value.data)]


# Convolutions and pools.


def _pads(attrs, spatial, kernel, strides, dilations):
    """Pairs of padding, one a spatial dimension."""
    mode = text(attrs.get("auto_pad", b"NOTSET"))
    count = len(kernel)
    if mode in ("NOTSET", ""):
        pads = list(attrs.get("pads", [0] * 2 * count))
        pairs = [(pads[i], pads[i + count]) for i in range(count)]
    elif mode == "VALID":
        pairs = [(0, 0)] * count
    else:
        pairs = []
        for i in range(count):
            wide = (kernel[i] - 1) * dilations[i] + 1
            total = max((-(-spatial[i] // strides[i]) - 1) * strides[i] + wide - spatial[i], 0)
            small = total // 2
            pairs.append((small, total - small) if mode == "SAME_UPPER" else (total - small, small))
    if attrs.get("ceil_mode", 0):
        for i in range(count):
            wide = (kernel[i] - 1) * dilations[i] + 1
            over = (spatial[i] + sum(pairs[i]) - wide) % strides[i]
            if over:
                pairs[i] = (pairs[i][0], pairs[i][1] + strides[i] - over)
    return pairs


def _is_same(pairs, spatial, kernel, strides, dilations):
    """Whether TensorFlow's own SAME pads in just this way."""
    for i, pair in enumerate(pairs):
        wide = (kernel[i] - 1) * dilations[i] + 1
        total = max((-(-spatial[i] // strides[i]) - 1) * strides[i] + wide - spatial[i], 0)
        if pair != (total // 2, total - total // 2):
            return False
    return True


def _window(context, attrs, value, kernel):
    tf = context.tf
    if len(kernel) not in (1, 2):
        raise unsupported(f"{len(kernel)} spatial dimensions")
    strides = list(attrs.get("strides", [1] * len(kernel)))
    dilations = list(attrs.get("dilations", [1] * len(kernel)))
    data = value.channels_last(tf)
    if len(kernel) == 1:  # As an image of height 1.
        data = tf.expand_dims(data, 1)
        kernel, strides, dilations = [1, *kernel], [1, *strides], [1, *dilations]
        spatial = [1, value.shape()[2]]
        pairs = [(0, 0), *_pads(attrs, spatial[1:], kernel[1:], strides[1:], dilations[1:])]
    else:
        spatial = value.shape()[2:]
        pairs = _pads(attrs, spatial, kernel, strides, dilations)
    return data, spatial, kernel, strides, dilations, pairs


def _padded(tf, data, pairs, fill=0.0):
    if all(pair == (0, 0) for pair in pairs):
        return data
    return tf.pad(data, [(0, 0), *pairs, (0, 0)], constant_values=fill)


def conv(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value, weights = inputs[0], inputs[1]
    if not weights.constant:
        raise unsupported("a convolution whose weights are computed by the model")
    one_dimensional = weights.rank == 3
    data, spatial, kernel, strides, dilations, pairs = _window(context, attrs, value, list(weights.data.shape[2:]))
    array = weights.data[:, :, None, :] if one_dimensional else weights.data
    groups = attrs.get("group", 1)
    channels = value.shape()[1]
    padding = "VALID"
    if _is_same(pairs, spatial, kernel, strides, dilations):
        padding = "SAME"
    else:
        data = _padded(tf, data, pairs)
    # TensorFlow's depthwise form has one stride for both dimensions.
    if groups == channels and groups > 1 and strides[0] == strides[1]:
        multiplier = array.shape[0] // groups
        filters = array.reshape(groups, multiplier, *kernel).transpose(2, 3, 0, 1)
        result = tf.nn.depthwise_conv2d(data, filters, [1, *strides, 1], padding, dilations=dilations)
    else:
        result = tf.nn.conv2d(data, array.transpose(2, 3, 1, 0), strides, padding, dilations=dilations)
    if len(inputs) > 2 and inputs[2] is not None:
        result = tf.nn.bias_add(result, inputs[2].data)
    return [Value(tf.squeeze(result, 1) if one_dimensional else result, last=True)]


def conv_transpose(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value, weights = inputs[0], inputs[1]
    if not weights.constant or weights.rank != 4 or attrs.get("group", 1) != 1:
        raise unsupported("a transposed convolution with groups, other than two dimensions, or computed weights")
    kernel = list(weights.data.shape[2:])
    strides = list(attrs.get("strides", [1, 1]))
    if list(attrs.get("dilations", [1, 1])) != [1, 1] or text(attrs.get("auto_pad", b"NOTSET")) != "NOTSET":
        raise unsupported("a transposed convolution with dilations or auto_pad")
    extra = list(attrs.get("output_padding", [0, 0]))
    pads = list(attrs.get("pads", [0, 0, 0, 0]))
    data = value.channels_last(tf)
    spatial = value.shape()[2:]
    full = [(spatial[i] - 1) * strides[i] + kernel[i] for i in range(2)]
    sizes = [full[i] + extra[i] - pads[i] - pads[i + 2] for i in range(2)]
    shape = [data.shape[0] or tf.shape(data)[0], *full, weights.data.shape[1]]
    result = tf.nn.conv2d_transpose(data, weights.data.transpose(2, 3, 1, 0), shape, strides, "VALID")
    if any(extra):
        result = tf.pad(result, [(0, 0), (0, extra[0]), (0, extra[1]), (0, 0)])
    if any(pads) or any(extra):
        result = result[:, pads[0] : pads[0] + sizes[0], pads[1] : pads[1] + sizes[1], :]
    if len(inputs) > 2 and inputs[2] is not None:
        result = tf.nn.bias_add(result, inputs[2].data)
    return [Value(result, last=True)]


def pool(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value = inputs[0]
    kernel = list(attrs["kernel_shape"])
    one_dimensional = len(kernel) == 1
    data, spatial, kernel, strides, dilations, pairs = _window(context, attrs, value, kernel)
    if dilations != [1, 1]:
        raise unsupported("a pool with dilations")
    same = _is_same(pairs, spatial, kernel, strides, dilations)
    padding = "SAME" if same else "VALID"
    if node.op_type == "MaxPool":
        if not same:
            lowest = 0.0 if value.positive else float(np.finfo(np.float32).min)
            if lowest and any(pair != (0, 0) for pair in pairs):
                context.notes.append(f"{node.name or 'MaxPool'}: padded with the lowest number; costs int8 accuracy")
            data = _padded(tf, data, pairs, lowest)
        result = tf.nn.max_pool2d(data, kernel, strides, padding)
    else:
        counted = attrs.get("count_include_pad", 0) == 1
        if same and not (counted and any(pair != (0, 0) for pair in pairs)):
            result = tf.nn.avg_pool2d(data, kernel, strides, padding)
        else:
            result = tf.nn.avg_pool2d(_padded(tf, data, pairs), kernel, strides, "VALID")
            if not counted and any(pair != (0, 0) for pair in pairs):
                result = result * _share_of_window(spatial, kernel, strides, pairs)
    return [Value(tf.squeeze(result, 1) if one_dimensional else result, last=True, positive=value.positive)]


def _share_of_window(spatial, kernel, strides, pairs):
    """What an average over padding too must be multiplied with."""
    factors = []
    for i in range(2):
        inside = np.pad(np.ones(spatial[i]), pairs[i])
        count = (len(inside) - kernel[i]) // strides[i] + 1
        factors.append([kernel[i] / inside[k * strides[i] : k * strides[i] + kernel[i]].sum() for k in range(count)])
    return np.outer(*factors).astype(np.float32)[None, :, :, None]


def global_pool(context, node, inputs):
    value = inputs[0]
    reduce = context.tf.reduce_max if node.op_type == "GlobalMaxPool" else context.tf.reduce_mean
    axes = [value.axis(axis) for axis in range(2, value.rank)]
    return [Value(reduce(value.data, axes, keepdims=True), value.last, value.positive)]


# Element by element.


def batch_normalization(context, node, inputs):
    value = inputs[0]
    scale, bias, mean, variance = (item.data for item in inputs[1:5])
    factor = scale / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
    shape = [1] * value.rank
    shape[value.axis(1)] = -1
    offset = (bias - mean * factor).astype(np.float32).reshape(shape)
    return [Value(value.data * factor.astype(np.float32).reshape(shape) + offset, value.last)]


def _aligned(tf, values):
    """The operands' data in one order of memory, and whether that has channels last."""
    if not any(value.last for value in values):
        return [value.data for value in values], False
    rank = max(value.rank for value in values)
    aligned = []
    for value in values:
        if value.rank == rank and value.last:
            aligned.append(value.data)
            continue
        if value.last or (value.rank > 1 and value.rank < rank and not value.constant):
            value = Value(value.first(tf))
        if value.rank == 0 or (value.constant and value.data.size == 1):
            aligned.append(value.data.reshape(()) if value.constant else value.data)
            continue
        shape = [1] * (rank - value.rank) + [dim if dim is not None else -1 for dim in value.data.shape]
        wide = value.data.reshape(shape) if value.constant else tf.reshape(value.data, shape)
        aligned.append(Value(wide).channels_last(tf))
    return aligned, True


def elementwise(function, keeps_positive=False):
    def run(context, node, inputs):
        data, last = _aligned(context.tf, inputs)
        positive = keeps_positive and all(
            value.positive or (value.constant and bool(np.all(value.data >= 0))) for value in inputs
        )
        return [Value(function(context.tf, *data), last, positive)]

    return run


def variadic(name):
    def function(tf, *data):
        result = data[0]
        for item in data[1:]:
            result = getattr(tf, name)(result, item)
        return result

    return function


def unary(function, positive=None):
    """`positive`: True, False, or None for "as the input"."""

    def run(context, node, inputs):
        value = inputs[0]
        result = function(context.tf, value.data, attributes(node))
        return [Value(result, value.last, value.positive if positive is None else positive)]

    return run


def clip(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value = inputs[0]
    limits = [attrs.get("min"), attrs.get("max")]
    for i in (1, 2):
        if len(inputs) > i and inputs[i] is not None:
            limits[i - 1] = float(np.ravel(inputs[i].data)[0])
    low, high = limits
    data = value.data
    if low == 0 and high == 6:
        data = tf.nn.relu6(data)
    elif low == 0 and high is None:
        data = tf.nn.relu(data)
    else:
        data = data if low is None else tf.maximum(data, np.float32(low))
        data = data if high is None else tf.minimum(data, np.float32(high))
    return [Value(data, value.last, low is not None and low >= 0)]


def prelu(context, node, inputs):
    value, slope = inputs
    # Old models give one slope a channel as a plain list.
    if slope.constant and slope.rank == 1 and slope.data.size > 1 and value.rank > 1:
        slope = Value(slope.data.reshape([-1] + [1] * (value.rank - 2)))
    (data, slope), last = _aligned(context.tf, [value, slope])
    tf = context.tf
    return [Value(tf.nn.relu(data) - slope * tf.nn.relu(-data), last)]


def softmax(context, node, inputs):
    tf = context.tf
    value = inputs[0]
    axis = attributes(node).get("axis", 1 if context.opset < 13 else -1)
    function = tf.nn.log_softmax if node.op_type == "LogSoftmax" else tf.nn.softmax
    if context.opset < 13 and axis not in (-1, value.rank - 1):
        data = value.first(tf)
        shape = [dim if dim is not None else -1 for dim in data.shape]
        axis = axis + value.rank if axis < 0 else axis
        flat = tf.reshape(data, [-1, int(np.prod(shape[axis:]))])
        return [Value(tf.reshape(function(flat), shape))]
    return [Value(function(value.data, axis=value.axis(axis)), value.last, node.op_type == "Softmax")]


def cast(context, node, inputs):
    import onnx

    dtype = onnx.helper.tensor_dtype_to_np_dtype(attributes(node)["to"])
    value = inputs[0]
    data = value.data.astype(dtype) if value.constant else context.tf.cast(value.data, dtype)
    return [Value(data, value.last, value.positive)]


# Products.


def gemm(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    left, right = inputs[0].first(tf), inputs[1].first(tf)
    if inputs[1].constant:
        right = right.T if attrs.get("transB", 0) else right
        right = right * np.float32(attrs.get("alpha", 1.0))
        result = tf.matmul(left, right, transpose_a=bool(attrs.get("transA", 0)))
    else:
        result = tf.matmul(
            left, right, transpose_a=bool(attrs.get("transA", 0)), transpose_b=bool(attrs.get("transB", 0))
        ) * np.float32(attrs.get("alpha", 1.0))
    if len(inputs) > 2 and inputs[2] is not None:
        result = result + inputs[2].first(tf) * np.float32(attrs.get("beta", 1.0))
    return [Value(result)]


def matmul(context, node, inputs):
    tf = context.tf
    left, right = inputs[0].first(tf), inputs[1].first(tf)
    if len(left.shape) == 1 or len(right.shape) == 1:
        raise unsupported("a product with a vector")
    return [Value(tf.matmul(left, right))]


# Shapes.


def reshape(context, node, inputs):
    tf = context.tf
    value = inputs[0]
    wanted = numbers(inputs[1], "the shape of a Reshape") if len(inputs) > 1 else list(attributes(node)["shape"])
    have = value.shape()
    if not attributes(node).get("allowzero", 0):
        wanted = [have[i] if size == 0 else size for i, size in enumerate(wanted)]
    wanted = [-1 if size is None else size for size in wanted]
    return [Value(_reshaped(tf, value, have, wanted), positive=value.positive)]


def _reshaped(tf, value, have, wanted):
    if value.last and all(size == 1 for size in have[2:]):
        return tf.reshape(value.data, wanted)  # One pixel: both orders are the same.
    if value.constant:
        return value.data.reshape(wanted)
    return tf.reshape(value.first(tf), wanted)


def flatten(context, node, inputs):
    value = inputs[0]
    have = value.shape()
    axis = attributes(node).get("axis", 1)
    axis = axis + len(have) if axis < 0 else axis
    head, tail = have[:axis], have[axis:]
    if None in tail:
        raise unsupported("a Flatten over an open dimension")
    wanted = [-1 if None in head else int(np.prod(head, dtype=np.int64)), int(np.prod(tail, dtype=np.int64))]
    return [Value(_reshaped(context.tf, value, have, wanted), positive=value.positive)]


def transpose(context, node, inputs):
    tf = context.tf
    value = inputs[0]
    order = list(attributes(node).get("perm", reversed(range(value.rank))))
    to_last = [0, *range(2, value.rank), 1]
    to_first = [0, value.rank - 1, *range(1, value.rank - 1)]
    if value.last and order == to_last:
        return [Value(value.data, False, value.positive)]
    if not value.last and order == to_first and value.rank > 2 and not value.constant:
        return [Value(value.data, True, value.positive)]
    data = np.transpose(value.data, order) if value.constant else tf.transpose(value.first(tf), order)
    return [Value(data, False, value.positive)]


def concat(context, node, inputs):
    tf = context.tf
    axis = attributes(node)["axis"]
    positive = all(value.positive for value in inputs)
    if all(value.constant for value in inputs):
        return [Value(np.concatenate([value.data for value in inputs], axis))]
    if any(value.last for value in inputs):
        data = [value.channels_last(tf) for value in inputs]
        return [Value(tf.concat(data, Value(data[0], True).axis(axis)), True, positive)]
    return [Value(tf.concat([value.data for value in inputs], axis), False, positive)]


def split(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value = inputs[0]
    sizes = numbers(inputs[1], "the sizes of a Split") if len(inputs) > 1 and inputs[1] else attrs.get("split")
    axis = attrs.get("axis", 0)
    if sizes is None:
        whole, parts = value.shape()[axis], len(node.output)
        chunk = -(-whole // parts)
        sizes = [min(chunk, whole - i * chunk) for i in range(parts)]
    return [Value(part, value.last, value.positive) for part in tf.split(value.data, list(sizes), value.axis(axis))]


def slice_(context, node, inputs):
    attrs = attributes(node)
    value = inputs[0]
    if len(inputs) > 1:
        starts, ends = numbers(inputs[1], "a Slice"), numbers(inputs[2], "a Slice")
        axes = numbers(inputs[3], "a Slice") if len(inputs) > 3 else None
        steps = numbers(inputs[4], "a Slice") if len(inputs) > 4 else None
    else:
        starts, ends, axes, steps = list(attrs["starts"]), list(attrs["ends"]), attrs.get("axes"), None
    axes = list(axes) if axes is not None else list(range(len(starts)))
    steps = steps or [1] * len(starts)
    parts = [slice(None)] * value.rank
    limit = 2**31 - 1
    for start, end, axis, step in zip(starts, ends, axes, steps):
        open_end = end > limit or (step < 0 and end < -limit)
        parts[value.axis(axis)] = slice(start, None if open_end else end, step)
    return [Value(value.data[tuple(parts)], value.last, value.positive)]


def _axes(context, node, inputs, default=None):
    if len(inputs) > 1 and inputs[1] is not None:
        return numbers(inputs[1], "the axes of " + node.op_type)
    axes = attributes(node).get("axes", default)
    return None if axes is None else list(axes)


def squeeze(context, node, inputs):
    value = inputs[0]
    have = value.shape()
    axes = _axes(context, node, inputs) or [i for i, size in enumerate(have) if size == 1]
    axes = [axis + len(have) if axis < 0 else axis for axis in axes]
    wanted = [-1 if size is None else size for i, size in enumerate(have) if i not in axes]
    return [Value(_reshaped(context.tf, value, have, wanted), positive=value.positive)]


def unsqueeze(context, node, inputs):
    tf = context.tf
    value = inputs[0]
    axes = _axes(context, node, inputs)
    rank = value.rank + len(axes)
    data = value.first(tf)
    for axis in sorted(axis + rank if axis < 0 else axis for axis in axes):
        data = np.expand_dims(data, axis) if value.constant else tf.expand_dims(data, axis)
    return [Value(data, positive=value.positive)]


def pad(context, node, inputs):
    attrs = attributes(node)
    value = inputs[0]
    pads = numbers(inputs[1], "a Pad") if len(inputs) > 1 else list(attrs["pads"])
    fill = attrs.get("value", 0.0)
    if len(inputs) > 2 and inputs[2] is not None:
        fill = float(np.ravel(inputs[2].data)[0])
    axes = numbers(inputs[3], "a Pad") if len(inputs) > 3 and inputs[3] else list(range(value.rank))
    mode = text(attrs.get("mode", b"constant"))
    pairs = [(0, 0)] * value.rank
    for i, axis in enumerate(axes):
        pairs[value.axis(axis)] = (pads[i], pads[i + len(axes)])
    if min(min(pair) for pair in pairs) < 0 or mode not in ("constant", "reflect"):
        raise unsupported(f"a Pad of mode {mode}, or that takes away")
    if mode == "constant":
        result = context.tf.pad(value.data, pairs, constant_values=fill)
    else:
        result = context.tf.pad(value.data, pairs, "REFLECT")
    return [Value(result, value.last, value.positive and fill >= 0)]


def reduce(name):
    def run(context, node, inputs):
        tf = context.tf
        attrs = attributes(node)
        value = inputs[0]
        axes = _axes(context, node, inputs) or list(range(value.rank))
        axes = [axis + value.rank if axis < 0 else axis for axis in axes]
        keep = bool(attrs.get("keepdims", 1))
        function = getattr(tf, name) if name != "norm" else None
        last = value.last
        data = value.data
        if not keep and last and sorted(axes) != list(range(2, value.rank)):
            data, last = value.first(tf), False
        at = [Value(data, last).axis(axis) for axis in axes]
        result = tf.sqrt(tf.reduce_sum(data * data, at, keep)) if function is None else function(data, at, keep)
        return [Value(result, last and keep, value.positive)]

    return run


def arg(name):
    def run(context, node, inputs):
        tf = context.tf
        attrs = attributes(node)
        axis = attrs.get("axis", 0)
        data = inputs[0].first(tf)
        result = getattr(tf, name)(data, axis, output_type=tf.int64)
        return [Value(tf.expand_dims(result, axis) if attrs.get("keepdims", 1) else result)]

    return run


def shape(context, node, inputs):
    have = inputs[0].shape()
    attrs = attributes(node)
    have = have[attrs.get("start", 0) : attrs.get("end", len(have))]
    if None in have:
        raise unsupported("the model computes with its batch size; set static_batch")
    return [Value(np.array(have, np.int64))]


def gather(context, node, inputs):
    axis = attributes(node).get("axis", 0)
    value, index = inputs
    if value.constant and index.constant:
        return [Value(np.take(value.data, index.data, axis))]
    if index.constant:
        size = value.shape()[axis]
        index = Value(np.where(index.data < 0, index.data + (size or 0), index.data).astype(np.int32))
    return [Value(context.tf.gather(value.first(context.tf), index.data, axis=axis))]


def constant(context, node, inputs):
    import onnx

    for name, value in attributes(node).items():
        if name == "value":
            return [Value(onnx.numpy_helper.to_array(value))]
        if name in ("value_float", "value_floats"):
            return [Value(np.array(value, np.float32))]
        if name in ("value_int", "value_ints"):
            return [Value(np.array(value, np.int64))]
    raise unsupported("a constant that is no tensor")


def constant_of_shape(context, node, inputs):
    import onnx

    value = attributes(node).get("value")
    fill = onnx.numpy_helper.to_array(value).ravel()[0] if value is not None else np.float32(0)
    return [Value(np.full(numbers(inputs[0], "a shape"), fill))]


def expand(context, node, inputs):
    tf = context.tf
    wanted = numbers(inputs[1], "the shape of an Expand")
    data = inputs[0].first(tf)
    if inputs[0].constant:
        return [Value(data * np.ones(wanted, data.dtype))]
    have = [1] * max(0, len(wanted) - len(data.shape)) + list(data.shape)
    wanted = [1] * (len(have) - len(wanted)) + wanted
    target = [max(w, h) if h is not None else w for w, h in zip(wanted, have)]
    return [Value(tf.broadcast_to(data, target))]


def resize(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    value = inputs[0]
    if value.rank != 4:
        raise unsupported("a Resize of other than images")
    have = value.shape()
    sizes = numbers(inputs[3], "a Resize") if len(inputs) > 3 and inputs[3] is not None else None
    if sizes is None:
        scales = inputs[2] if len(inputs) > 2 else inputs[1] if len(inputs) > 1 else Value(np.array(attrs["scales"]))
        if not scales.constant:
            raise unsupported("a Resize whose scales are computed by the model")
        sizes = [0, 0, *(int(np.floor(have[i] * float(scales.data.ravel()[i]))) for i in (2, 3))]
    mode = text(attrs.get("mode", b"nearest"))
    where = text(attrs.get("coordinate_transformation_mode", b"half_pixel" if context.opset > 10 else b"asymmetric"))
    if mode not in ("nearest", "linear") or where not in (
        "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"
    ):
        raise unsupported(f"a Resize of mode {mode}, {where}")
    function = (
        tf.compat.v1.image.resize_nearest_neighbor if mode == "nearest" else tf.compat.v1.image.resize_bilinear
    )
    result = function(
        value.channels_last(tf),
        sizes[2:],
        align_corners=where == "align_corners",
        half_pixel_centers=where in ("half_pixel", "pytorch_half_pixel"),
    )
    return [Value(result, True, value.positive)]


def depth_to_space(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    block = attrs["blocksize"]
    data = inputs[0].channels_last(tf)
    if node.op_type == "SpaceToDepth":
        return [Value(tf.nn.space_to_depth(data, block), True)]
    if text(attrs.get("mode", b"DCR")) != "DCR":
        raise unsupported("DepthToSpace of mode CRD")
    return [Value(tf.nn.depth_to_space(data, block), True)]


def layer_normalization(context, node, inputs):
    tf = context.tf
    attrs = attributes(node)
    data = inputs[0].first(tf)
    axis = attrs.get("axis", -1)
    axes = list(range(axis + len(data.shape) if axis < 0 else axis, len(data.shape)))
    mean = tf.reduce_mean(data, axes, True)
    centred = data - mean
    variance = tf.reduce_mean(centred * centred, axes, True)
    result = centred * tf.math.rsqrt(variance + attrs.get("epsilon", 1e-5)) * inputs[1].data
    return [Value(result + inputs[2].data if len(inputs) > 2 and inputs[2] else result)]


def identity(context, node, inputs):
    return [inputs[0]] * max(1, len(node.output))


def _erf(tf, x):
    """TensorFlow Lite has no such operator: the approximation of Abramowitz and Stegun, 7.1.26, good to 1.5e-7."""
    if isinstance(x, np.ndarray):
        return tf.math.erf(x)
    size = tf.abs(x)
    t = 1.0 / (1.0 + 0.3275911 * size)
    poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t
    return tf.sign(x) * (1.0 - poly * tf.exp(-size * size))


def _elu(tf, x, alpha):
    return tf.nn.elu(x) if alpha == 1 else tf.nn.relu(x) + alpha * (tf.exp(tf.minimum(x, np.float32(0))) - 1)


def _hard_sigmoid(tf, x, attrs):
    return tf.clip_by_value(x * attrs.get("alpha", 0.2) + attrs.get("beta", 0.5), 0.0, 1.0)


KNOWN = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "MaxPool": pool,
    "AveragePool": pool,
    "GlobalAveragePool": global_pool,
    "GlobalMaxPool": global_pool,
    "BatchNormalization": batch_normalization,
    "LayerNormalization": layer_normalization,
    "Add": elementwise(lambda tf, a, b: a + b, keeps_positive=True),
    "Sub": elementwise(lambda tf, a, b: a - b),
    "Mul": elementwise(lambda tf, a, b: a * b, keeps_positive=True),
    "Div": elementwise(lambda tf, a, b: a // b if _integers(a, b) else a / b, keeps_positive=True),
    "Pow": elementwise(lambda tf, a, b: tf.pow(a, tf.cast(b, a.dtype))),
    "Max": elementwise(variadic("maximum"), keeps_positive=True),
    "Min": elementwise(variadic("minimum"), keeps_positive=True),
    "Sum": elementwise(variadic("add"), keeps_positive=True),
    "Equal": elementwise(lambda tf, a, b: tf.equal(a, b)),
    "Less": elementwise(lambda tf, a, b: tf.less(a, b)),
    "Greater": elementwise(lambda tf, a, b: tf.greater(a, b)),
    "Where": elementwise(lambda tf, c, a, b: tf.where(c, a, b)),
    "Relu": unary(lambda tf, x, attrs: tf.nn.relu(x), True),
    "LeakyRelu": unary(lambda tf, x, attrs: tf.nn.leaky_relu(x, attrs.get("alpha", 0.01))),
    "Elu": unary(lambda tf, x, attrs: _elu(tf, x, np.float32(attrs.get("alpha", 1.0)))),
    "Selu": unary(lambda tf, x, attrs: tf.nn.selu(x), False),
    "Sigmoid": unary(lambda tf, x, attrs: tf.sigmoid(x), True),
    "HardSigmoid": unary(_hard_sigmoid, True),
    "HardSwish": unary(lambda tf, x, attrs: x * tf.nn.relu6(x + 3.0) * (1.0 / 6.0), False),
    "Tanh": unary(lambda tf, x, attrs: tf.tanh(x)),
    "Softplus": unary(lambda tf, x, attrs: tf.math.softplus(x), True),
    "Gelu": unary(lambda tf, x, attrs: tf.nn.gelu(x, text(attrs.get("approximate", b"none")) == "tanh"), False),
    "Erf": unary(lambda tf, x, attrs: _erf(tf, x)),
    "Exp": unary(lambda tf, x, attrs: tf.exp(x), True),
    "Log": unary(lambda tf, x, attrs: tf.math.log(x), False),
    "Sqrt": unary(lambda tf, x, attrs: tf.sqrt(x), True),
    "Reciprocal": unary(lambda tf, x, attrs: 1.0 / x),
    "Neg": unary(lambda tf, x, attrs: -x, False),
    "Abs": unary(lambda tf, x, attrs: tf.abs(x), True),
    "Floor": unary(lambda tf, x, attrs: tf.floor(x)),
    "Ceil": unary(lambda tf, x, attrs: tf.math.ceil(x)),
    "Not": unary(lambda tf, x, attrs: tf.logical_not(x), False),
    "Clip": clip,
    "PRelu": prelu,
    "Softmax": softmax,
    "LogSoftmax": softmax,
    "Cast": cast,
    "Gemm": gemm,
    "MatMul": matmul,
    "Reshape": reshape,
    "Flatten": flatten,
    "Transpose": transpose,
    "Concat": concat,
    "Split": split,
    "Slice": slice_,
    "Squeeze": squeeze,
    "Unsqueeze": unsqueeze,
    "Pad": pad,
    "ReduceMean": reduce("reduce_mean"),
    "ReduceSum": reduce("reduce_sum"),
    "ReduceMax": reduce("reduce_max"),
    "ReduceMin": reduce("reduce_min"),
    "ReduceL2": reduce("norm"),
    "ArgMax": arg("argmax"),
    "ArgMin": arg("argmin"),
    "Shape": shape,
    "Gather": gather,
    "Constant": constant,
    "ConstantOfShape": constant_of_shape,
    "Expand": expand,
    "Resize": resize,
    "Upsample": resize,
    "DepthToSpace": depth_to_space,
    "SpaceToDepth": depth_to_space,
    "Identity": identity,
    "Dropout": identity,
}


def _integers(*operands):
    return all(np.issubdtype(getattr(item.dtype, "as_numpy_dtype", item.dtype), np.integer) for item in operands)


def run(context, node, inputs):
    """Results of a node. What depends on constants alone becomes a constant."""
    tf = context.tf
    if inputs and all(value is None or value.constant for value in inputs):
        with tf.init_scope():
            results = KNOWN[node.op_type](context, node, inputs)
            return [
                Value(value.data if value.constant else value.first(tf).numpy(), False, value.positive)
                for value in results
            ]
    return KNOWN[node.op_type](context, node, inputs)
