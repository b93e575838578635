"""Which operating points are worth considering, and where their figures come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_families import MEMBERS, save_profile, saved_family

from reds_core.errors import InputError
from reds_core.runtime import Figures, OperatingPoint, efficient, useful
from reds_core.runtime.family import family_points


def point(name: str, energy_mJ: float, accuracy: float, latency_ms: float = 10.0) -> OperatingPoint:
    return OperatingPoint(name, accuracy, latency_ms * 1e6, energy_mJ * 1e9)


def test_points_that_another_one_beats_are_left_out() -> None:
    points = [
        point("large", 4, 0.9),
        point("small", 1, 0.7),
        point("worse", 2, 0.6),
        point("quick", 2, 0.7, latency_ms=5),
        point("same", 4, 0.9),
    ]
    assert [each.name for each in useful(points)] == ["small", "quick", "large"]


def test_members_on_the_hull_have_falling_slopes() -> None:
    """At 2 mJ, 75 % lie below the line from 70 % at 1 mJ to 90 % at 3 mJ, so a mixture of these two is better."""
    members = [Figures(10, 1, 700), Figures(20, 1, 750), Figures(30, 1, 900)]
    assert efficient(members) == (0, 2)
    assert efficient(MEMBERS) == (0, 1, 2)


def test_a_member_that_is_worth_less_for_its_energy_than_a_pause_and_a_larger_one_is_not_on_the_hull() -> None:
    assert efficient([Figures(10, 1, 100_000), Figures(20, 1, 900_000)]) == (1,)


def test_without_a_profile_all_figures_are_of_one_model(tmp_path: Path) -> None:
    found = family_points(saved_family(tmp_path))
    assert "modelled, not measured" in found.about
    assert "`reds_core.profile`" in found.note
    assert not found.is_measured
    small, _, full = found.points
    assert (small.name, full.name, small.widths, full.widths) == ("25", "full", {"conv": 4}, {})
    assert full.energy_pJ == 4_000_000 * 1170
    assert full.latency_ns == pytest.approx(4_000_000 * 1170 / 44.9)
    assert full.energy_nJ == 4_680_000
    assert small.accuracy == 0.7


def test_a_profile_with_latencies_and_energies_is_used(tmp_path: Path) -> None:
    save_profile(saved_family(tmp_path))
    found = family_points(tmp_path)
    assert found.is_measured
    assert found.note == ""
    assert [(p.energy_nJ, p.latency_us, p.accuracy_source) for p in found.points] == [
        (1_000_000, 20_000, "subnet-25-int8.tflite"),
        (2_000_000, 40_000, "subnet-50-int8.tflite"),
        (4_000_000, 80_000, "full-int8.tflite"),
    ]


def test_energies_of_a_profile_that_were_not_measured_are_said_to_be_modelled(tmp_path: Path) -> None:
    save_profile(saved_family(tmp_path), source="board-model")
    found = family_points(tmp_path)
    assert "energies are modelled, not measured: energy of a test" in found.about
    assert not found.is_measured


def test_a_profile_without_energies_is_not_mixed_with_a_model(tmp_path: Path) -> None:
    save_profile(saved_family(tmp_path), energy=False)
    assert "latencies and energies are modelled" in family_points(tmp_path).about
    with pytest.raises(InputError, match=r"profile on board lacks .*; run `reds_core.profile` again"):
        family_points(tmp_path, on="board")


def test_a_model_that_is_asked_for_replaces_a_profile(tmp_path: Path) -> None:
    save_profile(saved_family(tmp_path))
    found = family_points(tmp_path, model="nucleo-u575zi-q")
    assert found.points[-1].energy_pJ == 4_000_000 * 405
    with pytest.raises(InputError, match="there is no energy model 'abacus'"):
        family_points(tmp_path, model="abacus")


def test_a_profile_that_does_not_exist_and_accuracies_that_are_missing_are_refused(tmp_path: Path) -> None:
    saved_family(tmp_path / "run")
    with pytest.raises(InputError, match="holds no profile on litert"):
        family_points(tmp_path / "run", on="litert")
    with pytest.raises(InputError, match="states no accuracy of network '50'"):
        family_points(saved_family(tmp_path / "blind", (0.7, None, 0.8)))
    with pytest.raises(InputError, match="holds no finished run"):
        family_points(tmp_path)
