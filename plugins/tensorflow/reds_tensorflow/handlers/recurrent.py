"""Recurrent layers.

Units are channels: a unit is pruned together with its output, its rows in the recurrent kernel, and its gates. The
gates are concatenated along the last axis of kernels and biases, in Keras's order: input, forget, cell and output for
an LSTM; update, reset and candidate for a GRU.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from reds_core.network import Axis, Dims, Fixed, WeightKind, concat, fixed_dims, tile
from reds_tensorflow.calls import Call, Flow, dims_in
from reds_tensorflow.handlers.layout import channel_dimension


def gated_cell(gates: int, states: int) -> Flow:
    """Return the flow of one step of the cell of an LSTM, a GRU or a simple recurrent layer.

    Args:
        gates: number of gates, which is the number of matrix products per unit.
        states: number of states per unit that are passed to the next step. The first is the output.
    """

    def flow(call: Call) -> tuple[Dims, ...]:
        cell, (inner,) = call.layer, call.argument("inputs")
        units = call.fresh(cell.units)
        gate = tile(units, gates)
        call.kernel(cell.kernel, (inner, gate), 1)
        call.kernel(cell.recurrent_kernel, (units, gate), 1)
        if cell.bias is not None:
            # With reset_after, a GRU has one row of biases for inputs and one for states.
            axes = (*fixed_dims(cell.bias.shape[:-1]), gate)
            call.weight(cell.bias, WeightKind.BIAS, axes, len(axes) - 1)
        call.count(1, inner, gate)
        call.count(1, units, gate)
        call.resize(units=units)
        _activations(call, cell, (units,))
        # A loop (float32) copies the sequence twice and holds gates three times. Unrolled steps (int8) hold all gates.
        call.inside(call.buffer(2 * call.steps, inner), call.buffer(3 * gates + states + 2, units))
        call.inside(call.buffer(gates * call.steps, units))
        return ((units,),) * (1 + states)

    return flow


def stacked_cells(call: Call) -> tuple[Dims, ...]:
    """StackedRNNCells: the output of each cell is the input of the next. States are listed cell by cell."""
    dims, states = call.argument("inputs"), []
    for i, cell in enumerate(call.layer.cells):
        shapes = tuple((n,) for n in (cell.output_size, *_sizes(cell.state_size)))
        arguments = {"inputs": dims, "states": _states_of(cell)}
        dims, *own = call.part(cell, arguments, shapes, path=("cells", i, "config"))
        states += own
    return (dims, *states)


def recurrent(call: Call) -> tuple[Dims, ...]:
    """LSTM, GRU and SimpleRNN, whose config is also that of their cell."""
    return _steps(call, ())


def recurrent_cells(call: Call) -> tuple[Dims, ...]:
    """RNN over one or several cells of any kind."""
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
    """ConvLSTM1D, ConvLSTM2D and ConvLSTM3D: an LSTM whose products are convolutions."""
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
    """Bidirectional: a forward and a backward layer whose outputs are merged.

    A unit is pruned together with the unit of the same index in the other direction, because Keras requires both
    directions to have the same width.
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
        raise call.unsupported("has directions of different widths", "give both the same number of units")
    for one, other in zip(forward, backward, strict=True):
        call.tie(one, other)
    if layer.merge_mode is None:
        return (*outputs, *states)
    if layer.merge_mode == "concat":
        return ((*forward[:-1], concat((forward[-1], backward[-1]))), *states)
    return (forward, *states)


def _shapes(layer: Any, sequences: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return the shapes of the outputs of a recurrent layer, without the batch dimension."""
    shapes = layer.compute_output_shape((None, *sequences))
    return tuple(tuple(shape[1:]) for shape in (shapes if layer.return_state else [shapes]))


def _put_out(call: Call, steps: Axis, output: Dims, states: list[Dims]) -> tuple[Dims, ...]:
    """Return the outputs of a layer over all steps, and tie initial states that it was given to its own states."""
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
    """Return the dimensions of the states of a cell at full width."""
    return [fixed_dims((n,)) for n in _sizes(cell.state_size)]


def _sizes(state_size: Any) -> Iterator[int]:
    """Yield the sizes of a cell's states, which may be nested."""
    if isinstance(state_size, int):
        yield state_size
    else:
        for size in state_size:
            yield from _sizes(size)
