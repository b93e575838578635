"""The energy of an inference, by models with published constants, each of which names its source.

Two kinds of models are here. A model of a board multiplies the latency on that board by its power, which hardly depends
on the network, or, where only the multiply-accumulates (MACs) are known, those by the energy of one, which depends on
the network a lot. A model of a neural processing unit (NPU) adds up what operations and accesses to memories take in a
chip of 45 nm. Neither is a measurement, so each figure carries its constants, its reference and its spread.

1 pJ is 1 mW during 1 ns, so all energies that budgets limit are whole picojoules.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from reds_core.arrays import IntArray
from reds_core.cost.counting import TableForm
from reds_core.errors import InputError, argument, suggestion

BOARD_MODEL, NPU_MODEL, RAPL = "board-model", "npu-model", "rapl"
"""Where energies come from: two kinds of models, and the energy counters of processors, which measure."""
PJ_PER_UJ = 10**6
MACS_CONSTANT = "pJ_per_MAC"


@dataclass(frozen=True)
class EnergySource:
    """Where energies come from.

    Attributes:
        source: "rapl", "board-model" or "npu-model".
        about: what the figure is, in a few words, such as "model of NUCLEO-L4R5ZI, from MACs".
        reference: the publication of the constants, or what was measured.
        constants: the constants of the model, or the circumstances of the measurement, by names that end in units.
        error_percent: the spread over the published networks of a board: the largest distance of one of them from
            their mean, in percent; None if there is none. Other networks and kernels may be further off.
    """

    source: str
    about: str
    reference: str
    constants: Mapping[str, float] = field(default_factory=dict)
    error_percent: float | None = None

    @property
    def pJ_per_MAC(self) -> int | None:
        """The energy of one MAC in picojoules if the model knows nothing but their number; None otherwise."""
        constant = self.constants.get(MACS_CONSTANT) if self.source == BOARD_MODEL else None
        return None if constant is None else int(constant)


@dataclass(frozen=True)
class Energy:
    """The energy of one inference.

    Attributes:
        uJ: The energy in microjoules.
        source: Where the figure comes from: "rapl" for a measurement by the energy counters of a processor,
            "board-model" or "npu-model".
        reference: What was measured, or the publication of the constants of the model.
        constants: The constants of the model, or the circumstances of the measurement, by names that end in units.
        error_percent: The spread over the published networks of a board: the largest distance of one of them from
            their mean, in percent; None if there is none. Other networks and kernels may be further off.
        about: What the figure is, in a few words, such as "model of NUCLEO-L4R5ZI, from MACs".
    """

    uJ: float
    source: str
    reference: str
    constants: Mapping[str, float] = field(default_factory=dict)
    error_percent: float | None = None
    about: str = ""

    @staticmethod
    def of(pJ: float, source: EnergySource) -> Energy:
        """Return an energy in picojoules with its source."""
        uJ = pJ / PJ_PER_UJ
        return Energy(uJ, source.source, source.reference, source.constants, source.error_percent, source.about)

    @property
    def pJ(self) -> int:
        """The energy in whole picojoules."""
        return round(self.uJ * PJ_PER_UJ)

    @property
    def origin(self) -> EnergySource:
        """Where the figure comes from."""
        return EnergySource(self.source, self.about or self.source, self.reference, self.constants, self.error_percent)


@dataclass(frozen=True)
class Published:
    """The energy of one network on a board, as it was measured and published.

    Attributes:
        task: the network, by its name in MLPerf Tiny.
        macs: its multiply-accumulates.
        uJ: the energy of an inference in microjoules.
        latency_ms: the time of an inference in milliseconds.
    """

    task: str
    macs: int
    uJ: float
    latency_ms: float


@dataclass(frozen=True)
class EnergyModel:
    """The energy of inferences on a board, while it computes without a pause.

    Attributes:
        name: the name by which it is chosen, such as "board-model:nucleo-l4r5zi".
        board: the name of the board.
        clock_MHz: the clock of its core.
        volts: its supply voltage.
        power_mW: the mean power over the published networks.
        power_error_percent: the largest difference of the power with any of them, in percent of the mean.
        pJ_per_MAC: the mean energy of a multiply-accumulate over the published networks.
        macs_error_percent: the largest difference of the energy of a multiply-accumulate with any of them.
        published: the networks.
    """

    name: str
    board: str
    clock_MHz: float
    volts: float
    power_mW: float
    power_error_percent: float
    pJ_per_MAC: int
    macs_error_percent: float
    published: tuple[Published, ...]

    @property
    def by_latency(self) -> EnergySource:
        """Where energies come from that are power times latency."""
        return self._source("latency", {"power_mW": self.power_mW}, self.power_error_percent)

    @property
    def by_cycles(self) -> EnergySource:
        """Where energies come from that are power times cycles divided by the clock."""
        constants = {"power_mW": self.power_mW, "clock_MHz": self.clock_MHz}
        return self._source("cycles", constants, self.power_error_percent)

    @property
    def by_macs(self) -> EnergySource:
        """Where energies come from that are a multiple of the multiply-accumulates."""
        return self._source("MACs", {MACS_CONSTANT: self.pJ_per_MAC}, self.macs_error_percent)

    def of_latency(self, latency_ns: float) -> Energy:
        """Return the energy of an inference that takes so long on the board."""
        return Energy.of(self.power_mW * latency_ns, self.by_latency)

    def of_cycles(self, cycles: float) -> Energy:
        """Return the energy of an inference that takes so many cycles on the board."""
        return Energy.of(self.power_mW * cycles * 1000 / self.clock_MHz, self.by_cycles)

    def of_macs(self, macs: int) -> Energy:
        """Return the energy of an inference with so many multiply-accumulates."""
        return Energy.of(self.pJ_per_MAC * macs, self.by_macs)

    def form_of_latency(self, latency: TableForm) -> TableForm:
        """Return the energy in picojoules, given the latency on the board in nanoseconds, each entry rounded once."""
        return _scaled(latency, self.power_mW)

    def form_of_cycles(self, cycles: TableForm) -> TableForm:
        """Return the energy in picojoules, given the cycles on the board, each entry rounded once."""
        return _scaled(cycles, self.power_mW * 1000 / self.clock_MHz)

    def is_of(self, *names: str | None) -> bool:
        """Whether one of the names of a machine or a device names this board, in any case and punctuation."""
        return any(_plain(self.board) in _plain(name) for name in names if name)

    def _source(self, basis: str, constants: Mapping[str, float], error_percent: float) -> EnergySource:
        reference = f"{self.board} at {self.clock_MHz:g} MHz and {self.volts:g} V: {_MLPERF}"
        return EnergySource(BOARD_MODEL, f"model of {self.board}, from {basis}", reference, constants, error_percent)


def _scaled(form: TableForm, factor: float) -> TableForm:
    def scaled(table: IntArray) -> IntArray:
        rounded: IntArray = np.rint(table * factor).astype(np.int64)
        return rounded

    return TableForm(
        round(form.constant * factor),
        {group: scaled(table) for group, table in form.groups.items()},
        {pair: scaled(table) for pair, table in form.pairs.items()},
    )


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


# --- boards -----------------------------------------------------------------------------------------------------------

_MLPERF = (
    "MLPerf Tiny v1.0, closed division, results of STMicroelectronics with X-CUBE-AI 7.3.0 "
    "(github.com/mlcommons/tiny_results_v1.0)"
)
_KWS, _VWW, _IC, _AD = 2_656_768, 7_489_664, 12_501_632, 264_192
"""The multiply-accumulates of the networks of MLPerf Tiny: for keywords, people, pictures and sounds of machines."""

BOARDS: Mapping[str, EnergyModel] = {
    model.name: model
    for model in (
        EnergyModel(
            name=f"{BOARD_MODEL}:nucleo-l4r5zi",
            board="NUCLEO-L4R5ZI",
            clock_MHz=120,
            volts=1.8,
            power_mW=44.9,
            power_error_percent=5,
            pJ_per_MAC=1170,
            macs_error_percent=27,
            published=(
                Published("kws", _KWS, 3371.7, 75.11),
                Published("vww", _VWW, 10066.6, 225.9),
                Published("ic", _IC, 10681.6, 226.8),
                Published("ad", _AD, 323.0, 7.57),
            ),
        ),
        EnergyModel(
            name=f"{BOARD_MODEL}:nucleo-h7a3zi-q",
            board="NUCLEO-H7A3ZI-Q",
            clock_MHz=280,
            volts=3.3,
            power_mW=156.8,
            power_error_percent=7,
            pJ_per_MAC=949,
            macs_error_percent=27,
            published=(
                Published("kws", _KWS, 2721.8, 16.73),
                Published("vww", _VWW, 7978.5, 50.6),
                Published("ic", _IC, 8707.3, 54.22),
                Published("ad", _AD, 266.49, 1.8225),
            ),
        ),
        EnergyModel(
            name=f"{BOARD_MODEL}:nucleo-u575zi-q",
            board="NUCLEO-U575ZI-Q",
            clock_MHz=160,
            volts=1.8,
            power_mW=25.5,
            power_error_percent=4,
            pJ_per_MAC=405,
            macs_error_percent=29,
            published=(
                Published("kws", _KWS, 1138.5, 44.07),
                Published("vww", _VWW, 3364.5, 132.9),
                Published("ic", _IC, 3642.0, 138.9),
                Published("ad", _AD, 119.11, 4.822),
            ),
        ),
    )
}
"""The models of boards by name, with what their constants were computed from."""


def energy_model(name: str) -> EnergyModel:
    """Return a model of a board.

    Args:
        name: its name, such as "board-model:nucleo-l4r5zi", or the board's alone, in any case.

    Raises:
        InputError: if there is none; the message suggests one that is spelt alike, and lists all.
    """
    given = name.strip().lower()
    found = BOARDS.get(given) or BOARDS.get(f"{BOARD_MODEL}:{given}")
    if found is not None:
        return found
    if given.partition(":")[0] == NPU_MODEL:
        raise InputError(
            f"energy model '{name}' counts accesses to memories, which only the profile or the table of an NPU has",
            f"leave out {argument('energy_model')} and use such a target, or choose from: {', '.join(BOARDS)}",
        )
    known = [*BOARDS, *(each.partition(":")[2] for each in BOARDS)]
    raise InputError(
        f"there is no energy model '{name}'", f"{suggestion(given, known)}choose from: {', '.join(BOARDS)}"
    )


def refuse_table_of_another(model: EnergyModel, machines: Iterable[str | None]) -> None:
    """Refuse times that were not measured on the board of a model, because its power means nothing for them.

    Args:
        model: the model.
        machines: the names of the machine on which the times were measured.

    Raises:
        InputError: if none of them names the board.
    """
    names = [name for name in machines if name]
    if not model.is_of(*names):
        raise InputError(
            f"the latency table was made on '{', '.join(names) or 'another machine'}', and the power of {model.board} "
            "says nothing about it",
            f"leave out {argument('latency_table')}, so that energy is counted from MACs, or "
            f"{argument('energy_model')}",
        )


# --- neural processing units ------------------------------------------------------------------------------------------

HOROWITZ = (
    "M. Horowitz, Computing's energy problem (and what we can do about it), ISSCC 2014: chips of 45 nm at 0.9 V, as "
    "the figures are quoted elsewhere; flash by those of DRAM"
)
_NPU_ABOUT = "model of the memories and multiply-accumulates of a 45 nm chip"
PJ_OF_INT8_MAC = 0.3
"""Of a product of two int8 numbers (0.2 pJ) and a sum of two int32 numbers (0.1 pJ)."""
PJ_OF_SRAM_BYTE: Mapping[int, float] = {8 * 1024: 1.25, 32 * 1024: 2.5, 1024 * 1024: 12.5}
"""Of an access to one byte, by the size of the SRAM in bytes: an eighth of that to 64 bits."""
LARGEST_SRAM = max(PJ_OF_SRAM_BYTE)
"""The largest SRAM of which there is a figure, in bytes."""
PJ_OF_DRAM_BYTE = (162.0, 325.0)
"""The lowest and highest figure of an access to one byte outside the chip."""


def npu_energy(macs: int, sram_bytes: int, sram_size: int, flash_bytes: int) -> Energy:
    """Return the energy of an inference on a neural processing unit, by a model of a chip of 45 nm.

    It is what multiply-accumulates and accesses to memories take, without control, leakage and the rest of the chip.
    There is no published figure for flash, so each byte counts with the highest figure of DRAM.

    Args:
        macs: the multiply-accumulates.
        sram_bytes: how many bytes are read from or written to SRAM.
        sram_size: the size of the SRAM in bytes. It counts as the next larger one of which there is a figure, or as the
            largest one, whose accesses take less than those of an even larger one.
        flash_bytes: how many bytes are read from flash, on the chip or outside, or from other slow memory.
    """
    size = next((size for size in PJ_OF_SRAM_BYTE if size >= sram_size), LARGEST_SRAM)
    constants = {
        "pJ_per_int8_MAC": PJ_OF_INT8_MAC,
        "pJ_per_SRAM_byte": PJ_OF_SRAM_BYTE[size],
        "pJ_per_flash_byte": PJ_OF_DRAM_BYTE[1],
        "SRAM_bytes": size,
    }
    pJ = macs * PJ_OF_INT8_MAC + sram_bytes * PJ_OF_SRAM_BYTE[size] + flash_bytes * PJ_OF_DRAM_BYTE[1]
    return Energy.of(pJ, EnergySource(NPU_MODEL, _NPU_ABOUT, HOROWITZ, constants))
