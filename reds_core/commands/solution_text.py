"""A solution as text. Kept apart from `console`, since importing rich takes longer than most solves."""

from __future__ import annotations

from reds_core.knapsack.solution import Solution


def solution_text(solution: Solution) -> str:
    """The status, solver, value, bound, usage and widths of a solution, in two columns, one line each."""
    rows = [("status", solution.status.value + (f" ({solution.limit.value} limit)" if solution.limit else ""))]
    rows.append(("solver", f"{solution.solver} {solution.version}, {solution.wall_s:.3f} s"))
    if solution.value is not None:
        rows.append(("value", f"{solution.value:,}"))
    if solution.bound is not None:
        gap = "" if solution.gap is None else f" (gap {100 * solution.gap:.3g} %)"
        rows.append(("bound", f"{solution.bound:,}{gap}"))
    rows += [(name, f"{amount:,}") for name, amount in (solution.usage or {}).items()]
    rows += [(f"  {group}", str(width)) for group, width in (solution.widths or {}).items()]
    rows += [("note", note) for note in solution.detail]
    indent = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{indent}}  {content}" for name, content in rows)
