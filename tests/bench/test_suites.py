"""Shapes against published figures, synthetic problems against their definition, suites against shipped proofs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reds_core.bench import suites
from reds_core.bench.graphs import TOPOLOGIES, chain
from reds_core.bench.problem_loading import load_problems
from reds_core.bench.shapes import NETWORKS
from reds_core.bench.suites import SUITES, read_facts, suite
from reds_core.bench.synthetic import FULL_VALUE, KINDS, knapsack
from reds_core.errors import InputError
from reds_core.knapsack.file import load_problem, problem_digest, save_problem
from reds_core.knapsack.problem import SumResource
from reds_core.knapsack.solution import Status
from reds_core.knapsack.solver import Controls, Feature, Solver, features_of, solve
from reds_core.registry import Registry
from reds_core.testing.oracle import brute_force

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


# --- suites -----------------------------------------------------------------------------------------------------------

INSTANCES = {i.problem.name: i for name in SUITES for i in suite(name)}


def test_there_are_three_suites_and_others_are_refused() -> None:
    assert SUITES == ("paper", "graphs", "tiny")
    with pytest.raises(InputError, match=r"unknown suite 'papre'.*paper, graphs, tiny"):
        suite("papre")


def test_instances_have_names_of_their_own_and_reasons() -> None:
    assert len(INSTANCES) == sum(len(suite(name)) for name in SUITES)
    assert all(name == name.lower() and " " not in name and "/" not in name for name in INSTANCES)
    assert all(len(i.reason) > 20 for i in INSTANCES.values())


def test_a_suite_is_the_same_problems_each_time() -> None:
    for name in SUITES:
        for instance in suite(name):
            known = INSTANCES[instance.problem.name]
            assert problem_digest(instance.problem) == problem_digest(known.problem)
            assert replace(instance, problem=known.problem) == known


def test_budgets_of_the_paper_are_shares_of_the_macs() -> None:
    for name in ("ds-cnn-s", "mobilenet-v1", "vit-b"):
        macs = NETWORKS[name]().macs
        for percent in (10, 25, 50, 75):
            (resource,) = INSTANCES[f"{name}-{percent}"].problem.resources
            assert resource.capacity == macs * percent // 100


def test_the_paper_suite_has_kernels_for_those_who_choose_kernels() -> None:
    with_kernels = [n for n, i in INSTANCES.items() if any(p.kernel is not None for p in i.problem.pairs)]
    assert with_kernels == [*(f"ds-cnn-s-kernels-{p}" for p in (10, 25, 50, 75)), "tiny-kernels"]


def test_tiny_has_every_feature() -> None:
    features = {n: features_of(i.problem) for n, i in INSTANCES.items() if n.startswith("tiny-")}
    seen = Feature.NONE
    for feature in features.values():
        seen |= feature
    assert seen == Feature.ALL
    assert Feature.PEAK in features["tiny-peak"]
    assert Feature.MULTI_RESOURCE in features["tiny-two-sums"]
    assert Feature.BOUNDS in features["tiny-bounds"]


def test_an_instance_that_changed_has_no_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    stale = {n: replace(f, sha256="0" * 64) for n, f in read_facts().items()}
    monkeypatch.setattr(suites, "read_facts", lambda: stale)
    assert {(i.optimum, i.lp_bound, i.infeasible) for i in suite("tiny")} == {(None, None, False)}


# --- what is shipped about them ---------------------------------------------------------------------------------------


def test_facts_are_about_the_instances_as_they_are() -> None:
    """If this fails, an instance changed: `python benchmarks/suites.py --write` proves its optimum anew."""
    assert {n: problem_digest(i.problem) for n, i in INSTANCES.items()} == {
        n: f.sha256 for n, f in read_facts().items()
    }


def test_every_optimum_of_paper_and_tiny_is_proved_twice() -> None:
    facts = read_facts()
    for name in ("paper", "tiny"):
        for instance in suite(name):
            assert facts[instance.problem.name].proved_by == ("cpsat", "dp"), instance.problem.name
            assert instance.infeasible != (instance.optimum is not None)


def test_bounds_are_not_below_optima() -> None:
    for instance in INSTANCES.values():
        assert instance.lp_bound is not None or instance.infeasible
        if instance.optimum is not None and instance.lp_bound is not None:
            assert instance.lp_bound >= instance.optimum


def test_brute_force_agrees_where_it_can() -> None:
    tried = 0
    for instance in INSTANCES.values():
        if np.prod([g.options for g in instance.problem.groups], dtype=float) <= 300_000:
            truth = brute_force(instance.problem)
            assert truth.value == instance.optimum
            assert instance.infeasible == (truth.value is None)
            tried += 1
    assert tried >= 5


@pytest.mark.parametrize("name", [n for n in INSTANCES if n.startswith(("tiny-", "ds-cnn-s-", "cnn-s-"))])
def test_dp_still_proves_what_is_shipped(name: str) -> None:
    instance = INSTANCES[name]
    solution = solve(instance.problem, Registry().create(Solver, "dp"), Controls(time_limit_s=30))
    assert solution.status is (Status.INFEASIBLE if instance.infeasible else Status.OPTIMAL)
    assert solution.value == instance.optimum


def test_the_command_writes_every_instance_as_a_file(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "suites.py"
    subprocess.run([sys.executable, script, "--suite", "tiny", "--out", tmp_path], check=True, timeout=120)
    files = {p.stem: p for p in tmp_path.glob("tiny/*.npz")}
    assert set(files) == {n for n in INSTANCES if n.startswith("tiny-")}
    for name, path in files.items():
        assert problem_digest(load_problem(path)) == problem_digest(INSTANCES[name].problem)
        assert load_problem(path).name == name


def test_the_command_without_work_to_do_says_so() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "suites.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert "nothing to do" in done.stderr


def test_suites_import_no_library_behind_a_solver() -> None:
    code = "import sys; from reds_core.bench.suites import suite; suite('tiny'); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    heavy = ("tensorflow", "scipy", "ortools", "pandas", "joblib", "matplotlib")
    assert not [m for m in heavy if f"'{m}'" in done.stdout]


def test_an_instance_in_a_file_keeps_what_is_known_of_it(tmp_path: Path) -> None:
    instance = next(each for each in suite("tiny") if each.optimum is not None)
    save_problem(instance.problem, tmp_path / "renamed.npz")
    (found,) = load_problems([tmp_path / "renamed.npz"], [])
    assert (found.facts.name, found.facts.optimum) == ("renamed", instance.optimum)
    assert found.facts.lp_bound == instance.lp_bound
