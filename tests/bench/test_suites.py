"""Shapes against published figures, synthetic problems against their definition, suites against shipped proofs."""

from __future__ import annotations

import numpy as np
import pytest

from reds_core.bench.graphs import TOPOLOGIES, chain
from reds_core.bench.shapes import NETWORKS
from reds_core.bench.synthetic import FULL_VALUE, KINDS, knapsack
from reds_core.problem import SumResource
from reds_core.problem_file import problem_digest

MACS = {
    # recounted from the published Keras models: ARM's keyword spotting zoo, MLPerf Tiny's visual wake words
    "ds-cnn-s": 2_656_768,
    "ds-cnn-m": 9_816_384,
    "cnn-s": 2_498_304,
    "dnn-s": 79_200,
    "mobilenet-v1-0.25-96": 7_489_664,
    # operations (two a multiply-accumulate) in "Hello Edge", table 4
    "ds-cnn-l": pytest.approx(56.9e6 / 2, rel=0.01),
    "cnn-m": pytest.approx(17.3e6 / 2, rel=0.01),
    "cnn-l": pytest.approx(25.3e6 / 2, rel=0.01),
    "dnn-m": pytest.approx(397.0e3 / 2, rel=0.01),
    "dnn-l": pytest.approx(990.2e3 / 2, rel=0.01),
    # in the networks' papers
    "mobilenet-v1": pytest.approx(569e6, rel=0.01),
    "mobilenet-v2": pytest.approx(300e6, rel=0.01),
    "resnet-50": pytest.approx(4.1e9, rel=0.01),
    "vit-b": pytest.approx(17.6e9, rel=0.01),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_have_the_macs_that_are_published(name: str) -> None:
    network = NETWORKS[name]()
    assert network.name == name
    assert network.macs == MACS[name]


@pytest.mark.parametrize("name", ["ds-cnn-s", "mobilenet-v1", "vit-b"])
def test_problems_cost_what_their_network_does(name: str) -> None:
    network = NETWORKS[name]()
    problem = knapsack(network, step=8, fraction=0.5)
    assert problem.evaluate(problem.ceilings).usage == {"macs": network.macs}
    assert problem.resources[0].capacity == network.macs // 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [1, 8])
def test_a_full_network_is_worth_the_same_whatever_its_scores(kind: str, step: int) -> None:
    problem = knapsack(NETWORKS["ds-cnn-s"](), kind, step)
    terms = len(problem.groups) + len(problem.pairs)
    assert problem.evaluate(problem.ceilings).value == pytest.approx(FULL_VALUE, abs=terms)


@pytest.mark.parametrize("kind", KINDS)
def test_pair_values_are_sums_of_kernels(kind: str) -> None:
    problem = knapsack(NETWORKS["ds-cnn-s"](), kind, kernels=True)
    rng = np.random.default_rng(0)
    scale = [
        float(p.values[-1, -1]) / float(p.kernel.sum())
        for p in problem.pairs
        if p.kernel is not None and p.values is not None
    ]
    assert len(scale) == 4
    assert np.ptp(scale) <= 1 / min(float(p.kernel.sum()) for p in problem.pairs if p.kernel is not None)
    for pair in problem.pairs:
        assert pair.kernel is not None
        assert pair.values is not None
        for _ in range(20):
            i, j = rng.integers(0, 64, 2)
            assert abs(pair.values[i, j] - scale[0] * pair.kernel[: i + 1, : j + 1].sum()) <= 1


def test_kernels_need_all_widths() -> None:
    with pytest.raises(ValueError, match="all widths"):
        knapsack(NETWORKS["ds-cnn-s"](), step=8, kernels=True)


def test_an_unknown_kind_of_scores_is_named() -> None:
    with pytest.raises(ValueError, match="'normal'"):
        knapsack(chain(2, 4), "normal")


def test_kinds_are_what_they_say() -> None:
    network = chain(3, 32)

    def gains(kind: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        values = knapsack(network, kind).pairs[0].values
        assert values is not None
        return np.diff(values[-1].astype(np.float64))

    assert gains("lognormal")[:8].mean() > 3 * gains("lognormal")[-8:].mean()
    assert np.ptp(gains("near-equal")) < 0.01 * gains("near-equal").mean()
    assert gains("convex")[-8:].mean() > 2 * gains("convex")[:8].mean()
    problem = knapsack(network, "cost-noise")
    macs = problem.resources[0]
    assert isinstance(macs, SumResource)
    ratios = []
    for choice in np.random.default_rng(1).integers(8, 32, (20, 3)):
        found = problem.evaluate(choice.tolist())
        ratios.append(found.value / found.usage["macs"])
    assert np.ptp(ratios) < 0.05 * np.mean(ratios)


@pytest.mark.parametrize("topology", TOPOLOGIES)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 24])
def test_random_networks_have_the_shape_that_is_asked(topology: str, size: int) -> None:
    network = TOPOLOGIES[topology](size, 3)
    assert len(network.groups) == size
    problem = knapsack(network)
    joined = {frozenset((p.first, p.second)) for p in problem.pairs}
    reached = {0}
    for _ in range(size):
        reached |= {g for pair in joined if pair & reached for g in pair}
    assert reached == set(range(size))
    if topology != "residual":
        assert len(joined) == size - 1
    if topology == "chain":
        assert joined == {frozenset((i, i + 1)) for i in range(size - 1)}
    if topology == "residual" and size > 6:
        assert len(joined) > size - 1
    assert problem_digest(problem) == problem_digest(knapsack(TOPOLOGIES[topology](size, 3)))
    assert size < 3 or problem_digest(problem) != problem_digest(knapsack(TOPOLOGIES[topology](size, 4)))
