"""Parts of loading a model file: containers, configs, translation of older Keras formats, and refusals."""
