# SPDX-License-Identifier: Apache-2.0
"""Convolutions of quantised models in integers: quantize(conv2d(dequantize(x), dequantize(w)) + b) as one operator.

real = (quantised - zero point) * scale, so the convolution of the quantised numbers is the real one but for a factor a
channel and a constant a channel, which stands in for the zero points. Dense convolutions use the processor's
instructions for sums of four products (VNNI); weights are packed for them, [N/16][R][S][K/4][16][4]. Depthwise
convolutions add up exactly in float32.
"""

import numpy
import tvm
from tvm import relax, te
from tvm.relax.expr_functor import PyExprMutator, mutator



class Dot:
    """An instruction: `lanes` sums of `group` products each, of inputs of type `data` and weights of int8."""

    def __init__(self, lanes, group, data):
        self.lanes, self.group, self.data = lanes, group, data


VNNI = Dot(16, 4, "uint8")  # Of AVX-512.
PAIRS = Dot(8, 2, "int16")  # Of AVX2: exact, unlike its sums of int8, which saturate.

FORMS = ("relax.reshape", "relax.permute_dims", "relax.expand_dims")
# Names by which tvm_schedules knows the steps.
SHIFT, DOT = "kenning_shift", "kenning_dot"


def rewrite(module, dot):
    rewriter = _Rewriter(module, dot)
    for variable, function in module.functions.items():
        if isinstance(function, relax.Function):
            rewriter.builder_.update_func(variable, rewriter.visit_expr(function))
    return relax.transform.DeadCodeElimination()(rewriter.builder_.get()), rewriter.count


class _NoMatch(Exception):
    """The pattern is another one; the operator stays as it is."""


@mutator
class _Rewriter(PyExprMutator):
    def __init__(self, module, dot):
        super().__init__(module)
        self.dot = dot
        self.count = 0

    def visit_call_(self, call):
        call = super().visit_call_(call)
        name = getattr(getattr(call, "op", None), "name", "")
        try:
            if name == "relax.clip":
                return self._clip(call)
            if name == "relax.quantize":
                result = self._quantized_convolution(call)
                self.count += 1
                return result
        except _NoMatch:
            pass
        return call

    def _clip(self, call):
        """A clip to the whole range of its type is none."""
        info = numpy.iinfo(str(call.ty.dtype)) if "int" in str(call.ty.dtype) else None
        bounds = [float(getattr(bound, "value", bound)) for bound in call.args[1:3]]
        if info is None or bounds[0] > info.min or bounds[1] < info.max:
            raise _NoMatch
        return call.args[0]

    def _behind(self, expression):
        return self.lookup_binding(expression) if isinstance(expression, relax.Var) else expression

    def _call(self, expression, name):
        found = self._behind(expression)
        if getattr(getattr(found, "op", None), "name", "") != name:
            raise _NoMatch
        return found

    def _constant(self, expression):
        value = getattr(self._behind(expression), "value", None)
        if not isinstance(value, tvm.runtime.Tensor):
            raise _NoMatch
        return value.numpy()

    def _real(self, expression):
        """A constant in real numbers, quantised or not, whatever its form."""
        while getattr(getattr(self._behind(expression), "op", None), "name", "") in FORMS:
            expression = self._behind(expression).args[0]
        try:
            return self._constant(expression).astype("float64")
        except _NoMatch:
            pass
        call = self._call(expression, "relax.dequantize")
        values, scale, zero = (self._constant(argument) for argument in call.args)
        return dequantized(values, scale, zero, int(call.attrs.axis))

    def _activation(self, expression):
        """(lowest, highest, what it is of) of a relu or of comparisons with constants."""
        low, high = -numpy.inf, numpy.inf
        while True:
            found = self._behind(expression)
            name = getattr(getattr(found, "op", None), "name", "")
            if name == "relax.nn.relu":
                low = max(low, 0.0)
            elif name in ("relax.maximum", "relax.minimum"):
                bound = self._constant(found.args[1])
                if bound.size != 1:
                    raise _NoMatch
                low = max(low, float(bound)) if name == "relax.maximum" else low
                high = min(high, float(bound)) if name == "relax.minimum" else high
            else:
                return low, high, expression
            expression = found.args[0]

    def _quantized_convolution(self, call):
        out_scale, out_zero = self._constant(call.args[1]), self._constant(call.args[2])
        if out_scale.size != 1:
            raise _NoMatch
        low, high, inner = self._activation(call.args[0])
        bias = None
        found = self._behind(inner)
        if getattr(getattr(found, "op", None), "name", "") == "relax.add":
            bias = self._real(found.args[1]).reshape(-1)
            inner = found.args[0]
        conv = self._call(inner, "relax.nn.conv2d")
        source, axes = conv.args[0], None
        behind = self._behind(source)
        if getattr(getattr(behind, "op", None), "name", "") == "relax.permute_dims":
            source, axes = behind.args[0], [int(axis) for axis in behind.attrs.axes]
        data = self._call(source, "relax.dequantize")
        weight = conv.args[1]
        facts = _Facts(conv, data, self, weight, bias)
        facts.finish(float(out_scale), int(out_zero), low, high, str(call.attrs.out_dtype))
        source = data.args[0]
        if axes is not None:
            source = self.builder_.emit(relax.op.permute_dims(source, axes))
        if facts.depthwise:
            return _depthwise(self.builder_, source, facts)
        return _dense(self.builder_, source, facts, self.dot)

    def weight_of(self, expression, outputs):
        """Weights of int8 in the form that the convolution sees, and a scale for each output channel."""
        changes = []
        while True:
            found = self._behind(expression)
            name = getattr(getattr(found, "op", None), "name", "")
            if name == "relax.reshape":
                shape = [int(extent) for extent in found.ty.shape.values]
                changes.append(lambda values, shape=shape: values.reshape(shape))
            elif name == "relax.permute_dims":
                axes = [int(axis) for axis in found.attrs.axes]
                changes.append(lambda values, axes=axes: values.transpose(axes))
            else:
                break
            expression = found.args[0]
        found = self._call(expression, "relax.dequantize")
        values, scale, zero = (self._constant(argument) for argument in found.args)
        if values.dtype != "int8" or numpy.any(zero != 0) or scale.size not in (1, outputs):
            raise _NoMatch
        for change in reversed(changes):
            values = change(values)
        return values, scale.reshape(-1)


def dequantized(values, scale, zero, axis):
    shape = [1] * values.ndim
    if scale.size > 1 or zero.size > 1:
        shape[axis] = -1
    scale, zero = (a.reshape(shape if a.size > 1 else [1] * values.ndim) for a in (scale, zero))
    return (values.astype("int64") - zero.astype("int64")) * scale.astype("float64")


class _Facts:
    """A quantised convolution in numbers."""

    def __init__(self, conv, data, rewriter, weight, bias):
        attrs = conv.attrs
        if str(attrs.data_layout) != "NHWC" or [int(d) for d in attrs.dilation] != [1, 1]:
            raise _NoMatch
        self.strides = [int(s) for s in attrs.strides]
        self.padding = [int(p) for p in attrs.padding]
        self.in_shape = [int(d) for d in conv.args[0].ty.shape.values]
        self.out_shape = [int(d) for d in conv.ty.shape.values]
        self.in_type = str(data.args[0].ty.dtype)
        self.in_scale = float(rewriter._constant(data.args[1]).reshape(-1)[0])
        self.in_zero = int(rewriter._constant(data.args[2]).reshape(-1)[0])
        if rewriter._constant(data.args[1]).size != 1 or self.in_type not in ("int8", "uint8"):
            raise _NoMatch
        values, scale = rewriter.weight_of(weight, self.out_shape[3])
        channels, groups = self.in_shape[3], int(attrs.groups)
        self.depthwise = groups > 1
        if self.depthwise and not (groups == channels == self.out_shape[3]):
            raise _NoMatch
        # Depthwise weights hold one number a tap and channel, whatever the order of the last axes.
        self.weights = values.reshape(*values.shape[:2], channels) if self.depthwise else values
        if not self.depthwise and str(attrs.kernel_layout) != "HWIO":
            raise _NoMatch
        self.weight_scale = numpy.broadcast_to(scale.astype("float64"), (self.out_shape[3],))
        self.bias = numpy.zeros(self.out_shape[3]) if bias is None else numpy.broadcast_to(bias, (self.out_shape[3],))

    def finish(self, out_scale, out_zero, low, high, out_type):
        """The factor and the constant of each channel, and the bounds of the result."""
        real = self.in_scale * self.weight_scale
        self.factor = (real / out_scale).astype("float32")
        self.constant = numpy.round(self.bias / real)
        info = numpy.iinfo(out_type)
        self.low = int(max(info.min, numpy.round(low / out_scale) + out_zero if numpy.isfinite(low) else info.min))
        self.high = int(min(info.max, numpy.round(high / out_scale) + out_zero if numpy.isfinite(high) else info.max))
        self.out_zero, self.out_type = out_zero, out_type

    def result(self, total, channel, factor):
        """The quantised result from the sum, which has its constant already."""
        steps = te.nearbyint(total.astype("float32") * factor[channel]).astype("int32") + te.const(self.out_zero, "int32")
        low, high = te.const(self.low, "int32"), te.const(self.high, "int32")
        return te.min(te.max(steps, low), high).astype(self.out_type)


def _padded(facts, channels, value, name):
    """The input with its margins, and channels up to a multiple, as `value` makes it of a place and its being inside."""
    top, left, bottom, right = facts.padding
    batch, height, width, inside_channels = facts.in_shape
    shape = (batch, height + top + bottom, width + left + right, channels)

    def at(n, y, x, c):
        limits = []
        if top or bottom:
            limits += [y >= top, y < height + top]
        if left or right:
            limits += [x >= left, x < width + left]
        if channels != inside_channels:
            limits += [c < inside_channels]
        return value(limits, (n, y - top, x - left, c))

    return te.compute(shape, at, name=name)


def _constant_of(array):
    return relax.const(numpy.ascontiguousarray(array))


def _dense(builder, data, facts, dot):
    rows, columns, inputs, outputs = facts.weights.shape
    lanes, group = dot.lanes, dot.group
    blocks, groups = -(-outputs // lanes), -(-inputs // group)
    packed = numpy.zeros((rows, columns, groups * group, blocks * lanes), "int8")
    packed[:, :, :inputs, :outputs] = facts.weights
    packed = packed.reshape(rows, columns, groups, group, blocks, lanes).transpose(4, 0, 1, 2, 5, 3)
    # Unsigned inputs for one instruction; for the other, inputs without their zero point.
    unsigned = dot.data == "uint8"
    offset = (128 if facts.in_type == "int8" else 0) if unsigned else -facts.in_zero
    zero = facts.in_zero + offset
    taps = facts.weights.astype("int64").sum(axis=(0, 1, 2))
    constant = (facts.constant - zero * taps).astype("int32")

    def compute(x, w, b, m):
        def shifted(limits, place):
            value = (x[place].astype("int16") + te.const(offset, "int16")).astype(dot.data)
            return tvm.tirx.if_then_else(te.all(*limits), value, te.const(zero, dot.data)) if limits else value

        if offset or facts.in_type != dot.data or any(facts.padding) or groups * group != inputs:
            x = _padded(facts, groups * group, shifted, SHIFT)
        r, s = te.reduce_axis((0, rows), "r"), te.reduce_axis((0, columns), "s")
        k, i = te.reduce_axis((0, groups), "k"), te.reduce_axis((0, group), "i")
        batch, height, width, _ = facts.out_shape
        down, right = facts.strides
        total = te.compute(
            (batch, height, width, blocks, lanes),
            lambda n, y, z, o, c: te.sum(
                x[n, y * down + r, z * right + s, k * group + i].astype("int32") * w[o, r, s, k, c, i].astype("int32"),
                axis=[r, s, k, i],
            ),
            name=DOT,
        )
        return te.compute(
            facts.out_shape,
            lambda n, y, z, c: facts.result(total[n, y, z, c // lanes, c % lanes] + b[c], c, m),
            name="requantized",
        )

    arguments = (data, _constant_of(packed), _constant_of(constant), _constant_of(facts.factor))
    return builder.call_te(compute, *arguments, primfunc_name_hint="conv2d_int8")


def _depthwise(builder, data, facts):
    rows, columns, _ = facts.weights.shape
    taps = facts.weights.astype("int64").sum(axis=(0, 1))
    constant = (facts.constant - facts.in_zero * taps).astype("float32")

    def compute(x, w, b, m):
        def bordered(limits, place):
            return tvm.tirx.if_then_else(te.all(*limits), x[place], te.const(facts.in_zero, facts.in_type))

        if any(facts.padding):
            x = _padded(facts, facts.in_shape[3], bordered, "bordered")
        r, s = te.reduce_axis((0, rows), "r"), te.reduce_axis((0, columns), "s")
        down, right = facts.strides
        total = te.compute(
            facts.out_shape,
            lambda n, y, z, c: te.sum(
                x[n, y * down + r, z * right + s, c].astype("float32") * w[r, s, c].astype("float32"), axis=[r, s]
            ),
            name="depthwise_sum",
        )
        return te.compute(
            facts.out_shape, lambda n, y, z, c: facts.result(total[n, y, z, c] + b[c], c, m), name="requantized"
        )

    arguments = (data, _constant_of(facts.weights), _constant_of(constant), _constant_of(facts.factor))
    return builder.call_te(compute, *arguments, primfunc_name_hint="depthwise_int8")
