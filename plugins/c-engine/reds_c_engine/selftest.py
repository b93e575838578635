"""The self-test of a generated engine: inputs from a random generator, and the outputs that tflite-micro gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from reds_litert.graph import read_graph

from reds_c_engine.c_text import array_text
from reds_c_engine.records import Family
from reds_c_engine.reference import outputs_of

SEED = 2463534242
"""The first state of the generator (Marsaglia, Xorshift RNGs)."""
LARGEST_BYTES = 1 << 15
"""How many bytes the expected outputs may take."""
_ARENA_BYTES = 1 << 26


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
    try:
        from tflite_micro import runtime
    except ImportError:
        return None
    found = []
    for content, exits, inputs in members:
        try:
            interpreter = runtime.Interpreter.from_bytes(content, arena_size=_ARENA_BYTES)
        except RuntimeError:  # it runs no dense layers with weights of 4 bits, for example
            return None
        of_examples = []
        for example in inputs:
            interpreter.set_input(example[None], 0)
            interpreter.invoke()
            of_examples.append([np.array(interpreter.get_output(index)) for index in range(exits)])
        found += [np.array(outputs) for outputs in zip(*of_examples, strict=True)]
    return found


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
