"""The parts of a network with early exits, each of which ends at one of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reds_core.errors import InputError, UnsupportedError, argument, command
from reds_core.formulation.statement import Statement
from reds_core.framework.framework import Framework
from reds_core.network.description import Network
from reds_core.network.exits import exit_names


def with_exit_parts(
    statement: Statement, framework: Framework, model: Any, stated: Callable[[Network, Any, str | None], Statement]
) -> Statement:
    """Return the statement of a model with those of the parts that its exits need; unchanged if it has no early exits.

    Args:
        statement: The statement of the whole model.
        framework: The framework of the model.
        model: The model.
        stated: Returns the statement of a part, given its description, its model and its exit.
    """
    early = exit_names(statement.network)
    if not early:
        return statement
    models = {exit: framework.ending_at(model, exit) for exit in (*early, None)}
    return statement.with_parts({exit: stated(framework.inspect(part), part, exit) for exit, part in models.items()})


def part_at(statement: Statement, exit: str | None) -> Statement:
    """Return the statement of the part that an exit needs.

    Args:
        statement: The statement of the whole network.
        exit: The name of the exit; None for the last output.

    Raises:
        InputError: If the network has no such early exit.
    """
    if exit is not None and exit not in statement.parts:
        names = ", ".join(name for name in statement.exits if name is not None)
        have = f"its exits are {names}" if names else f"it has no early exits, which {command('exits')} adds"
        raise InputError(f"network '{statement.network.name}' has no early exit '{exit}'", have)
    return statement.part(exit)


def refuse_exits(network: Network) -> None:
    """Refuse a network with early exits where a table of a device is given.

    Raises:
        UnsupportedError: If the network has early exits.
    """
    if exit_names(network):
        raise UnsupportedError(
            "a table of a device knows no network that ends at an early exit",
            f"leave out {argument('latency_table')}, or give a model without exits",
        )
