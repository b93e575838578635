"""The conformance kit itself: an honest solver passes, each bad one fails exactly the check meant for it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from reds_core.errors import InputError, UnavailableError
from reds_core.knapsack.solver import Solver
from reds_core.testing import SOLVER_CHECKS, CheckOutcome, Settings, check, check_solver, solver_conformance
from reds_core.testing.isolation import captured_stdout
from reds_core.testing.report import Failure, Skip
from reds_core.testing.runner import Check, CheckRun

SUPPORT = Path(__file__).parent / "support"
sys.path.insert(0, str(SUPPORT))  # so that a fresh interpreter, too, can import the mocks by name
import mock_solvers as mocks  # noqa: E402

sys.path.remove(str(SUPPORT))

QUICK = Settings(seeds=1)
CHECK_NAMES = [c.name for c in SOLVER_CHECKS]


def failures(make: type[Solver] | Solver, settings: Settings = QUICK) -> dict[str, str]:
    return {r.name: r.reason for r in check_solver(make, settings).with_outcome(CheckOutcome.FAILED)}


def blind(prefix: str) -> Callable[[], Solver]:
    return lambda: mocks.Blind(mocks.BlindSpot(prefix))


BAD: list[tuple[str, Callable[[], Solver], str, str]] = [
    ("misnamed", mocks.Misnamed, "declares_what_it_is", "not a lower-case word"),
    ("malformed", mocks.Malformed, "answers_in_form", "feasible without a choice"),
    ("untyped", mocks.Untyped, "answers_in_form", "its backend seconds '0.1' are not a number"),
    ("unbounded", mocks.Unbounded, "answers_in_form", "its bound does not fit in 64 bits"),
    ("overconfident", mocks.Overconfident, "keeps_apart_what_floats_cannot", "claims an optimum above its exact_below"),
    ("crashing", mocks.Crashing, "answers_in_form", "ZeroDivisionError: oops"),
    ("boastful", mocks.Boastful, "answers_in_form", "asserts bound without declaring"),
    ("over budget", mocks.OverBudget, "stays_within_the_budget", "exceeds sum0 by"),
    ("out of bounds", mocks.OutOfBounds, "stays_within_the_budget", "outside floors and ceilings"),
    ("false optimum", mocks.FalseOptimum, "never_claims_a_false_optimum", "claims optimality at value"),
    ("low bound", mocks.LowBound, "never_bounds_below_the_optimum", "is below the optimum"),
    ("despairing", mocks.Despairing, "never_claims_false_infeasibility", "claims infeasibility where"),
    ("timid", mocks.Timid, "proves_small_problems", "where a proof of optimal is due"),
    ("unassertive", mocks.Unassertive, "asserts_what_it_declares", "asserts it on none"),
    ("fruitless", mocks.Fruitless, "finds_a_choice_where_the_smallest_fits", "found no choice on roomy"),
    ("tolerant", mocks.Tolerant, "meets_a_budget_exactly", "exceeds sum by 1 on exact_budget(unit=10000000"),
    ("gap stopper", mocks.GapStopper, "tells_near_equal_values_apart", "claims optimality"),
    ("floating", mocks.Floating, "keeps_apart_what_floats_cannot", "claims optimality"),
    ("mumbling", mocks.Mumbling, "refuses_in_words", "refusal returned 3"),
    ("forgetful", mocks.Forgetful, "answers_the_same_twice", "a used object answers"),
    ("restless", mocks.Restless, "repeats_itself_with_one_seed", "different choices under one seed"),
    ("meddling", mocks.Meddling, "leaves_the_problem_unchanged", "changed the problem"),
    ("sluggish", mocks.Sluggish, "honours_the_time_limit", "under a time limit of 0.5 s"),
    ("secretive", mocks.Secretive, "honours_the_time_limit", "does not report that it was stopped"),
    ("hasty", mocks.Hasty, "is_sane_when_time_is_short", "claims infeasibility where"),
    ("vague", mocks.Vague, "is_sane_when_time_is_short", "names no limit"),
    ("stubborn", mocks.Stubborn, "starts_from_the_hint", "from a hint of value"),
    ("overeager", mocks.Overeager, "stops_at_the_gap", "says that it stopped at the gap"),
    ("plodding", mocks.Plodding, "stops_at_the_gap", "continued to its time limit"),
    ("deaf", mocks.Deaf, "takes_a_known_bound", "is above the known bound"),
    ("doubtful", mocks.Doubtful, "takes_a_known_bound", "though the hint has the value of the known bound"),
    ("picky", mocks.Picky, "takes_every_control", "one thread only"),
    ("printing", mocks.Printing, "prints_nothing", "printed 'Welcome"),
    ("writing", mocks.Writing, "prints_nothing", "printed 'Welcome"),
    ("spawning", mocks.Spawning, "prints_nothing", "printed 'Welcome"),
    ("blind to ties", blind("ties"), "breaks_ties", "infeasibility"),
    ("blind to one option", blind("one_option"), "takes_groups_of_one_option", "infeasibility"),
    ("blind to no resource", blind("no_resource"), "takes_problems_without_resources", "infeasibility"),
    ("blind to negative values", blind("negative_values"), "takes_negative_values", "infeasibility"),
    ("blind to pair costs", blind("pair_costs"), "takes_pair_costs_that_are_no_product", "infeasibility"),
    ("blind to peaks", blind("peak_of_three"), "counts_peaks_over_three_groups", "infeasibility"),
    ("blind to bounds", blind("bounded"), "keeps_floors_and_ceilings", "infeasibility"),
    ("blind to both", blind("not_together"), "sees_that_budgets_cannot_be_met_together", "exceeds"),
    ("blind to one point", blind("single_point"), "survives_a_single_feasible_choice", "infeasibility"),
    ("blind to order", blind("permuted"), "answers_permuted_groups_alike", "on permuted("),
    ("blind to scale", blind("scaled"), "answers_scaled_values_alike", "on scaled("),
    ("blind to correlation", blind("correlated"), "takes_values_that_follow_costs", "infeasibility"),
    ("blind to levels", blind("leveled"), "takes_options_that_are_rows_of_levels", "on leveled("),
    ("blind to generated", blind("generated"), "agrees_with_brute_force_on_generated_problems", "widths [1]"),
]
"""What is bad, what makes it, the one check that it fails, and what the reason says."""


@pytest.mark.parametrize(("make", "name", "reason"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_solver_fails_the_check_meant_for_it_and_no_other(
    make: Callable[[], Solver], name: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reds_core.testing.solver_conduct.GRACE_S", 0.6)
    monkeypatch.setattr("reds_core.testing.plugin_checks.imports_of", lambda module: set())  # a process each
    made = make()
    found = failures(made, Settings(seeds=1, proves=isinstance(made, mocks.Timid)))
    assert list(found) == [name]
    assert reason in found[name]


def test_every_check_has_a_solver_that_fails_it() -> None:
    elsewhere = {"imports_nothing_heavy", "is_not_asked_what_it_does_not_declare"}
    assert {b[2] for b in BAD} | elsewhere == set(CHECK_NAMES)


def test_an_honest_solver_passes_every_check() -> None:
    report = check_solver(mocks.Honest, Settings(proves=True))
    assert report.ok
    assert {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)} == {
        "is_not_asked_what_it_does_not_declare": "declares every feature"
    }


def test_a_modest_solver_is_asked_no_more_than_it_declares() -> None:
    report = check_solver(mocks.Modest, QUICK)
    assert report.ok
    skipped = {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert skipped["never_claims_a_false_optimum"] == "does not declare optimal"
    assert skipped["never_bounds_below_the_optimum"] == "does not declare bound"
    assert skipped["proves_small_problems"] == "does not promise proofs (Settings.proves)"


def test_a_solver_of_few_features_is_only_asked_what_it_takes() -> None:
    report = check_solver(mocks.Narrow, QUICK)
    skipped = {r.name: r.reason for r in report.with_outcome(CheckOutcome.SKIPPED)}
    assert report.with_outcome(CheckOutcome.FAILED) == ()
    assert skipped["counts_peaks_over_three_groups"] == "it does not handle peak"
    assert skipped["keeps_floors_and_ceilings"] == "it does not handle bounds"
    assert "is_not_asked_what_it_does_not_declare" not in skipped


def test_a_host_that_asks_too_much_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reds_core.testing.solver_conduct.why_not", lambda solver, problem: None)
    assert "is asked random_problem" in failures(mocks.Narrow)["is_not_asked_what_it_does_not_declare"]


def test_a_solver_that_cannot_be_made_fails() -> None:
    class Unmade(mocks.Honest):
        def __init__(self, options: object = None) -> None:
            raise OSError("no licence")

    report = check_solver(Unmade, QUICK)
    assert {r.outcome for r in report.results} == {CheckOutcome.FAILED, CheckOutcome.SKIPPED}
    assert "no licence" in report.results[0].reason


MODULE = """
{top}
from reds_core.hooks import hookimpl
from reds_core.knapsack.solution import Answer, Status
from reds_core.knapsack.solver import Claim, Control, Feature, Solver

class Third(Solver):
    name = "third"
    features, claims, controls = Feature.ALL, Claim.NONE, Control.NONE
    requires = ({requires})

    def solve(self, problem, controls):
        import reds_test_backend
        return Answer(Status.FEASIBLE, problem.floors)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Write a module with the solver class Third beside a library that it needs; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "reds_test_backend.py").write_text("")

    def write(name: str, top: str = "", requires: str = "") -> str:
        (tmp_path / f"{name}.py").write_text(MODULE.format(top=top, requires=requires))
        return f"{name}:Third"

    return write


def test_importing_eagerly_fails_the_import_check(module: Callable[..., str]) -> None:
    lazy = {r.name: r for r in check(module("reds_test_lazy"), settings=QUICK)[0].results}
    assert lazy["imports_nothing_heavy"].outcome is CheckOutcome.PASSED
    eager = {
        r.name: r for r in check(module("reds_test_eager", top="import reds_test_backend"), settings=QUICK)[0].results
    }
    assert eager["imports_nothing_heavy"].outcome is CheckOutcome.FAILED
    assert "imports reds_test_backend; import them inside the methods" in eager["imports_nothing_heavy"].reason
    differing = [name for name in lazy if lazy[name].outcome is not eager[name].outcome]
    assert differing == ["imports_nothing_heavy"]


# --- front doors -----------------------------------------------------------------------------------------------------


def test_check_takes_names_and_classes(module: Callable[..., str]) -> None:
    (report,) = check("greedy", settings=QUICK)
    assert (report.plugin, report.kind) == ("greedy", "solver")
    assert report.ok, str(report)
    (report,) = check("mock_solvers:Honest", settings=QUICK)
    assert report.ok


KINDS = "solver, scorer, pruner, framework, plugin of layers, transform, realisation, target, device or governor"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("greddy", "unknown plugin 'greddy'; did you mean 'greedy'"),
        ("reds_test_absent:Class", "module 'reds_test_absent' cannot be imported"),
        ("mock_solvers:Absent", "module 'mock_solvers' has no 'Absent'"),
        ("mock_solvers:ALL_CLAIMS", f"is not a class of a {KINDS}"),
        ("reds_core.knapsack.solver:Solver", f"is not a class of a {KINDS}"),
        ("", "unknown plugin ''"),
    ],
)
def test_bad_targets_are_refused(target: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check(target)
    assert message in str(caught.value)


def test_a_plugin_whose_library_is_missing_is_not_checked(module: Callable[..., str]) -> None:
    with pytest.raises(UnavailableError, match="needs reds_test_absent"):
        check(module("reds_test_needy", requires='"reds_test_absent",'))


def test_an_object_is_checked_with_its_options() -> None:
    assert list(failures(mocks.Blind(mocks.BlindSpot("ties")))) == ["breaks_ties"]


def test_the_report_reads_as_a_table() -> None:
    text = str(check_solver(mocks.OverBudget, QUICK))
    assert "failed   stays_within_the_budget" in text
    assert "skipped  breaks_ties" in text
    assert "not meaningful while stays_within_the_budget fails" in text
    assert text.splitlines()[-1].startswith("solver 'modest': 3 passed, 1 failed, ")


@solver_conformance(partial(mocks.Honest), QUICK)
def test_the_parametriser(check: Callable[[], None]) -> None:
    check()


def parameters(make: Callable[[], Solver], settings: Settings) -> dict[str, Callable[[], None]]:
    mark = solver_conformance(make, settings)
    return {str(p.id): p.values[0] for p in mark.args[1]}


def test_the_parametriser_gives_one_test_a_check_with_the_same_outcome() -> None:
    settings = Settings(seeds=1, expected_failures={"breaks_ties": "known"})
    tests = parameters(blind("ties"), settings)
    assert list(tests) == CHECK_NAMES
    tests["takes_negative_values"]()
    with pytest.raises(pytest.xfail.Exception, match="known"):
        tests["breaks_ties"]()
    with pytest.raises(pytest.skip.Exception, match="declares every feature"):
        tests["is_not_asked_what_it_does_not_declare"]()
    with pytest.raises(AssertionError, match="exceeds"):
        parameters(mocks.OverBudget, QUICK)["stays_within_the_budget"]()


def test_an_expected_failure_dies_when_it_is_mended() -> None:
    expected = Settings(seeds=1, expected_failures={"breaks_ties": "loops, see the tracker"})
    report = check_solver(mocks.Blind(mocks.BlindSpot("ties")), expected)
    assert report.ok
    (result,) = report.with_outcome(CheckOutcome.EXPECTED)
    assert (result.name, result.reason.startswith("loops, see the tracker (")) == ("breaks_ties", True)
    mended = failures(mocks.Honest, expected)
    assert list(mended) == ["breaks_ties"]
    assert "remove it from expected_failures" in mended["breaks_ties"]


def test_an_expected_failure_must_name_a_check() -> None:
    with pytest.raises(InputError, match="'break_ties' is not a check"):
        check_solver(mocks.Honest, Settings(expected_failures={"break_ties": "x"}))


def test_every_check_says_why() -> None:
    for each in SOLVER_CHECKS:
        assert len(each.reason) > 40, each.name
        assert set(each.after) <= set(CHECK_NAMES[: CHECK_NAMES.index(each.name)])


# --- the runner ------------------------------------------------------------------------------------------------------


def test_a_check_runs_once_and_what_builds_on_a_failure_is_skipped() -> None:
    ran: list[str] = []

    def first(subject: None) -> None:
        """Because."""
        ran.append("first")
        raise Failure("broken")

    def second(subject: None) -> None:
        """Because."""
        ran.append("second")

    def third(subject: None) -> None:
        """Because."""
        ran.append("third")
        raise Skip("no need")

    run: CheckRun[None] = CheckRun(lambda: None, (Check(first), Check(second, ("first",)), Check(third)), Settings())
    results = run.report("x", "solver").results
    assert [(r.outcome, r.reason) for r in results] == [
        (CheckOutcome.FAILED, "broken"),
        (CheckOutcome.SKIPPED, "not meaningful while first fails"),
        (CheckOutcome.SKIPPED, "no need"),
    ]
    assert run.result("first") is results[0]
    assert ran == ["first", "third"]


def test_all_that_is_printed_is_captured(capfd: pytest.CaptureFixture[str]) -> None:
    with captured_stdout() as captured:
        print("by Python")
    assert captured.text == "by Python\n"
    print("after")
    assert capfd.readouterr().out == "after\n"
