"""`reds simulate` from the folder of a run to its files, and what it refuses."""

from __future__ import annotations

import csv
import json
import weakref
from pathlib import Path
from typing import Any

import pytest
from command_line import Reds
from html_pages import assert_nothing_is_fetched
from reds_dp import DpSolver
from reds_governors import reds_governors
from sample_families import save_profile, saved_family
from toy_governors import ChoosesMissingMembers, Prints
from toy_plugins import PluginModule

import reds_core
from reds_core.errors import ContractViolation, InfeasibleError, InputError
from reds_core.registry import Registry
from reds_core.runtime import Controller, Moment, Outcome, Plant, simulate_steps
from reds_core.watcher import Watcher

QUICK: dict[str, Any] = {"hours": 1.0, "step_s": 10.0, "verbose": 0}


@pytest.fixture
def reds(reds: Reds) -> Reds:
    """The command line with our governors and a solver."""
    reds.install(PluginModule("ours", (*reds_governors(), DpSolver)))
    return reds


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = saved_family(tmp_path_factory.mktemp("run"))
    save_profile(folder)
    return folder


@pytest.fixture(scope="module")
def simulated(run: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[reds_core.Simulation, Path]:
    out = tmp_path_factory.mktemp("out") / "sun"
    return reds_core.simulate(run, "failures", ["threshold", "pi,pid"], out, capacity_mJ=200.0, **QUICK), out


def test_the_summary_holds_each_governor_each_member_and_the_oracle(
    simulated: tuple[reds_core.Simulation, Path],
) -> None:
    found, out = simulated
    summary = json.loads((out / "summary.json").read_text())
    assert list(summary) == ["threshold", "pi", "pid", "oracle", "static-25", "static-50", "static-full"]
    for name, each in summary.items():
        assert {"accuracy", "energy_mJ", "available_mJ", "missed", "switches"} <= set(each)
        assert each["energy_mJ"] <= each["available_mJ"]
        assert each["requests"] == each["missed"] + sum(each["answered"].values())
        right = sum(share * each["answered"][member] for member, share in (("25", 0.7), ("50", 0.8), ("full", 0.85)))
        assert each["accuracy"] == pytest.approx(right / each["requests"])
        assert each["accuracy"] == found.results[name].accuracy
    assert found.highest_accuracy is not None
    assert all(each["accuracy"] <= found.highest_accuracy for each in summary.values())


def test_members_that_another_one_beats_are_compared_but_not_used(tmp_path: Path) -> None:
    """The second member takes more than the first, and is less accurate; the full network is not."""
    run = saved_family(tmp_path / "run", (0.7, 0.65, 0.85))
    found = reds_core.simulate(run, "constant", "pi", tmp_path / "s", **QUICK)
    assert list(found.results) == ["pi", "oracle", "static-25", "static-50", "static-full"]
    assert found.beaten == ("50",)
    assert found.results["static-50"].answered == {"25": 0, "full": 0, "50": 360}
    assert found.results["static-50"].accuracy == pytest.approx(0.65)
    assert found.results["pi"].answered["50"] == found.results["oracle"].answered["50"] == 0
    assert "Governors do not use 50:" in (tmp_path / "s" / "report.html").read_text()
    assert "reds_networks[] = {0, 2};" in (tmp_path / "s" / "reds_governor_config.h").read_text()


def test_the_full_network_is_compared_even_if_it_is_not_the_best(tmp_path: Path) -> None:
    run = saved_family(tmp_path / "run", (0.8, 0.8, 0.75))
    found = reds_core.simulate(run, "constant", "threshold", tmp_path / "s", **QUICK)
    assert list(found.static) == ["static-25", "static-50", "static-full"]
    assert found.results["static-full"].accuracy == pytest.approx(0.75)


def test_members_that_are_never_right_are_simulated_as_well(tmp_path: Path) -> None:
    run = saved_family(tmp_path / "run", (0.0, 0.0, 0.0))
    found = reds_core.simulate(run, "constant", "threshold,pi,pid,mpc,oracle", tmp_path / "s", **QUICK)
    assert {each.accuracy for each in found.results.values()} == {0.0}


def test_no_member_alone_is_better_than_the_oracle(tmp_path: Path) -> None:
    """The battery often holds an inference of the small member only, whose answers are hardly worth their energy."""
    run = saved_family(tmp_path / "run", (0.1, 0.15, 0.9))
    found = reds_core.simulate(run, "constant", "threshold", tmp_path / "s", harvest_mW=0.1, capacity_mJ=10.0, **QUICK)
    oracle = found.results["oracle"].accuracy
    assert oracle is not None
    assert oracle >= max(each.accuracy or 0 for each in found.static.values())
    page = (tmp_path / "s" / "report.html").read_text()
    assert "The harvested power over time, 0.1 mW on average" in page


def test_runs_whose_figures_are_no_shares_are_refused(tmp_path: Path) -> None:
    run = saved_family(tmp_path / "error", (0.3, 0.2, 0.1))
    plan = json.loads((run / "plan.json").read_text())
    plan["options"] = {"task": {"loss": "mse", "metric": "mean_squared_error"}}
    (run / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(InputError, match=r"the metric of '.*error' is 'mean_squared_error'; name a run that"):
        reds_core.simulate(run, "constant", "pi", tmp_path / "s", **QUICK)
    run = saved_family(tmp_path / "large", (12.0, 9.0, 7.0))
    with pytest.raises(InputError, match="states 12 as the accuracy of network '25', which is not between 0 and 1"):
        reds_core.simulate(run, "constant", "pi", tmp_path / "s", **QUICK)
    run = saved_family(tmp_path / "rounded", (0.9, 0.95, 1.0000001))
    assert reds_core.simulate(run, "constant", "pi", tmp_path / "s", **QUICK).points[-1].accuracy == 1.0


def test_the_folder_of_a_run_keeps_its_report(tmp_path: Path) -> None:
    run = saved_family(tmp_path / "run")
    (run / "report.html").write_text("the report of the run")
    for mode in ("refuse", "overwrite"):
        with pytest.raises(InputError, match="holds a run, a comparison or an audit; choose another out"):
            reds_core.simulate(run, "constant", "pi", run, mode=mode, **QUICK)
    assert (run / "report.html").read_text() == "the report of the run"


def test_a_device_and_a_model_are_not_both_taken(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="on names measured figures, and energy_model modelled ones; leave one"):
        reds_core.simulate(run, "constant", "pi", tmp_path / "s", on="board", energy_model="board-model", **QUICK)


def test_energies_that_cannot_be_counted_are_refused(tmp_path: Path) -> None:
    run = saved_family(tmp_path / "run")
    much = {"harvest_mW": 1e9, "step_s": 1.0, "verbose": 0}
    with pytest.raises(InputError, match=r"the trace brings more energy than .*; give less power, or less time"):
        reds_core.simulate(run, "constant", "pi", tmp_path / "s", hours=2.0, **much)
    found = reds_core.simulate(run, "constant", "threshold,pi,pid,mpc,oracle", tmp_path / "s", hours=1.0, **much)
    for each in found.results.values():
        assert 0 < each.energy_mJ <= each.available_mJ


def test_the_battery_of_a_trace_of_very_short_steps_is_one_that_exists(run: Path, tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    rows = "".join(f"{step * 1e-5:.5f},2,1000,20\n" for step in range(20))
    trace.write_text(f"time_s,harvest_mW,deadline_ms,temperature_C\n{rows}")
    found = reds_core.simulate(run, trace, "pi", tmp_path / "s", verbose=0)
    assert found.battery.capacity_mJ == 1e9


def test_names_of_traces_are_shown_as_they_are(run: Path, tmp_path: Path) -> None:
    trace = tmp_path / "wind & sun.csv"
    trace.write_text("time_s,harvest_mW,deadline_ms,temperature_C\n0,2,100,20\n60,0,100,20\n")
    reds_core.simulate(run, trace, "threshold", tmp_path / "s", verbose=0)
    page = (tmp_path / "s" / "report.html").read_text()
    assert "wind &amp; sun, the file wind &amp; sun.csv" in page
    assert "&amp;amp;" not in page


def test_the_sources_of_figures_are_listed_below_them(run: Path, tmp_path: Path) -> None:
    """Beside them, on narrow screens they would be one word wide."""
    reds_core.simulate(run, "constant", "pi", tmp_path / "s", **QUICK)
    page = (tmp_path / "s" / "report.html").read_text()
    below = page[page.index("Where these figures come from") :]
    assert "accuracy of subnet-25-int8.tflite; latency by profile on board; energy by energy of a test" in below


def test_it_says_which_governor_is_simulated(run: Path, tmp_path: Path) -> None:
    class Noting(Watcher):
        def stage(self, text: str) -> None:
            stages.append(text)

    stages: list[str] = []
    reds_core.simulate(run, "constant", "pid,mpc", tmp_path / "s", watcher=Noting(), hours=0.1, step_s=10.0)
    assert stages == ["simulating pid", "simulating mpc", "simulating oracle"]


def test_courses_are_not_kept(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a month take 80 MB each."""
    made: list[weakref.ref[Outcome]] = []
    alive: list[int] = []

    def noting(plant: Plant, controller: Controller, begin: Moment) -> Outcome:
        alive.append(sum(each() is not None for each in made))
        outcome = simulate_steps(plant, controller, begin)
        made.append(weakref.ref(outcome))
        return outcome

    monkeypatch.setattr("reds_core.simulation.api.simulate_steps", noting)
    reds_core.simulate(run, "constant", "threshold,pi", tmp_path / "s", **QUICK)
    assert len(made) == 6
    assert max(alive) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"queue": 3.5}, "queue cannot be 3.5; give a whole number"),
        ({"seed": 1.5}, "seed cannot be 1.5; give a whole number"),
        ({"leakage_mW": -5.0}, "the leakage in mW cannot be -5"),
        ({"step_s": 1e-7, "hours": 1e-8}, "steps of 0.10 ns|steps of 100 ns are not whole microseconds"),
        ({"hours": "24"}, "hours cannot be '24'; give a number"),
        ({"initial": True}, "initial cannot be True; give a number"),
        ({"governors": []}, "no governor is named; give governors, such as threshold"),
    ],
)
def test_arguments_of_other_types_are_refused(
    run: Path, tmp_path: Path, arguments: dict[str, Any], reason: str
) -> None:
    given = {"trace": "constant", "governors": "pi", "out": tmp_path / "s", "verbose": 0} | arguments
    with pytest.raises(InputError, match=reason):
        reds_core.simulate(run, **given)


def test_frames_sum_up_what_happened(simulated: tuple[reds_core.Simulation, Path]) -> None:
    found, out = simulated
    rows = list(csv.DictReader((out / "frames.csv").open()))
    assert {row["governor"] for row in rows} == set(found.results)
    of_pi = [row for row in rows if row["governor"] == "pi"]
    assert sum(int(row["steps"]) for row in of_pi) == 360
    assert sum(int(row["answered"]) for row in of_pi) == sum(found.results["pi"].answered.values())
    assert [float(row["time_s"]) for row in of_pi[:2]] == [0, 10]


def test_the_report_is_one_page_that_fetches_nothing(simulated: tuple[reds_core.Simulation, Path]) -> None:
    page = (simulated[1] / "report.html").read_text()
    assert_nothing_is_fetched(page)
    assert "threshold, pi, pid on trace failures" in page
    assert page.count('class="plot"') == 5
    assert "static-full" in page


def test_the_oracle_may_stand_alone(run: Path, tmp_path: Path) -> None:
    found = reds_core.simulate(run, "constant", "oracle", tmp_path / "s", **QUICK)
    assert (list(found.governors), found.yardstick) == ([], "oracle")
    assert "oracle on trace constant" in (tmp_path / "s" / "report.html").read_text()


def test_the_same_seed_gives_the_same_files(run: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        reds_core.simulate(run, "bursts", "threshold,pi", tmp_path / name, seed=3, **QUICK)
    for file in ("summary.json", "frames.csv", "report.html", "reds_governor_config.h"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file


def test_long_traces_are_thinned_in_the_page(run: Path, tmp_path: Path) -> None:
    found = reds_core.simulate(run, "solar", "threshold", tmp_path / "s", hours=24, step_s=2.0, verbose=0)
    assert {len(frames) for frames in found.frames.values()} == {497}
    assert (tmp_path / "s" / "report.html").stat().st_size < 4_000_000


def test_energies_that_are_larger_than_governors_know_are_still_there(run: Path, tmp_path: Path) -> None:
    found = reds_core.simulate(
        run, "solar", "pi,mpc", tmp_path / "s", energy_error=0.3, hours=24, step_s=20.0, verbose=0
    )
    for each in found.results.values():
        assert each.energy_mJ <= each.available_mJ
    answered = found.results["static-full"].answered["full"]
    assert found.results["static-full"].energy_mJ == pytest.approx(answered * 4 * 1.3)


def test_modelled_figures_are_said_to_be(tmp_path: Path, reds: Reds) -> None:
    saved_family(tmp_path / "run")
    done = reds(
        *("simulate", tmp_path / "run", "--trace", "constant", "--governor", "pi", "--out", tmp_path / "s"),
        *("--hours", "0.1"),
    )
    assert done.status == 0
    assert "latencies and energies are modelled, not measured" in done.err
    assert "wrote" in done.out
    assert "not measured" in (tmp_path / "s" / "report.html").read_text()


def test_the_command_prints_json(run: Path, tmp_path: Path, reds: Reds) -> None:
    done = reds(
        *("simulate", run, "--trace", "constant", "--governor", "pi", "--governor", "threshold", "--json"),
        *("--out", tmp_path / "s", "--hours", "0.1", "--capacity-mJ", "100"),
    )
    assert done.status == 0
    assert list(json.loads(done.out))[:2] == ["pi", "threshold"]


@pytest.mark.parametrize(
    ("arguments", "status", "reason"),
    [
        (("--governor", "thresho1d"), 2, "unknown governor 'thresho1d'; did you mean 'threshold'?"),
        (("--governor", "pi,"), 2, "a governor has no name"),
        (("--trace", "sollar"), 2, "trace 'sollar' does not exist; did you mean 'solar'?"),
        (("--capacity-mJ", "0.5"), 3, "never holds the energy of an inference; give at least 1.00 mJ"),
        (("--capacity-mJ", "-1"), 2, "the capacity of the battery in mJ cannot be -1"),
        (("--initial", "1.5"), 2, "the initial charge cannot be 1.5"),
        (("--efficiency", "nan"), 2, "the efficiency of charging cannot be nan"),
        (("--leakage-mW", "-1"), 2, "the leakage in mW cannot be -1"),
        (("--queue", "0"), 2, "the number of requests that wait cannot be 0"),
        (("--hours", "0"), 2, "a trace of 0 s cannot be made"),
        (("--step", "0"), 2, "a step cannot take 0 s"),
        (("--energy-error", "-1"), 2, "--energy-error cannot be -1"),
        (("--deadline-ms", "1"), 3, "no subnetwork answers a request within its deadline"),
        (("--on", "litert"), 2, "holds no profile on litert"),
        (("--option", "pi.target=2"), 2, "option pi.target cannot be 2"),
        (("--option", "mpc.solver=dp"), 2, "governor 'mpc' takes no part"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    run: Path, tmp_path: Path, reds: Reds, arguments: tuple[str, ...], status: int, reason: str
) -> None:
    usual = {"--trace": "constant", "--governor": "pi", "--hours": "0.1"} | dict([arguments])  # type: ignore[list-item]
    done = reds("simulate", run, "--out", tmp_path / "s", *(part for pair in usual.items() for part in pair))
    assert done.status == status
    assert reason in done.err.splitlines()[-1]
    assert done.err.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "s").exists()


def test_a_file_states_itself_what_generated_traces_are_asked_for(run: Path, tmp_path: Path) -> None:
    trace = tmp_path / "t.csv"
    trace.write_text("time_s,harvest_mW,deadline_ms,temperature_C\n0,2,100,20\n60,0,100,20\n")
    found = reds_core.simulate(run, trace, "threshold", tmp_path / "s", verbose=0)
    assert found.trace.steps == 2
    with pytest.raises(InputError, match="hours is given together with the trace"):
        reds_core.simulate(run, trace, "threshold", tmp_path / "s", hours=2.0)


def test_results_are_only_replaced_if_that_is_asked_for(run: Path, tmp_path: Path) -> None:
    for mode in ("refuse", "overwrite"):
        reds_core.simulate(run, "constant", "threshold", tmp_path, mode=mode, **QUICK)
        with pytest.raises(InputError, match='holds a finished simulation; add mode="overwrite"'):
            reds_core.simulate(run, "constant", "threshold", tmp_path, **QUICK)
    with pytest.raises(InputError, match="cannot be resumed"):
        reds_core.simulate(run, "constant", "threshold", tmp_path, mode="resume", **QUICK)
    reds_core.simulate(run, "constant", "mpc", tmp_path, mode="overwrite", **QUICK)
    assert not (tmp_path / "reds_governor_config.h").exists()


def test_a_governor_that_breaks_its_contract_is_named(run: Path, tmp_path: Path) -> None:
    registry = Registry([PluginModule("toy", (ChoosesMissingMembers,))])
    with pytest.raises(ContractViolation, match="the governor chose member 3; choose -1, or 0 to 2"):
        reds_core.simulate(run, "constant", "toy-governor", tmp_path / "s", registry=registry, **QUICK)
    assert not (tmp_path / "s" / "summary.json").exists()
    found = reds_core.simulate(
        run, "constant", "toy-governor", tmp_path / "s", registry=Registry([PluginModule("toy", (Prints,))]), **QUICK
    )
    assert "oracle" not in found.results
    with pytest.raises(InfeasibleError):
        reds_core.simulate(run, "constant", "toy-governor", tmp_path / "t", registry=registry, capacity_mJ=0.1, **QUICK)
