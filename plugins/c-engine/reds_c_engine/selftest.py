"""The self-test of a generated engine: inputs from a random generator, and the outputs that tflite-micro gives."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import read_graph

from reds_c_engine.c_text import array_text
from reds_c_engine.records import Family
from reds_c_engine.reference import outputs_of
from reds_core.system import run_isolated

SEED = 2463534242
"""The first state of the generator (Marsaglia, Xorshift RNGs)."""
LARGEST_BYTES = 1 << 15
"""How many bytes the expected outputs may take."""
WORKER = Path(__file__).with_name("interpreter_worker.py")
LIMIT_S = 300.0
"""How long tflite-micro may take."""


@dataclass(frozen=True)
class Expectations:
    """What the members compute.

    Attributes:
        source: What computed the outputs, as the subject of a sentence.
        outputs: The outputs, int8 or int16 (exits of all members, examples, elements): those of the first member, whose
            own output is the last of them, then those of the next one.
    """

    source: str
    outputs: npt.NDArray[Any]


def random_inputs(examples: int, size: int, bits: int = 8) -> npt.NDArray[Any]:
    """Return the inputs that the self-test makes, int8 or int16 (examples, size)."""
    state, values = SEED, []
    for _ in range(examples * size):
        state ^= (state << 13) & 0xFFFFFFFF
        state ^= state >> 17
        state ^= (state << 5) & 0xFFFFFFFF
        values.append((state >> (32 - bits)) - (1 << (bits - 1)))
    return np.array(values, f"int{bits}").reshape(examples, size)


def expectations(family: Family, contents: Sequence[bytes], examples: int) -> Expectations:
    """Return what the files of the members compute for random inputs: in tflite-micro, or in NumPy if it is missing.

    Args:
        family: The family.
        contents: The content of the file of each member.
        examples: How many inputs there are at most. Fewer are taken if the outputs are large.
    """
    full = family.members[-1]
    outputs, exits = math.prod(full.output_shape), [len(member.exits) for member in family.members]
    examples = max(1, min(examples, LARGEST_BYTES // (outputs * sum(exits) * family.bits // 8)))
    inputs = {
        bits: random_inputs(examples, math.prod(full.input_shape), bits).reshape(examples, *full.input_shape)
        for bits in {member.bits for member in family.members}
    }
    of_members = [inputs[member.bits] for member in family.members]
    members = list(zip(contents, exits, of_members, strict=True))
    found, source = _by_interpreter(members), "tflite-micro"
    if found is None:
        found, source = _by_reference(members), "the integer reference of reds"
    return Expectations(source, np.array(found, f"int{family.bits}").reshape(sum(exits), examples, outputs))


Examples = tuple[bytes, int, npt.NDArray[Any]]
"""The content of the file of a member, how many of its outputs are those of the member, and inputs (examples, ...)."""


def _by_interpreter(members: Sequence[Examples]) -> list[npt.NDArray[Any]] | None:
    """Return the outputs of tflite-micro; None if it is not installed or cannot run one of the files."""
    if find_spec("tflite_micro") is None:
        return None
    counts = [exits for _, exits, _ in members]
    request: dict[str, npt.ArrayLike] = {"exits": counts}
    for member, (content, _, inputs) in enumerate(members):
        request |= {f"content/{member}": np.frombuffer(content, np.uint8), f"inputs/{member}": inputs}
    try:
        reply = run_isolated(WORKER, request, time.monotonic() + LIMIT_S)
    except RuntimeError:  # the interpreter has crashed
        return None
    names = [f"{member}/{exit}" for member, exits in enumerate(counts) for exit in range(exits)]
    return [reply[name] for name in names] if reply else None


def _by_reference(members: Sequence[Examples]) -> list[npt.NDArray[Any]]:
    return [output for content, exits, x in members for output in outputs_of(read_graph(content), x)[:exits]]


def vectors_text(expected: Expectations) -> str:
    """Return the content of the header with the expected outputs."""
    values = [str(value) for value in expected.outputs.reshape(-1).tolist()]
    return (
        f"/* What {expected.source} computes for each input of the self-test, at each exit of each member. */\n"
        f"#define TEST_INPUTS {expected.outputs.shape[1]}\n"
        f"#define TEST_SEED {SEED}u\n" + array_text("static const reds_net_value test_outputs", values)
    )
