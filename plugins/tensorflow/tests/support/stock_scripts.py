"""Scripts that load the files given to them, in a process where nothing of reds can be imported."""

from __future__ import annotations

STOCK_KERAS = """
import sys
from importlib.abc import MetaPathFinder

class Blocked(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("reds"):
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import keras, numpy as np
for path in sys.argv[1:]:
    model = keras.saving.load_model(path)
    x = np.zeros((1, *model.input_shape[1:]), "float32")
    assert np.all(np.isfinite(model.predict(x, verbose=0)))
"""

STOCK_LITERT = """
import sys
from ai_edge_litert.interpreter import Interpreter
import numpy as np
for path in sys.argv[1:]:
    interpreter = Interpreter(path)
    interpreter.allocate_tensors()
    given, got = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    assert given["dtype"] == got["dtype"] == (np.int8 if "int8" in path else np.float32)
    interpreter.set_tensor(given["index"], np.zeros(given["shape"], given["dtype"]))
    interpreter.invoke()
assert not any(name.startswith("reds") for name in sys.modules)
"""
