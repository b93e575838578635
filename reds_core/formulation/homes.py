"""Assignment of layers to groups so that no group gets many: bipartite matching with capacities.

The options of a group multiply with each layer that is at home in it, so the greatest load decides how large tables
become. Capacities rise from 1 until all layers are assigned, and an assignment is extended along augmenting paths
(Kuhn, Naval Research Logistics Quarterly 2, 1955), so the greatest load is as small as possible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def least_loaded(candidates: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Assign each layer to one of its candidates, such that the most layers of one group are as few as possible.

    Args:
        candidates: For each layer the groups that it may be assigned to, at least one, the preferred one first.

    Returns:
        The group of each layer, in the order of `candidates`.
    """
    assigned: dict[str, str] = {}
    members: dict[str, list[str]] = {group: [] for groups in candidates.values() for group in groups}
    capacity, waiting = 1, list(candidates)
    while waiting:
        waiting = [layer for layer in waiting if not _placed(layer, candidates, assigned, members, capacity)]
        capacity += 1
    return {layer: assigned[layer] for layer in candidates}


def _placed(
    layer: str,
    candidates: Mapping[str, Sequence[str]],
    assigned: dict[str, str],
    members: dict[str, list[str]],
    capacity: int,
) -> bool:
    """Assign one more layer, moving others if that makes room. Return whether that was possible."""
    reached_by: dict[str, str] = {}  # for each group reached, the layer that would move there
    queue = [layer]
    for mover in queue:  # breadth first, so that few layers move
        for group in candidates[mover]:
            if group in reached_by:
                continue
            reached_by[group] = mover
            if len(members[group]) < capacity:
                _move_along(group, layer, reached_by, assigned, members)
                return True
            queue += members[group]
    return False


def _move_along(
    group: str,
    layer: str,
    reached_by: Mapping[str, str],
    assigned: dict[str, str],
    members: dict[str, list[str]],
) -> None:
    """Move each layer of an augmenting path that ends at `group` to the group that it reached."""
    while True:
        mover = reached_by[group]
        former = assigned.get(mover)
        assigned[mover] = group
        members[group].append(mover)
        if former is None:
            return
        members[former].remove(mover)
        group = former
