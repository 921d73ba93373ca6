# SPDX-License-Identifier: Apache-2.0
"""Depthwise convolutions in channels-last order, which IREE's own pass for convolutions leaves as they are.

Works on the text of a module at IREE's phase "preprocessing". Transposes that two neighbours make superfluous are
removed by the compiler afterwards.
"""

import re

CONVOLUTION = re.compile(
    r"^(?P<indent> *)(?P<result>%[\w#]+) = linalg\.depthwise_conv_2d_nchw_chw \{(?P<attributes>[^{}]*)\} "
    r"ins\((?P<image>%[\w#]+), (?P<weight>%[\w#]+) : "
    r"tensor<(?P<image_shape>[\dx]+)x(?P<type>[a-z]+\d+)>, tensor<(?P<weight_shape>[\dx]+)x(?P=type)>\) "
    r"outs\((?P<out>%[\w#]+) : tensor<(?P<out_shape>[\dx]+)x(?P=type)>\) -> "
    r"tensor<(?P=out_shape)x(?P=type)>",
    re.M,
)


def channels_last(text):
    """(the text with every depthwise convolution of known shape rewritten, how many)"""
    count = 0

    def rewrite(match):
        nonlocal count
        count += 1
        indent, element = match["indent"], match["type"]
        lines = []

        def tensor(shape):
            return f"tensor<{'x'.join(shape)}x{element}>"

        def transpose(target, source, shape, order):
            moved = [shape[place] for place in order]
            lines.append(f"{indent}{target}_space = tensor.empty() : {tensor(moved)}")
            lines.append(
                f"{indent}{target} = linalg.transpose ins({source} : {tensor(shape)}) "
                f"outs({target}_space : {tensor(moved)}) permutation = {order}"
            )
            return moved

        name = f"%kenning_depthwise_{count}"
        out_shape = match["out_shape"].split("x")
        image = transpose(f"{name}_image", match["image"], match["image_shape"].split("x"), [0, 2, 3, 1])
        weight = transpose(f"{name}_weight", match["weight"], match["weight_shape"].split("x"), [1, 2, 0])
        out = transpose(f"{name}_out", match["out"], out_shape, [0, 2, 3, 1])
        lines.append(
            f"{indent}{name} = linalg.depthwise_conv_2d_nhwc_hwc {{{match['attributes']}}} "
            f"ins({name}_image, {name}_weight : {tensor(image)}, {tensor(weight)}) "
            f"outs({name}_out : {tensor(out)}) -> {tensor(out)}"
        )
        lines.append(f"{indent}{name}_space = tensor.empty() : {tensor(out_shape)}")
        lines.append(
            f"{indent}{match['result']} = linalg.transpose ins({name} : {tensor(out)}) "
            f"outs({name}_space : {tensor(out_shape)}) permutation = [0, 3, 1, 2]"
        )
        return "\n".join(lines)

    return CONVOLUTION.sub(rewrite, text), count
