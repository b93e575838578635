"""The table of handlers by layer type. To support another layer, write its flow and add it here."""

from __future__ import annotations

from collections.abc import Mapping

from keras import layers

from reds_tensorflow.calls import Handler
from reds_tensorflow.handlers.attention import attention, grouped_query_attention, multi_head_attention
from reds_tensorflow.handlers.channel_norms import (
    group_normalization,
    layer_normalization,
    rms_normalization,
    unit_normalization,
)
from reds_tensorflow.handlers.convolution import (
    convolution,
    depthwise_convolution,
    separable_convolution,
    transposed_convolution,
)
from reds_tensorflow.handlers.dense import dense
from reds_tensorflow.handlers.einsum import einsum_dense
from reds_tensorflow.handlers.elementwise import activation, dropout, elementwise, prelu, softmax
from reds_tensorflow.handlers.embedding import embedding, reversible_embedding
from reds_tensorflow.handlers.merging import concatenate, dot, merge
from reds_tensorflow.handlers.normalisation import batch_normalization, layer_scale, normalization, rescaling
from reds_tensorflow.handlers.opaque import (
    code_of_users,
    mel_spectrogram,
    preprocessing,
    refused,
    stft_spectrogram,
)
from reds_tensorflow.handlers.operations import OPERATIONS
from reds_tensorflow.handlers.recurrent import (
    bidirectional,
    convolutional_lstm,
    gated_cell,
    recurrent,
    recurrent_cells,
    stacked_cells,
)
from reds_tensorflow.handlers.shape import flatten, permute, repeat_vector, reshape
from reds_tensorflow.handlers.spatial import global_pooling, spatial
from reds_tensorflow.handlers.wrappers import spectral_normalization, time_distributed

# fmt: off
_PREPROCESSING = (
    "AugMix", "AutoContrast", "CategoryEncoding", "ContrastLimitedAdaptiveHistogramEqualization", "CutMix",
    "Discretization", "Equalization", "HashedCrossing", "Hashing", "Masking", "MixUp", "RandAugment",
    "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop",
    "RandomElasticTransform", "RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue",
    "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation",
    "RandomSharpness", "RandomShear", "RandomTranslation", "RandomZoom", "Solarization",
)
# fmt: on


def _layers(*names: str) -> tuple[type, ...]:
    """Return the layer types of these names that the installed Keras has."""
    return tuple(getattr(layers, name) for name in names if hasattr(layers, name))


IN_PLACE = Handler(elementwise, in_place=True)
IDENTITY = Handler(elementwise, in_place=True, identity=True)
SPATIAL = Handler(spatial)
MERGE = Handler(merge, constants=True)
PREPROCESSING = Handler(preprocessing)
_NO_FILE = "cannot be copied with its content", "do its work outside of the model"

HANDLERS: Mapping[type, Handler] = {
    layers.Conv1D: Handler(convolution),
    layers.Conv2D: Handler(convolution),
    layers.Conv3D: Handler(convolution),
    layers.DepthwiseConv1D: Handler(depthwise_convolution),
    layers.DepthwiseConv2D: Handler(depthwise_convolution),
    layers.SeparableConv1D: Handler(separable_convolution),
    layers.SeparableConv2D: Handler(separable_convolution),
    layers.Conv1DTranspose: Handler(transposed_convolution),
    layers.Conv2DTranspose: Handler(transposed_convolution),
    layers.Conv3DTranspose: Handler(transposed_convolution),
    layers.Dense: Handler(dense),
    layers.BatchNormalization: Handler(batch_normalization, in_place=True),
    layers.Normalization: Handler(normalization),
    layers.Rescaling: Handler(rescaling),
    layers.Activation: Handler(activation, in_place=True),
    layers.ReLU: IN_PLACE,
    layers.LeakyReLU: IN_PLACE,
    layers.ELU: IN_PLACE,
    layers.PReLU: Handler(prelu, in_place=True),
    layers.Softmax: Handler(softmax, in_place=True),
    layers.Dropout: Handler(dropout, in_place=True, identity=True),
    layers.SpatialDropout1D: IDENTITY,
    layers.SpatialDropout2D: IDENTITY,
    layers.SpatialDropout3D: IDENTITY,
    layers.GaussianDropout: IDENTITY,
    layers.GaussianNoise: IDENTITY,
    layers.AlphaDropout: Handler(dropout, in_place=True, identity=True),
    layers.ActivityRegularization: IDENTITY,
    layers.Identity: IDENTITY,
    layers.Flatten: Handler(flatten, in_place=True),
    layers.Reshape: Handler(reshape, in_place=True),
    layers.Permute: Handler(permute),
    layers.RepeatVector: Handler(repeat_vector),
    layers.MaxPooling1D: SPATIAL,
    layers.MaxPooling2D: SPATIAL,
    layers.MaxPooling3D: SPATIAL,
    layers.AveragePooling1D: SPATIAL,
    layers.AveragePooling2D: SPATIAL,
    layers.AveragePooling3D: SPATIAL,
    layers.GlobalMaxPooling1D: Handler(global_pooling),
    layers.GlobalMaxPooling2D: Handler(global_pooling),
    layers.GlobalMaxPooling3D: Handler(global_pooling),
    layers.GlobalAveragePooling1D: Handler(global_pooling),
    layers.GlobalAveragePooling2D: Handler(global_pooling),
    layers.GlobalAveragePooling3D: Handler(global_pooling),
    layers.ZeroPadding1D: SPATIAL,
    layers.ZeroPadding2D: SPATIAL,
    layers.ZeroPadding3D: SPATIAL,
    layers.Cropping1D: SPATIAL,
    layers.Cropping2D: SPATIAL,
    layers.Cropping3D: SPATIAL,
    layers.UpSampling1D: SPATIAL,
    layers.UpSampling2D: SPATIAL,
    layers.UpSampling3D: SPATIAL,
    layers.Add: MERGE,
    layers.Subtract: MERGE,
    layers.Multiply: MERGE,
    layers.Average: MERGE,
    layers.Maximum: MERGE,
    layers.Minimum: MERGE,
    layers.Concatenate: Handler(concatenate, constants=True),
    layers.Dot: Handler(dot),
    layers.CenterCrop: SPATIAL,
    layers.Resizing: SPATIAL,
    layers.Lambda: Handler(code_of_users),
    **dict.fromkeys(_layers("StringLookup", "IntegerLookup", "TextVectorization"), Handler(refused(*_NO_FILE))),
    **dict.fromkeys(_layers("JaxLayer", "FlaxLayer", "TorchModuleWrapper", "TFSMLayer"), Handler(refused(*_NO_FILE))),
    **dict.fromkeys(_layers(*_PREPROCESSING), PREPROCESSING),
    **dict.fromkeys(_layers("MelSpectrogram"), Handler(mel_spectrogram)),
    **dict.fromkeys(_layers("STFTSpectrogram"), Handler(stft_spectrogram)),
    layers.LayerNormalization: Handler(layer_normalization),
    layers.GroupNormalization: Handler(group_normalization),
    layers.UnitNormalization: Handler(unit_normalization),
    **dict.fromkeys(_layers("RMSNormalization"), Handler(rms_normalization)),
    layers.MultiHeadAttention: Handler(multi_head_attention, constants=True),
    layers.GroupQueryAttention: Handler(grouped_query_attention, constants=True),
    layers.Attention: Handler(attention),
    layers.AdditiveAttention: Handler(attention),
    layers.EinsumDense: Handler(einsum_dense),
    layers.Embedding: Handler(embedding),
    **dict.fromkeys(_layers("ReversibleEmbedding"), Handler(reversible_embedding)),
    layers.LSTM: Handler(recurrent),
    layers.GRU: Handler(recurrent),
    layers.SimpleRNN: Handler(recurrent),
    layers.RNN: Handler(recurrent_cells),
    layers.LSTMCell: Handler(gated_cell(gates=4, states=2)),
    layers.GRUCell: Handler(gated_cell(gates=3, states=1)),
    layers.SimpleRNNCell: Handler(gated_cell(gates=1, states=1)),
    layers.StackedRNNCells: Handler(stacked_cells),
    layers.ConvLSTM1D: Handler(convolutional_lstm),
    layers.ConvLSTM2D: Handler(convolutional_lstm),
    layers.ConvLSTM3D: Handler(convolutional_lstm),
    layers.Bidirectional: Handler(bidirectional),
    layers.TimeDistributed: Handler(time_distributed),
    layers.SpectralNormalization: Handler(spectral_normalization),
    **dict.fromkeys(
        _layers(*(f"Adaptive{kind}Pooling{n}D" for kind in ("Average", "Max") for n in (1, 2, 3))), SPATIAL
    ),
}

PRIVATE: Mapping[str, Handler] = {
    **{f"ops.{name}": handler for name, handler in OPERATIONS.items()},
    **dict.fromkeys(("activations.ReLU", "activations.Mish"), IN_PLACE),  # keras.activations.relu(x), mish(x)
    "applications.CustomScaleLayer": MERGE,  # InceptionResNetV2: the first tensor plus the scaled second
    "applications.LayerScale": Handler(layer_scale, in_place=True),  # ConvNeXt
    "applications.StochasticDepth": IDENTITY,
}
"""Handlers of Keras classes without public names, by subpackage and name of the class."""


def private_handler(kind: type) -> Handler | None:
    """Return the handler of a Keras class that has no public name, or None."""
    root, _, rest = kind.__module__.partition(".src.")
    return PRIVATE.get(f"{rest.partition('.')[0]}.{kind.__name__}") if root == "keras" else None
