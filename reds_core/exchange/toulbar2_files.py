"""Problems as cost function networks in the two file formats of toulbar2.

Limits are generalised linear constraints (`knapsackv` in CFN, `knapsackp` in WCSP). They cannot contain costs of pairs
of options, so each pair that has such costs gets a variable whose values are its pairs of options, and two tables that
link it to its groups. toulbar2 can also limit the cost of a second network, in which pair costs need no variable, but
crashes on some problems with two such constraints.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from os import PathLike

import numpy as np

from reds_core.exchange.cost_network import CostFunction, CostNetwork, LinearLimit, cost_network
from reds_core.exchange.names import label, option_name, pair_option_name, pair_variable_name, variable_name
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.system.files import given_file, written_beside


def write_cfn(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a cost function network in the CFN format (JSON) of toulbar2.

    The optimum that toulbar2 reports is the negative of the value. `choice_of_solution` reads its solution files.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if the costs of the network, or the sum of them and its constant, could pass 5.1e17.
        InputError: if the file cannot be written.
    """
    _write(path, _cfn(problem, cost_network(problem)))


def _cfn(problem: KnapsackProblem, network: CostNetwork) -> Iterator[str]:
    """A network as JSON, one variable or function on each line."""
    groups = range(len(problem.groups))
    names = [variable_name(problem, g) for g in groups]
    names += [pair_variable_name(k) for k in range(len(network.products))]
    values = [[option_name(problem, g, i) for i in range(network.sizes[g])] for g in groups]
    values += [
        [pair_option_name(i, j) for i in range(network.sizes[a]) for j in range(network.sizes[b])]
        for a, b in network.products
    ]
    header = {"name": label(problem.name) or "problem", "mustbe": f"<{network.top - network.constant}"}
    yield f'{{"problem": {json.dumps(header)},'
    yield '"variables": {'
    yield ",\n".join(f"{json.dumps(name)}: {json.dumps(of)}" for name, of in zip(names, values, strict=True))
    yield '},\n"functions": {'
    for name, function in _cfn_functions(network, names):
        yield f"{json.dumps(name)}: {json.dumps(function)},"
    yield f'"constant": {json.dumps({"scope": [], "costs": [-network.constant]})}'
    yield "}\n}"


def _cfn_functions(network: CostNetwork, names: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    for k, function in enumerate((*network.functions, *_bounds(network))):
        scope = [names[v] for v in function.scope]
        yield f"cost{k}", {"scope": scope, "costs": function.costs.ravel().tolist()}
    for k, (ends, allowed) in enumerate(_links(network)):
        costs = [number for pair in allowed for number in (*pair, 0)]
        yield f"link{k}", {"scope": [names[v] for v in ends], "defaultcost": network.top, "costs": costs}
    for k, limit in enumerate(network.limits):
        capacity, weights = _at_least(limit)
        entries = [[v, i, w] for v, table in zip(limit.variables, weights, strict=True) for i, w in table]
        params = {"capacity": capacity, "weightedvalues": entries}
        scope = [names[v] for v in limit.variables]
        yield f"limit{k}_{label(limit.name)}", {"scope": scope, "type": "knapsackv", "params": params}


def _bounds(network: CostNetwork) -> list[CostFunction]:
    """Functions that forbid the options outside floors and ceilings."""
    return [
        CostFunction((g,), np.where(forbidden, network.top, 0))
        for g, forbidden in enumerate(network.excluded)
        if forbidden.any()
    ]


def _links(network: CostNetwork) -> Iterator[tuple[tuple[int, int], list[tuple[int, int]]]]:
    """The scopes of the tables that link the variable of a pair to its groups, with the allowed pairs of values."""
    first_pair = len(network.sizes) - len(network.products)
    for k, (a, b) in enumerate(network.products):
        rows, columns = np.divmod(np.arange(network.sizes[first_pair + k]), network.sizes[b])
        for group, options in ((a, rows), (b, columns)):
            yield (first_pair + k, group), list(enumerate(options.tolist()))


def _at_least(limit: LinearLimit) -> tuple[int, list[list[tuple[int, int]]]]:
    """A limit turned round, as toulbar2 states it: weights that add up to at least a capacity.

    Returns:
        The capacity, and for each variable its values with weights that are not 0. No weight is negative.
    """
    capacity, weights = -limit.room, []
    for costs in limit.costs:
        most = int(costs.max())
        capacity += most
        weights.append([(i, most - cost) for i, cost in enumerate(costs.tolist()) if cost != most])
    return capacity, weights


def write_wcsp(problem: KnapsackProblem, path: str | PathLike[str]) -> None:
    """Write `problem` as a weighted constraint satisfaction problem in the WCSP format of toulbar2.

    The format has no negative constants: the value is the sum of the largest values of each group and pair minus the
    optimum that toulbar2 reports. `choice_of_solution` reads its solution files.

    Args:
        problem: the problem.
        path: path of the file.

    Raises:
        UnsupportedError: if the costs of the network, or the sum of them and its constant, could pass 5.1e17.
        InputError: if the file cannot be written.
    """
    _write(path, _wcsp(label(problem.name) or "problem", cost_network(problem)))


def _wcsp(name: str, network: CostNetwork) -> Iterator[str]:
    functions = [*network.functions, *_bounds(network)]
    count = len(functions) + 2 * len(network.products) + len(network.limits) + 1
    yield f"{name} {len(network.sizes)} {max(network.sizes)} {count} {network.top}"
    yield " ".join(map(str, network.sizes))
    for function in functions:
        where = np.nonzero(function.costs)
        yield " ".join(map(str, (len(function.scope), *function.scope, 0, where[0].size)))
        for *options, cost in zip(*(axis.tolist() for axis in where), function.costs[where].tolist(), strict=True):
            yield " ".join(map(str, (*options, cost)))
    for scope, allowed in _links(network):
        yield f"2 {scope[0]} {scope[1]} {network.top} {len(allowed)}"
        yield from (f"{cell} {option} 0" for cell, option in allowed)
    for limit in network.limits:
        capacity, weights = _at_least(limit)
        parts = [len(limit.variables), *limit.variables, -1, "knapsackp", capacity]
        for table in weights:
            parts += [len(table), *(number for entry in table for number in entry)]
        yield " ".join(map(str, parts))
    yield "0 0 0"  # a constant of 0, because toulbar2 refuses a file without functions


def _write(path: str | PathLike[str], lines: Iterable[str]) -> None:
    with written_beside(given_file(path, "path")) as temporary, temporary.open("w", encoding="ascii") as file:
        file.writelines(f"{line}\n" for line in lines)
