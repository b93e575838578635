"""Turns TensorFlow's chatter off before any test imports it, since the models of tests are Keras models."""

from reds_tensorflow.quiet import importing

with importing():
    import keras  # noqa: F401
