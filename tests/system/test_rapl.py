"""The energy counters of processors, on trees of files as Linux shows them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapl_trees import RANGE_UJ, PowercapTree

from reds_core.system import rapl
from reds_core.system.rapl import EnergyMeter, Measured, NotMeasured, Package, measured_energy, packages_in


@pytest.fixture
def tree(tmp_path: Path) -> PowercapTree:
    return PowercapTree(tmp_path / "powercap")


def measured(tree: PowercapTree, run: Callable[[], Any]) -> Measured | NotMeasured:
    return measured_energy(run, 1e5, tree.root, least_s=0.002)


def test_packages_are_counted_and_their_parts_are_not(tree: PowercapTree) -> None:
    tree.zone("intel-rapl:0", "package-0")
    tree.zone("intel-rapl:0:0", "core")
    tree.zone("intel-rapl:0:1", "dram")
    tree.zone("intel-rapl:1", "package-1")
    tree.zone("intel-rapl:2", "psys")
    tree.zone("intel-rapl-mmio:0", "package-0")
    assert [(p.folder.name, p.name) for p in packages_in(tree.root)] == [
        ("intel-rapl:0", "package-0"),
        ("intel-rapl:1", "package-1"),
    ]


def test_the_energy_of_all_packages_over_all_runs(tree: PowercapTree) -> None:
    first, second = tree.zone("intel-rapl:0", "package-0"), tree.zone("intel-rapl:1", "package-1")
    part = tree.zone("intel-rapl:0:0", "core")

    def run() -> None:
        tree.add(first, 300)
        tree.add(part, 200)
        tree.add(second, 50)

    found = measured(tree, run)
    assert isinstance(found, Measured)
    assert found.runs >= 2
    assert (found.uJ, found.packages) == (350 * found.runs, 2)
    assert found.seconds > 0


@given(
    range_uJ=st.integers(2, 2**40),
    start=st.integers(0, 2**40),
    rises=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30),
)
def test_counters_that_wrap_around_are_followed(range_uJ: int, start: int, rises: list[float]) -> None:
    """Any increments that are each below the range are recovered, however often the counter wraps around."""
    counter = [start % range_uJ]

    class Fake(Package):
        def read(self) -> int:
            return counter[0]

    meter, total = EnergyMeter((Fake(Path(), "package-0", range_uJ),)), 0
    for share in rises:
        rise = int(share * range_uJ)
        total += rise
        counter[0] = (counter[0] + rise) % range_uJ
        meter.update()
    assert meter.risen_uJ == [total]


def test_a_counter_in_a_file_that_wraps_around(tree: PowercapTree) -> None:
    zone = tree.zone("intel-rapl:0", "package-0", start=RANGE_UJ - 5)
    found = measured(tree, lambda: tree.add(zone, 40))
    assert isinstance(found, Measured)
    assert found.uJ == 40 * found.runs


def test_a_machine_without_counters_has_nothing_to_say(tree: PowercapTree, tmp_path: Path) -> None:
    assert measured(tree, lambda: None) == NotMeasured()
    tree.zone("intel-rapl:0", "psys")
    assert measured(tree, lambda: None) == NotMeasured()
    assert measured_energy(lambda: None, 1.0, tmp_path / "nowhere") == NotMeasured()


def test_counters_that_only_root_may_read(tree: PowercapTree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.zone("intel-rapl:0", "package-0")

    def refuse(package: Package) -> int:  # this test may run as root, whom no file refuses
        raise PermissionError(errno.EACCES, "Permission denied", str(package.folder / "energy_uj"))

    monkeypatch.setattr(rapl.Package, "read", refuse)
    found = measured(tree, lambda: None)
    assert isinstance(found, NotMeasured)
    assert found.reason == (
        f"only root may read '{tree.root / 'intel-rapl:0' / 'energy_uj'}'; run as root, or let everyone read it by "
        f"`sudo chmod a+r {tree.root}/intel-rapl:*/energy_uj`"
    )


def test_a_counter_that_never_rises_measures_nothing(tree: PowercapTree) -> None:
    zone = tree.zone("intel-rapl:0", "package-0")
    tree.zone("intel-rapl:1", "package-1")
    found = measured(tree, lambda: tree.add(zone, 10))
    assert isinstance(found, NotMeasured)
    assert found.reason is not None
    assert found.reason.startswith("the energy counter of package-1 did not rise in ")


@pytest.mark.parametrize(
    ("file", "content"), [("energy_uj", ""), ("max_energy_range_uj", "0"), ("energy_uj", "joules")]
)
def test_files_with_something_else(tree: PowercapTree, file: str, content: str) -> None:
    (tree.zone("intel-rapl:0", "package-0") / file).write_text(content)
    found = measured(tree, lambda: None)
    assert isinstance(found, NotMeasured)
    assert found.reason is not None
    assert found.reason.startswith(f"the energy counters in '{tree.root}' cannot be read (")


def test_a_file_that_is_missing(tree: PowercapTree) -> None:
    (tree.zone("intel-rapl:0", "package-0") / "energy_uj").unlink()
    assert isinstance(measured(tree, lambda: None), NotMeasured)
