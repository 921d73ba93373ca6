# SPDX-License-Identifier: Apache-2.0
"""Loads Keras models of any age with Keras 3."""

import kenning_worker as worker


def _forgiving_layers(keras):
    """Layers whose older descriptions Keras 3 refuses."""

    class DepthwiseConv2D(keras.layers.DepthwiseConv2D):
        """Keras 2 wrote `groups`, which this layer never had any use for."""

        def __init__(self, *args, groups=1, **kwargs):
            if groups != 1:
                raise worker.WorkerError("unsupported", f"a depthwise convolution with groups={groups}")
            super().__init__(*args, **kwargs)

    class BatchNormalization(keras.layers.BatchNormalization):
        """Keras 2 wrote the axis as a list of one."""

        def __init__(self, axis=-1, **kwargs):
            for old in ("renorm", "fused", "virtual_batch_size", "trainable_v2"):
                kwargs.pop(old, None)
            super().__init__(axis=axis[0] if isinstance(axis, (list, tuple)) else axis, **kwargs)

    return {layer.__name__: layer for layer in (DepthwiseConv2D, BatchNormalization)}


def load_keras(path):
    """A Keras model from .h5 or .keras. Code inside the file (Lambda layers) is refused."""
    import keras

    # Old files carry no extension that Keras knows, or one in capitals.
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True, custom_objects=_forgiving_layers(keras))
    except worker.WorkerError:
        raise
    except OSError as error:
        raise worker.WorkerError("invalid-model", f"{path}: {error}") from error
    except Exception as error:
        raise worker.WorkerError("invalid-model", f"{path}: Keras {keras.__version__} cannot load it: {error}") from error
