"""Recurrent layers. Units are channels: what a unit puts out, its rows in the recurrent kernel, and its gates.

Gates stand one after the other along the last axis of kernels and biases: input, forget, cell, output of an LSTM
(Keras's order), update, reset, candidate of a GRU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from reds_core.network import Axis, Dims, Fixed, WeightKind, concat, fixed_dims, tile
from reds_tensorflow.calls import Call, Flow, dims_in
from reds_tensorflow.handlers.layout import channel_dimension


def gated_cell(gates: int, states: int) -> Flow:
    """The cell of an LSTM, a GRU or a simple recurrent layer: one step.

    Args:
        gates: how many products each unit needs.
        states: how many numbers it hands to the next step, its output first.
    """

    def flow(call: Call) -> tuple[Dims, ...]:
        cell, (inner,) = call.layer, call.argument("inputs")
        units = call.fresh(cell.units)
        gate = tile(units, gates)
        call.kernel(cell.kernel, (inner, gate), 1)
        call.kernel(cell.recurrent_kernel, (units, gate), 1)
        if cell.bias is not None:
            # a GRU that resets after the product has one row for inputs and one for states
            axes = (*fixed_dims(cell.bias.shape[:-1]), gate)
            call.weight(cell.bias, WeightKind.BIAS, axes, len(axes) - 1)
        call.count(1, inner, gate)
        call.count(1, units, gate)
        call.resize(units=units)
        _activations(call, cell, (units,))
        # a loop (float32) copies the sequence twice and holds gates three times; steps (int8) hold the gates of all
        call.inside(call.buffer(2 * call.steps, inner), call.buffer(3 * gates + states + 2, units))
        call.inside(call.buffer(gates * call.steps, units))
        return ((units,),) * (1 + states)

    return flow


def stacked_cells(call: Call) -> tuple[Dims, ...]:
    """StackedRNNCells: each cell's output is the next one's input; the states stand cell by cell."""
    dims, states = call.argument("inputs"), []
    for i, cell in enumerate(call.layer.cells):
        shapes = tuple((n,) for n in (cell.output_size, *_sizes(cell.state_size)))
        arguments = {"inputs": dims, "states": _states_of(cell)}
        dims, *own = call.part(cell, arguments, shapes, path=("cells", i, "config"))
        states += own
    return (dims, *states)


def recurrent(call: Call) -> tuple[Dims, ...]:
    """LSTM, GRU, SimpleRNN: their cell's config is their own."""
    return _steps(call, ())


def recurrent_cells(call: Call) -> tuple[Dims, ...]:
    """RNN over a cell of any kind, or several."""
    return _steps(call, ("cell", "config"))


def _steps(call: Call, path: tuple[str, ...]) -> tuple[Dims, ...]:
    layer = call.layer
    _refuse_stateful(call)
    steps, *dims = call.argument("sequences")
    call.freeze("works step by step along a dimension that holds channels", steps)
    shapes = tuple((n,) for n in (layer.cell.output_size, *_sizes(layer.cell.state_size)))
    arguments = {"inputs": tuple(dims), "states": _states_of(layer.cell)}
    output, *states = call.part(layer.cell, arguments, shapes, call.size(steps), path)
    return _put_out(call, steps, output, states)


def convolutional_lstm(call: Call) -> tuple[Dims, ...]:
    """ConvLSTM1D, 2D, 3D: an LSTM whose products are convolutions."""
    layer, cell, at = call.layer, call.layer.cell, channel_dimension(call.layer)
    _refuse_stateful(call)
    steps, *dims = call.argument("sequences")
    inner = dims.pop(at)
    call.freeze("works across dimensions that hold channels", steps, *dims)
    shape = call.output_shapes[0][1:] if layer.return_sequences else call.output_shapes[0]
    output = list(fixed_dims(shape))
    units = output[at] = call.fresh(layer.filters)
    gate = tile(units, 4)
    count = call.size(steps) * (math.prod(shape) // shape[at])
    for kernel, source in ((cell.kernel, inner), (cell.recurrent_kernel, units)):
        sizes = tuple(kernel.shape[:-2])
        call.kernel(kernel, (*fixed_dims(sizes), source, gate), len(sizes) + 1)
        call.count(count * math.prod(sizes), source, gate)
    call.weight(cell.bias, WeightKind.BIAS, (gate,), 0)
    call.resize(filters=units)
    _activations(call, cell, tuple(output))
    call.inside(call.buffer(4 * call.size(steps) * math.prod(shape) // shape[at], units))
    return _put_out(call, steps, tuple(output), [tuple(output)] * 2)


def bidirectional(call: Call) -> tuple[Dims, ...]:
    """Bidirectional: one layer forwards, one backwards, their outputs merged.

    A unit goes with the one of its number in the other direction: Keras takes both directions to be of one width.
    """
    layer, sequences = call.layer, call.argument("sequences")
    given = list(dims_in(call.argument("initial_state")))
    half = len(given) // 2
    outputs, states = [], []
    for inner, entry, initial in (
        (layer.forward_layer, "layer", given[:half]),
        (layer.backward_layer, "backward_layer", given[half:]),
    ):
        arguments = {"sequences": sequences, "initial_state": initial or None}
        output, *own = call.part(inner, arguments, _shapes(inner, call.sizes(sequences)), path=(entry, "config"))
        outputs.append(output)
        states += own
    forward, backward = outputs
    if call.sizes(forward) != call.sizes(backward):
        raise call.unsupported("has directions of two widths", "give both as many units")
    for one, other in zip(forward, backward, strict=True):
        call.tie(one, other)
    if layer.merge_mode is None:
        return (*outputs, *states)
    if layer.merge_mode == "concat":
        return ((*forward[:-1], concat((forward[-1], backward[-1]))), *states)
    return (forward, *states)


def _shapes(layer: Any, sequences: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Shapes of the outputs of a recurrent layer, the batch not counted."""
    shapes = layer.compute_output_shape((None, *sequences))
    return tuple(tuple(shape[1:]) for shape in (shapes if layer.return_state else [shapes]))


def _put_out(call: Call, steps: Axis, output: Dims, states: list[Dims]) -> tuple[Dims, ...]:
    """The outputs of a layer over all steps; initial states that it was given are tied to its own."""
    for given, own in zip(dims_in(call.argument("initial_state")), states, strict=False):
        for one, other in zip(given, own, strict=True):
            call.tie(one, other)
    if call.layer.return_sequences:
        output = (Fixed(call.size(steps)), *output)
    return (output, *states) if call.layer.return_state else (output,)


def _activations(call: Call, cell: Any, dims: Dims) -> None:
    for name in ("activation", "recurrent_activation"):
        call.activation(getattr(cell, name, None), dims)


def _refuse_stateful(call: Call) -> None:
    if call.layer.stateful:
        raise call.unsupported("keeps its states from batch to batch", "build it with stateful=False")


def _states_of(cell: Any) -> list[Dims]:
    """The states that a cell is given, with all their numbers."""
    return [fixed_dims((n,)) for n in _sizes(cell.state_size)]


def _sizes(state_size: Any) -> Iterator[int]:
    """Sizes of a cell's states, which may be nested."""
    if isinstance(state_size, int):
        yield state_size
    else:
        for size in state_size:
            yield from _sizes(size)
