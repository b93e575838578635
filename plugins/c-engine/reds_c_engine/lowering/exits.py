"""The order of steps in networks of several outputs: up to each exit in turn, first what later exits need as well."""

from __future__ import annotations

from collections.abc import Sequence

from reds_c_engine.records import Section, Step


def by_exits(steps: Sequence[Step], outputs: Sequence[int]) -> tuple[list[Step], tuple[Section, ...]]:
    """Return the steps of a network in the order of its exits, and how many belong to each exit.

    Steps that no output depends on are left out if there are several outputs.

    Args:
        steps: The steps in an order in which they can run.
        outputs: The index of the tensor of each output, the last one that of the network itself.
    """
    if len(outputs) == 1:
        return list(steps), (Section(len(steps), 0),)
    in_trunk = _needed(steps, outputs[-1])
    ordered: list[int] = []
    sections: list[Section] = []
    for output in outputs:
        here = [index for index in _needed(steps, output) if index not in ordered]
        trunk = [index for index in here if index in in_trunk]
        head = [index for index in here if index not in in_trunk]
        ordered += trunk + head
        sections.append(Section(len(trunk), len(head)))
    return [steps[index] for index in ordered], tuple(sections)


def _needed(steps: Sequence[Step], output: int) -> list[int]:
    """Return the indices of the steps that a tensor is computed by, in the order in which they run."""
    wanted, found = {output}, list[int]()
    for index in reversed(range(len(steps))):
        if steps[index].output in wanted:
            wanted.update(steps[index].inputs)
            found.append(index)
    return found[::-1]
