"""Where the tensors of a member lie in the arena."""

from __future__ import annotations

from collections.abc import Sequence

from reds_litert.graph import FileGraph
from reds_litert.memory_plan import Buffer, Placement, place

from reds_c_engine.kernel_records import Arithmetic
from reds_c_engine.records import Exit, Member, PlacedStep, Program, Quantization, Step
from reds_c_engine.wide_records import WideArithmetic

_IN_PLACE = ("reds_lookup", "reds_softmax", "reds_wide_relu", "reds_wide_softmax")
"""Kernels that may write their output over their input."""


def placed(name: str, graph: FileGraph, program: Program) -> Member:
    """Return a member whose tensors have places in as small an arena as is found.

    Args:
        name: The name of the member.
        graph: The graph of its file.
        program: Its steps.
    """
    end = max(len(program.steps) - 1, 0)
    last_read = {program.input: 0}
    for time, step in enumerate(program.steps):
        last_read |= dict.fromkeys(step.inputs, time)
    passed = 0
    for output, section in zip(program.outputs, program.sections, strict=True):
        passed += section.trunk + section.head
        last_read[output] = max(last_read.get(output, 0), passed - 1)  # it is looked at before the next section runs
    last_read[program.outputs[-1]] = end + 1  # nothing may be written over it
    holder = {program.input: program.input}
    first, last = {program.input: 0}, {program.input: last_read[program.input]}
    for time, step in enumerate(program.steps):
        if step.output not in holder:
            origins = [holder[tensor] for tensor in _replaceable(step, program)]
            holder[step.output] = next((origin for origin in origins if last[origin] <= time), step.output)
            first.setdefault(holder[step.output], time)
        owner = holder[step.output]
        last[owner] = max(last.get(owner, 0), time, last_read.get(step.output, time))
    owners = list(first)
    buffers = [Buffer(program.sizes_bytes[t], first[t], min(last[t], end)) for t in owners]
    placement = place(buffers, program.bits // 8)
    places = _input_first(buffers, placement)
    at = dict(zip(owners, places, strict=True))

    def place_of(tensor: int) -> int:
        return at[holder[tensor]]

    steps = tuple(
        PlacedStep(
            step,
            tuple(None if tensor == program.input else place_of(tensor) for tensor in step.inputs),
            place_of(step.output) + step.output_offset_bytes,
        )
        for step in program.steps
    )
    source, targets = graph.tensors[graph.inputs[0]], [graph.tensors[index] for index in graph.outputs]
    exits = tuple(
        Exit(
            section,
            None if output == program.input else place_of(output),
            Quantization(target.scale, target.zero_point),
        )
        for output, section, target in zip(program.outputs, program.sections, targets, strict=True)
    )
    return Member(
        name=name,
        steps=steps,
        exits=exits,
        arena_bytes=placement.size_bytes,
        input_place=place_of(program.input),
        input=Quantization(source.scale, source.zero_point),
        input_shape=source.shape[1:],
        output_shape=targets[-1].shape[1:],
        bits=program.bits,
    )


def _input_first(buffers: Sequence[Buffer], placement: Placement) -> tuple[int, ...]:
    """Return places of which that of the input of the network, which is the first buffer, is 0 if that is possible.

    If it is 0 in all members, it does not depend on which of them is selected.
    """
    turned = tuple(
        placement.size_bytes - place - buffer.size_bytes
        for place, buffer in zip(placement.offsets, buffers, strict=True)
    )
    size = buffers[0].size_bytes
    for places in (placement.offsets, turned):
        others = zip(places[1:], buffers[1:], strict=True)
        if all(place >= size or not buffer.meets(buffers[0]) for place, buffer in others):
            return (0, *places[1:])
    return placement.offsets


def _replaceable(step: Step, program: Program) -> tuple[int, ...]:
    """Return the inputs over which a step may write its output if nothing reads them afterwards."""
    is_elementwise = step.kernel in _IN_PLACE or isinstance(step.settings, Arithmetic | WideArithmetic)
    size_bytes = program.sizes_bytes[step.output]
    return tuple(tensor for tensor in step.inputs if is_elementwise and program.sizes_bytes[tensor] == size_bytes)
