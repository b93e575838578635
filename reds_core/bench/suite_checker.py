"""Checks a solution of a reds-problem/1 file. Needs Python 3.11 and NumPy, and nothing else.

    python check_solution.py problems/NAME.npz answer.json

The answer is a JSON object such as {"choice": [3, 0, 7]}, with one option index for each group, in the order of
'groups' in the header of the problem. The script prints the value of the choice, its usage of each resource and whether
it is feasible. If index.json lies beside the script, the script also prints the proven optimum. The exit status is 0
for a feasible choice, 1 for one that is not feasible, and 2 if a file cannot be read.

The script shares no code with reds. All numbers are integers of Python, which do not overflow.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]

EXAMPLE = '{"choice": [3, 0, 7]}'


def read_problem(path: Path | str) -> tuple[dict[str, Any], Arrays]:
    """Read a problem file.

    Returns:
        The header, and the arrays by name. Arrays that a file leaves out are zero.

    Raises:
        ValueError: if the file is not of the format reds-problem/1.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        header = json.loads(str(arrays.pop("header")))
        is_problem = header["format"] == "reds-problem/1"
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, zipfile.BadZipFile):
        is_problem = False
    if not is_problem:
        raise ValueError(f"{path} is not a reds-problem/1 file")
    return header, arrays


def read_choice(path: Path | str) -> list[int]:
    """Read the choice of an answer.

    Raises:
        ValueError: if the file is not a JSON object with a list of integers as 'choice'.
    """
    try:
        answer = json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not valid JSON ({error})") from error
    choice = answer.get("choice") if isinstance(answer, dict) else None
    if not isinstance(choice, list) or any(type(option) is not int for option in choice):
        raise ValueError(f"{path} is not a JSON object with a list of integers as 'choice', such as {EXAMPLE}")
    return choice


def evaluate(header: dict[str, Any], arrays: Arrays, choice: list[int]) -> dict[str, Any]:
    """Compute the value, the usage and the feasibility of a choice.

    Args:
        header: the header of the problem.
        arrays: its arrays.
        choice: one option index for each group.

    Returns:
        `value`, `usage` by resource, `feasible`, and `violations` as a list of sentences.

    Raises:
        ValueError: if the choice does not hold one valid option index for each group.
    """
    groups = header["groups"]
    if len(choice) != len(groups):
        raise ValueError(f"the choice has {len(choice)} entries, but the problem has {len(groups)} groups")
    chosen = dict(zip(groups, choice, strict=True))
    for group, option in chosen.items():
        if not 0 <= option < len(arrays[f"widths/{group}"]):
            raise ValueError(f"group '{group}' has no option {option}")

    def entry(name: str, *index: int) -> int:
        return int(arrays[name][index]) if name in arrays else 0

    ends = [(chosen[first], chosen[second]) for first, second in header["pairs"]]
    value = sum(entry(f"value/{group}", option) for group, option in chosen.items())
    value += sum(entry(f"pair_value/{k}", *options) for k, options in enumerate(ends))
    usage = {}
    for resource in header["resources"]:
        name = resource["name"]
        if resource["kind"] == "sum":
            usage[name] = int(resource.get("base") or 0)
            usage[name] += sum(entry(f"cost/{name}/{group}", option) for group, option in chosen.items())
            usage[name] += sum(entry(f"pair_cost/{name}/{k}", *options) for k, options in enumerate(ends))
            usage[name] += sum(_products(header, arrays, chosen, name))
        else:
            steps = [
                int(step.get("base", 0))
                + sum(entry(f"peak/{name}/{s}/{group}", chosen[group]) for group in step["groups"])
                for s, step in enumerate(resource["steps"])
            ]
            usage[name] = max(steps, default=0)
    violations = [
        f"the usage of '{resource['name']}' is {usage[resource['name']]}, above the capacity of {resource['capacity']}"
        for resource in header["resources"]
        if usage[resource["name"]] > resource["capacity"]
    ]
    for group, option in chosen.items():
        low = (header.get("floors") or {}).get(group, 0)
        high = (header.get("ceilings") or {}).get(group, option)
        if not low <= option <= high:
            violations.append(f"option {option} of group '{group}' is outside its floor and ceiling")
    return {"value": value, "usage": usage, "feasible": not violations, "violations": violations}


def _products(header: dict[str, Any], arrays: Arrays, chosen: dict[str, int], resource: str) -> list[int]:
    """The bilinear terms of a resource: coefficient x width of the first group x width of the second."""
    terms = []
    for (first, second), coefficients in zip(header["pairs"], header.get("bilinear") or [], strict=False):
        widths = [int(arrays[f"widths/{group}"][chosen[group]]) for group in (first, second)]
        terms.append(int(coefficients.get(resource, 0)) * widths[0] * widths[1])
    return terms


def known_facts(problem: Path) -> dict[str, Any]:
    """The entry of the problem in index.json beside this script; empty if there is none."""
    index = Path(__file__).with_name("index.json")
    if not index.exists():
        return {}
    entries = json.loads(index.read_text(encoding="utf-8"))["problems"]
    return next((entry for entry in entries if Path(entry["file"]).name == problem.name), {})


def main(arguments: list[str]) -> int:
    """Check the solution that the command line names, and return the exit status."""
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    problem, answer = (Path(argument) for argument in arguments)
    try:
        header, arrays = read_problem(problem)
        result = evaluate(header, arrays, read_choice(answer))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    facts = known_facts(problem)
    if facts.get("optimum") is not None:
        result["optimum"] = facts["optimum"]
    print(json.dumps(result, indent=1))
    return 0 if result["feasible"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
