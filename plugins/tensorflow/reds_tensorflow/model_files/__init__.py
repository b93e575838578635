"""Parts of reading a model file: its container, its config, what older Keras wrote, what is refused."""
