"""The original demo's two Keras networks, rebuilt from their published description.

Both take 224 x 224 RGB pixels and begin with a 7 x 7 convolution of 64 filters with stride 2 and a pooling layer.
Model 1 then has two residual blocks for each of 64, 128, 256 and 512 filters, the first of each pair with stride 2.
Model 2 has one Inception module for each of these widths, with a pooling layer between the second and the third. Both
end in global average pooling, a dense layer of 256 units, a dropout of 0.5 and a sigmoid. The weights are random with a
fixed seed: the run time does not depend on them, and the answers have no meaning.
"""

import keras
from keras import layers

SIDE = 224
WIDTHS = (64, 128, 256, 512)


def _convolved(features, filters: int, side: int, stride: int = 1, relu: bool = True):
    """Applies a convolution, batch normalisation and, if `relu`, a ReLU."""
    features = layers.Conv2D(filters, side, strides=stride, padding="same")(features)
    features = layers.BatchNormalization()(features)
    return layers.ReLU()(features) if relu else features


def _residual_block(features, filters: int, stride: int):
    changed = _convolved(_convolved(features, filters, 3, stride), filters, 3, relu=False)
    if stride > 1:
        features = _convolved(features, filters, 1, stride, relu=False)
    return layers.ReLU()(layers.Add()([changed, features]))


def _inception_module(features, filters: int):
    def tower(start, *sides: int):
        for side in sides:
            start = layers.Conv2D(filters, side, padding="same", activation="relu")(start)
        return start

    pooled = layers.MaxPooling2D(3, strides=1, padding="same")(features)
    towers = [tower(features, 1), tower(features, 1, 3), tower(features, 1, 5), tower(pooled, 1)]
    return layers.Concatenate()(towers)


def _pooled(features):
    return layers.MaxPooling2D(3, strides=2, padding="same")(features)


def _model(image, features) -> keras.Model:
    features = layers.Dense(256, activation="relu")(layers.GlobalAveragePooling2D()(features))
    return keras.Model(image, layers.Dense(1, activation="sigmoid")(layers.Dropout(0.5)(features)))


def resnet() -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    features = _pooled(_convolved(image, 64, 7, 2))
    for filters in WIDTHS:
        features = _residual_block(_residual_block(features, filters, 2), filters, 1)
    return _model(image, features)


def inception() -> keras.Model:
    image = keras.Input((SIDE, SIDE, 3))
    features = _pooled(layers.Conv2D(64, 7, strides=2, padding="same", activation="relu")(image))
    for filters in WIDTHS:
        features = _inception_module(features, filters)
        if filters == WIDTHS[1]:
            features = _pooled(features)
    return _model(image, features)
