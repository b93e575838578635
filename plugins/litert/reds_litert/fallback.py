"""The layers of an int8 file that can keep float32 or activations of 16 bits, by their sensitivity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from reds_core.framework import Arrays, Fallback, columns
from reds_core.network import Network
from reds_core.system import written_beside
from reds_litert.device_files import interpreter_of, run_one_by_one
from reds_litert.file_interface import input_names_of
from reds_litert.memory_metadata import with_memory_plan
from reds_litert.mixed_file import MixedFile
from reds_litert.profile import median_ns
from reds_litert.sharing import layer_in

EXAMPLES = 64
"""The most calibration examples on which sensitivities are measured, evenly spaced."""
TIMED_RUNS = 100


class LiteRtFallback(Fallback):
    """An int8 file and the other conversion of the same model.

    Args:
        files: Both files. The int8 file has no memory plan yet.
        network: The description of the model.
        calibration: Examples on which sensitivities are measured.
    """

    def __init__(self, files: MixedFile, network: Network, calibration: Arrays) -> None:
        self._files, self._network = files, network
        chosen = np.linspace(0, len(calibration) - 1, min(len(calibration), EXAMPLES)).astype(np.int64)
        self._examples = columns(calibration.take(chosen).x)

    @cached_property
    def layers(self) -> tuple[str, ...]:
        sensitivities = self.sensitivities
        return tuple(sorted(sensitivities, key=lambda name: -sensitivities[name]))

    @cached_property
    def sensitivities(self) -> Mapping[str, float]:
        """The mean squared error of the outputs if a layer alone has 8 bits, as a share of the variance of the outputs.

        Inputs and outputs of the file have 8 bits in any case, so the errors do not count what that costs.
        """
        exact = self._outputs(self._files.with_exact(self._files.replaceable))
        found = {}
        for name, own in self._operators.items():
            others = set(self._files.replaceable) - set(own)
            outputs = self._outputs(self._files.with_exact(others))
            errors = (
                float(np.mean((one - other) ** 2) / max(float(np.var(other)), np.finfo(np.float32).tiny))
                for one, other in zip(outputs, exact, strict=True)
            )
            found[name] = sum(errors)
        return found

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        return tuple(f"input:{name}" for name in input_names_of(self._files.base))

    def write(self, kept: Collection[str], path: Path) -> None:
        chosen = [operator for name in kept for operator in self._operators.get(name, ())]
        has_exact_inputs = not set(kept).isdisjoint(self.inputs)
        content = with_memory_plan(self._files.with_exact(chosen, has_exact_inputs=has_exact_inputs))
        with written_beside(path) as temporary:
            temporary.write_bytes(content)

    def latency_ns(self, path: Path) -> float:
        interpreter = interpreter_of(path.read_bytes(), threads=1)
        for tensor in interpreter.get_input_details():  # latency does not depend on values
            interpreter.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
        return median_ns(interpreter.invoke, TIMED_RUNS)

    @cached_property
    def _operators(self) -> Mapping[str, tuple[int, ...]]:
        """The operators of each layer, by the name of the layer."""
        found: dict[str, tuple[int, ...]] = {}
        graph = self._files.exact_graph  # the int8 file may have names of conversions
        for at in self._files.replaceable:
            operator = graph.operators[self._files.pairs[at]]
            constants = [index for index in operator.inputs if index >= 0 and graph.tensors[index].data is not None]
            tensors = [graph.tensors[index].name for index in (*constants, *operator.outputs)]
            name = layer_in(tensors, self._network) or operator.kind.lower()
            found[name] = (*found.get(name, ()), at)
        return found

    def _outputs(self, content: bytes) -> tuple[npt.NDArray[Any], ...]:
        return run_one_by_one(interpreter_of(content), self._examples)
