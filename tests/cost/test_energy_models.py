"""Models of the energy of boards and NPUs: their constants against what was published, and their arithmetic."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from reds_core.cost.counting import TableForm
from reds_core.cost.energy_models import (
    BOARDS,
    PJ_OF_SRAM_BYTE,
    Energy,
    EnergyModel,
    Published,
    energy_model,
    npu_energy,
    refuse_table_of_another,
)
from reds_core.errors import InputError
from reds_core.report.energy import energy_sentences, energy_text, energy_title
from reds_core.report.units import on_terminal

GUIDE = Path(__file__).parents[2] / "docs/guide/energy.md"
L4R5 = BOARDS["board-model:nucleo-l4r5zi"]
ROWS = [(model, row) for model in BOARDS.values() for row in model.published]


def off_percent(modelled: Energy, row: Published) -> float:
    return 100 * abs(row.uJ - modelled.uJ) / modelled.uJ


@pytest.mark.parametrize(("model", "row"), ROWS, ids=[f"{model.board}-{row.task}" for model, row in ROWS])
def test_every_published_figure_is_within_the_stated_band(model: EnergyModel, row: Published) -> None:
    for energy in (
        model.of_latency(row.latency_ms * 1e6),
        model.of_cycles(row.latency_ms * 1000 * model.clock_MHz),
        model.of_macs(row.macs),
    ):
        assert energy.error_percent is not None
        assert off_percent(energy, row) <= energy.error_percent
        assert energy.source == "board-model"
        assert model.board in energy.reference
        assert "MLPerf Tiny v1.0" in energy.reference


@pytest.mark.parametrize("model", BOARDS.values(), ids=lambda model: model.board)
def test_bands_are_no_wider_and_constants_are_means(model: EnergyModel) -> None:
    """A band is the largest difference of any published network, rounded up to a whole percent."""
    assert len(model.published) == 4
    powers = [row.uJ / row.latency_ms for row in model.published]
    rates = [1e6 * row.uJ / row.macs for row in model.published]
    assert model.power_mW == pytest.approx(np.mean(powers), rel=0.003)
    assert model.pJ_per_MAC == pytest.approx(np.mean(rates), rel=0.003)
    for constant, found, band in (
        (model.power_mW, powers, model.power_error_percent),
        (model.pJ_per_MAC, rates, model.macs_error_percent),
    ):
        assert band == math.ceil(max(100 * abs(each - constant) / constant for each in found))


@pytest.mark.parametrize("model", BOARDS.values(), ids=lambda model: model.board)
def test_the_guide_states_the_error_for_a_network_that_is_left_out(model: EnergyModel) -> None:
    """In percent of the mean over the three other networks."""
    (line,) = [each for each in GUIDE.read_text(encoding="utf-8").splitlines() if each.startswith(f"| `{model.name}`")]
    for at, each in ((4, lambda row: row.uJ / row.latency_ms), (6, lambda row: row.uJ / row.macs)):
        found = [each(row) for row in model.published]
        means = [(sum(found) - one) / (len(found) - 1) for one in found]
        largest = max(100 * abs(one - mean) / mean for one, mean in zip(found, means, strict=True))
        assert line.split("|")[at].strip() == f"{largest:.1f} %"


def test_energies_are_power_times_time_or_multiples_of_macs() -> None:
    energy = L4R5.of_latency(75.11e6)
    assert energy.uJ == pytest.approx(44.9 * 75.11)
    assert energy.constants == {"power_mW": 44.9}
    energy = L4R5.of_cycles(120e6)
    assert energy.uJ == pytest.approx(44_900)
    assert energy.constants == {"power_mW": 44.9, "clock_MHz": 120}
    energy = L4R5.of_macs(2_656_768)
    assert energy.uJ == 2_656_768 * 1170 / 1e6
    assert energy.pJ == 2_656_768 * 1170
    assert (energy.constants, energy.error_percent) == ({"pJ_per_MAC": 1170}, 27)
    assert energy.origin == L4R5.by_macs


def test_what_is_shown_says_that_it_is_a_model_and_how_far_off_it_may_be() -> None:
    shown = on_terminal(energy_text(L4R5.of_macs(2_656_768)))
    assert shown == "3.11 mJ ± 27 % (model of NUCLEO-L4R5ZI, from MACs)"
    assert on_terminal(energy_text(L4R5.of_latency(75.11e6))) == "3.37 mJ ± 5 % (model of NUCLEO-L4R5ZI, from latency)"
    assert energy_title([L4R5.by_macs, L4R5.by_cycles]) == "Energy (model)"
    (sentence,) = energy_sentences([L4R5.by_macs, None, L4R5.by_macs])
    assert on_terminal(sentence).startswith(
        "Energy is not measured (source board-model): model of NUCLEO-L4R5ZI, from MACs, ± 27 %, the spread over the "
        "four published networks; 1 170 pJ for each MAC. Constants: NUCLEO-L4R5ZI at 120 MHz and 1.8 V: "
        "MLPerf Tiny v1.0"
    )


def test_tables_are_multiplied_entry_by_entry() -> None:
    latency = TableForm(1000, {"a": np.array([10, 20])}, {("a", "b"): np.array([[1], [3]])})
    form = L4R5.form_of_latency(latency)
    assert form.constant == 44_900
    assert form.groups["a"].tolist() == [449, 898]
    assert form.pairs["a", "b"].tolist() == [[45], [135]]  # 44.9 and 134.7 pJ
    assert form.groups["a"].dtype == np.int64
    assert L4R5.form_of_cycles(latency).groups["a"].tolist() == [3742, 7483]


@pytest.mark.parametrize("name", ["board-model:nucleo-l4r5zi", "NUCLEO-L4R5ZI", " Board-Model:nucleo-l4r5zi"])
def test_models_are_named_in_any_case_and_with_or_without_their_kind(name: str) -> None:
    assert energy_model(name) is L4R5


def test_unknown_models_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="there is no energy model 'nucleo-l4r5'") as caught:
        energy_model("nucleo-l4r5")
    assert caught.value.fix == f"did you mean 'nucleo-l4r5zi'? choose from: {', '.join(BOARDS)}"
    with pytest.raises(InputError, match="'npu-model:horowitz' counts accesses to memories") as caught:
        energy_model("npu-model:horowitz")
    assert ", ".join(BOARDS) in caught.value.fix


def test_times_of_another_machine_are_refused() -> None:
    refuse_table_of_another(L4R5, (None, "STM32 Nucleo L4R5ZI (Cortex-M4)", "bare metal"))
    with pytest.raises(InputError, match="was made on 'AMD EPYC, Linux', and the power of NUCLEO-L4R5ZI says nothing"):
        refuse_table_of_another(L4R5, (None, "AMD EPYC", "Linux"))


def test_an_npu_by_operations_and_accesses() -> None:
    energy = npu_energy(macs=1_000_000, sram_bytes=200_000, sram_size=32 * 1024, flash_bytes=10_000)
    assert energy.uJ == pytest.approx(0.3 + 200_000 * 2.5e-6 + 10_000 * 325e-6)
    assert (energy.source, energy.error_percent) == ("npu-model", None)
    assert energy.constants == {
        **{"pJ_per_int8_MAC": 0.3, "pJ_per_SRAM_byte": 2.5, "pJ_per_flash_byte": 325.0},
        **{"SRAM_bytes": 32 * 1024},
    }
    assert "Horowitz" in energy.reference
    assert energy.about == "model of the memories and multiply-accumulates of a 45 nm chip"
    assert energy.origin.pJ_per_MAC is None


@pytest.mark.parametrize(
    ("size", "figure"), [(1, 1.25), (8192, 1.25), (8193, 2.5), (32769, 12.5), (2**20, 12.5), (2**22, 12.5)]
)
def test_the_figure_of_the_next_larger_sram_counts(size: int, figure: float) -> None:
    assert npu_energy(0, 1_000_000, size, 0).uJ == pytest.approx(figure)
    assert list(PJ_OF_SRAM_BYTE) == sorted(PJ_OF_SRAM_BYTE)
