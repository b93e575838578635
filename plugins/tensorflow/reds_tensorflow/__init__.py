"""Keras 3 on TensorFlow as a framework of reds."""
