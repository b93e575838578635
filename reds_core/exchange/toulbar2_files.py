"""Problems as cost function networks in the two file formats of toulbar2.

A limit on costs of single groups is a generalised linear constraint (`knapsackv` in CFN, `knapsackp` in WCSP). A limit
with pair costs is a hard constraint on the cost of a second network, in which these costs are functions of two
variables (`cfnconstraint` in CFN, `wcsp` in WCSP). Both write pair costs as tables, without a variable for each
joint choice.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike

import numpy as np

from reds_core.arrays import IntArray
from reds_core.exchange.cost_network import CostFunction, CostNetwork, SumLimit, cost_network
from reds_core.exchange.names import label, option_name, variable_name
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.files import given_file, write_text


def write_cfn(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a cost function network in the CFN format (JSON) of toulbar2.

    The optimum that toulbar2 reports is the negative of the value. `choice_of_solution` reads its solution files.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if the costs of the network could add up to 2^60.
        InputError: if the file cannot be written.
    """
    network = cost_network(problem)
    variables = {
        variable_name(problem, g): [option_name(problem, g, i) for i in range(group.options)]
        for g, group in enumerate(problem.groups)
    }
    names = list(variables)
    functions = {f"cost{k}": _cfn_table(names, each) for k, each in enumerate(network.functions)}
    for g, forbidden in enumerate(network.excluded):
        if forbidden.any():
            functions[f"bounds{g}"] = _cfn_table(names, CostFunction((g,), np.where(forbidden, network.top, 0)))
    for k, limit in enumerate(network.limits):
        body = _cfn_linear(names, limit) if limit.is_linear else _cfn_nested(variables, limit)
        functions[f"limit{k}_{label(limit.name)}"] = body
    functions["constant"] = json.dumps({"scope": [], "costs": [-network.constant]})
    text = _cfn(label(problem.name) or "problem", network.top - network.constant, variables, functions)
    write_text(given_file(path, "path"), text)


def _cfn(name: str, top: int, variables: Mapping[str, Sequence[str]], functions: Mapping[str, str]) -> str:
    """A network as JSON, one variable or function on each line.

    toulbar2 reads a nested network only if it begins on a new line, and its last bracket is alone on a line.
    """
    listed = ",\n".join(f"{json.dumps(key)}: {json.dumps(values)}" for key, values in variables.items())
    defined = ",\n".join(f"{json.dumps(key)}: {body}" for key, body in functions.items())
    header = json.dumps({"name": name, "mustbe": f"<{top}"})
    return f'{{"problem": {header},\n"variables": {{\n{listed}\n}},\n"functions": {{\n{defined}\n}}\n}}\n'


def _cfn_table(names: Sequence[str], function: CostFunction) -> str:
    return json.dumps({"scope": [names[v] for v in function.scope], "costs": function.costs.ravel().tolist()})


def _cfn_linear(names: Sequence[str], limit: SumLimit) -> str:
    capacity, weights = _at_least(limit)
    entries = [[v, i, w] for v, table in zip(limit.scope, weights, strict=True) for i, w in enumerate(table) if w]
    params = {"capacity": capacity, "weightedvalues": entries}
    return json.dumps({"scope": [names[v] for v in limit.scope], "type": "knapsackv", "params": params})


def _cfn_nested(variables: Mapping[str, Sequence[str]], limit: SumLimit) -> str:
    names = list(variables)
    most = sum(int(each.costs.max()) for each in limit.functions)
    nested = _cfn(
        label(limit.name) or "limit",
        most + 1,
        {names[v]: variables[names[v]] for v in limit.scope},
        {f"cost{k}": _cfn_table(names, each) for k, each in enumerate(limit.functions)},
    )
    scope = json.dumps([names[v] for v in limit.scope])
    settings = f'"lb": 0, "ub": {limit.room + 1}, "duplicatehard": 1, "strongduality": 0'
    return f'{{"scope": {scope}, "type": "cfnconstraint", "params": {{"cfn":\n{nested},\n{settings}}}}}'


def _at_least(limit: SumLimit) -> tuple[int, list[list[int]]]:
    """A linear limit turned round, as toulbar2 states it: weights that add up to at least a capacity.

    Returns:
        The capacity, and for each variable of the scope the weights of its options, which are not negative.
    """
    capacity, weights = -limit.room, []
    for function in limit.functions:
        most = int(function.costs.max())
        capacity += most
        weights.append((most - function.costs).tolist())
    return capacity, weights


def write_wcsp(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a weighted constraint satisfaction problem in the WCSP format of toulbar2.

    The format has no constants: the value is the sum of the largest values of each group and pair minus the optimum
    that toulbar2 reports. `choice_of_solution` reads its solution files.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if the costs of the network could add up to 2^60.
        InputError: if the file cannot be written.
    """
    network = cost_network(problem)
    lines = [*_wcsp(problem, network), ""]
    write_text(given_file(path, "path"), "\n".join(lines))


def _wcsp(problem: KnapsackProblem, network: CostNetwork) -> Iterator[str]:
    sizes = [group.options for group in problem.groups]
    bounds = [
        CostFunction((g,), np.where(forbidden, network.top, 0))
        for g, forbidden in enumerate(network.excluded)
        if forbidden.any()
    ]
    functions = [*network.functions, *bounds]
    count = len(functions) + len(network.limits) + 1
    yield from _wcsp_header(label(problem.name) or "problem", sizes, count, network.top)
    for function in functions:
        yield from _wcsp_table(function)
    for limit in network.limits:
        yield from _wcsp_linear(limit) if limit.is_linear else _wcsp_nested(sizes, limit)
    yield "0 0 0"  # a constant of 0, because toulbar2 refuses a file without functions


def _wcsp_header(name: str, sizes: Sequence[int], functions: int, top: int) -> Iterator[str]:
    yield f"{name} {len(sizes)} {max(sizes)} {functions} {top}"
    yield " ".join(map(str, sizes))


def _wcsp_table(function: CostFunction) -> Iterator[str]:
    """A function in extension: the entries that are not 0."""
    where: tuple[IntArray, ...] = np.nonzero(function.costs)
    yield " ".join(map(str, (len(function.scope), *function.scope, 0, where[0].size)))
    for *options, cost in zip(*(axis.tolist() for axis in where), function.costs[where].tolist(), strict=True):
        yield " ".join(map(str, (*options, cost)))


def _wcsp_scope(limit: SumLimit) -> str:
    return " ".join(map(str, (len(limit.scope), *limit.scope, -1)))


def _wcsp_linear(limit: SumLimit) -> Iterator[str]:
    capacity, weights = _at_least(limit)
    parts = [f"{_wcsp_scope(limit)} knapsackp {capacity}"]
    for table in weights:
        entries = [f"{i} {w}" for i, w in enumerate(table) if w]
        parts.append(" ".join([str(len(entries)), *entries]))
    yield " ".join(parts)


def _wcsp_nested(sizes: Sequence[int], limit: SumLimit) -> Iterator[str]:
    yield f"{_wcsp_scope(limit)} wcsp 0 {limit.room + 1} 1 0"
    places = {v: place for place, v in enumerate(limit.scope)}
    most = sum(int(each.costs.max()) for each in limit.functions)
    yield from _wcsp_header(
        label(limit.name) or "limit", [sizes[v] for v in limit.scope], len(limit.functions), most + 1
    )
    for each in limit.functions:
        yield from _wcsp_table(CostFunction(tuple(places[v] for v in each.scope), each.costs))
