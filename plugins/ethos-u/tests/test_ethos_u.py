"""Files and tables as Vela counts them. Each run of Vela takes half a second, most of it to start."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers as L
from reds_ethos_u.configurations import ACCELERATORS, Configuration
from reds_ethos_u.device import EthosU
from reds_ethos_u.vela import Moved, Row, compiled, moved_bytes, record_of, size_notes
from reds_ethos_u.worker import tables_of
from reds_litert.targets import FloatTarget, Int8Target
from reds_tensorflow.framework import TensorFlowFramework

from reds_core import measure_latency
from reds_core.cost import LARGEST_SRAM, DeviceTable, npu_energy
from reds_core.errors import InputError, UnsupportedError
from reds_core.framework import Arrays, ExportSource

pytest.importorskip("ethosu", reason="ethos-u-vela is not installed")
FRAMEWORK = TensorFlowFramework()


@pytest.fixture(scope="session")
def model() -> Any:
    """A small convolutional network with a branch, for images of 12 x 12 x 2 and five classes."""
    keras.utils.set_random_seed(3)
    x = inputs = keras.Input((12, 12, 2), name="image")
    x = L.ReLU()(L.BatchNormalization()(L.Conv2D(16, 3, padding="same", use_bias=False)(x)))
    x = L.Add()([x, L.DepthwiseConv2D(3, padding="same")(x)])
    x = L.Conv2D(24, 1, strides=2, activation="relu")(x)
    return keras.Model(inputs, L.Dense(5, activation="softmax")(L.GlobalAveragePooling2D()(x)))


@pytest.fixture(scope="session")
def source(model: Any) -> ExportSource:
    examples = np.random.default_rng(0).normal(size=(8, 12, 12, 2)).astype(np.float32)
    return ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=Arrays(examples, np.zeros(8)))


@pytest.fixture(scope="session")
def file(source: ExportSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "small-int8.tflite"
    Int8Target().export(source, path)
    return path


@pytest.fixture(scope="session")
def table(source: ExportSource, tmp_path_factory: pytest.TempPathFactory) -> DeviceTable:
    path = tmp_path_factory.mktemp("tables") / "table.json"
    made = measure_latency(source.model, path, on="ethos-u", points=4, checks=4, verbose=0)
    assert isinstance(made, DeviceTable)
    return made


def test_a_profile_is_what_vela_counts(file: Path) -> None:
    profile = EthosU().profile(file, "ethos-u55-128")
    (found,) = compiled([file.read_bytes()], Configuration.of("ethos-u55-128", "", ""))
    assert (profile.cycles, profile.sram, profile.flash) == (found.cycles, found.sram_bytes, found.flash_bytes)
    assert found.clock_hz == 500e6
    assert profile.latency_ns == pytest.approx(2.0 * found.cycles)
    assert profile.cpu_operators == {}
    assert profile.operators["CONV_2D"] == 2
    assert sum(row.cycles for row in found.rows) == found.cycles
    moved = {memory: sum(row.bytes_moved[memory] for row in found.rows) for memory in found.bytes_moved}
    assert moved == found.bytes_moved
    slow = moved["OffChipFlash"] + moved["OnChipFlash"] + moved["Dram"]
    assert profile.energy == npu_energy(found.macs, moved["Sram"], LARGEST_SRAM, slow)
    assert profile.macs is not None


def test_operators_of_floats_run_on_the_processor(source: ExportSource, tmp_path: Path) -> None:
    path = tmp_path / "float.tflite"
    FloatTarget().export(dataclasses.replace(source, calibration=None), path)
    profile = EthosU().profile(path, "ethos-u55-128")
    assert (profile.cycles, profile.latency_ns) == (None, None)
    assert profile.cpu_operators == profile.operators
    assert profile.energy is None


def test_a_network_that_partly_runs_on_the_processor_has_cycles_of_the_npu_alone(tmp_path: Path) -> None:
    """Vela leaves an ELU to the processor, whose time is not known."""
    inputs = keras.Input((6, 6, 2))
    x = L.ELU()(L.Conv2D(8, 3)(inputs))
    model = keras.Model(inputs, L.Dense(2)(L.GlobalAveragePooling2D()(x)))
    examples = np.random.default_rng(0).normal(size=(8, 6, 6, 2)).astype(np.float32)
    path = tmp_path / "elu.tflite"
    source = ExportSource(FRAMEWORK, model, FRAMEWORK.inspect(model), calibration=Arrays(examples, np.zeros(8)))
    Int8Target().export(source, path)
    profile = EthosU().profile(path, "ethos-u55-128")
    assert profile.cpu_operators["ELU"] == 1
    assert profile.cycles is not None
    assert (profile.latency_ns, profile.energy) == (None, None)
    counter = EthosU().counter(FRAMEWORK, model, source.network, "ethos-u55-128")
    assert "ELU" in counter.notes[0]
    assert counter.sums == ("cycles",)


def test_flash_on_the_chip_counts_like_other_flash() -> None:
    row = Row(0, "Conv2D", 0, 1, 1, {"Sram": 1, "OnChipFlash": 20, "OffChipFlash": 300, "Dram": 4000})
    assert moved_bytes([row, row]) == Moved(2, 8640)


def test_an_sram_beyond_the_largest_known_one_is_noted() -> None:
    assert size_notes(LARGEST_SRAM) == ()
    (note,) = size_notes(LARGEST_SRAM + 1)
    assert "energy is too low for an SRAM that holds 1048577 bytes" in note


def test_another_database_of_vela_is_refused() -> None:
    """A later version must not give zeros."""
    names = {"sram": "Sram", "dram": "Dram", "off_chip_flash": "OffChipFlash", "on_chip_flash": "OnChipFlash"}
    summary = {f"{name}_{what}": "0" for name in names for what in ("memory_used", "total_bytes")}
    summary |= {"cycles_total": "5", "core_clock": "1", "nn_macs": "1"}
    moved = dict.fromkeys(names.values(), 0)
    row = {"operator": 0, "kind": "Conv2D", "moment": 0, "cycles": 5, "macs": 1, "bytes": moved}
    found = {"summary": summary, "rows": [row], "buffers": []}
    assert record_of(found).cycles == 5
    with pytest.raises(UnsupportedError, match="operators move 0 bytes of Sram, and the network 7") as caught:
        record_of({**found, "summary": {**summary, "sram_total_bytes": "7"}})
    assert caught.value.fix == "install 'ethos-u-vela>=5.2,<6'"
    with pytest.raises(UnsupportedError, match="Vela writes a database without 'perf'"):
        record_of({"changed": "without 'perf'"})
    with pytest.raises(KeyError, match="source"):
        tables_of('<table name="perf"><![CDATA[id,operator\n]]></table>')


def test_the_time_limit_is_that_of_each_file(monkeypatch: pytest.MonkeyPatch) -> None:
    now, limits = time.monotonic(), list[float]()

    def slow(_worker: Path, _request: Any, until: float) -> None:
        limits.append(until - now)

    monkeypatch.setattr("reds_ethos_u.vela.run_isolated", slow)
    for count in (1, 64):
        with pytest.raises(UnsupportedError, match="Vela does not compile") as caught:
            compiled([b""] * count, Configuration.of(None, "", ""))
        assert "fewer points for a table" in caught.value.fix
    assert limits[1] > 60 * limits[0]


def test_damaged_files_and_unknown_systems_are_refused(file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    damaged.write_bytes(file.read_bytes()[:-3000])
    with pytest.raises(InputError, match="cannot be read"):
        EthosU().profile(damaged, "ethos-u55-128")
    strange = EthosU(EthosU.Options(system_config="Mine"))
    with pytest.raises(UnsupportedError, match="Vela cannot compile the file"):
        strange.profile(file, "ethos-u55-128")


def test_every_accelerator_has_a_system() -> None:
    for name in ACCELERATORS:
        assert Configuration.of(name, "", "").arguments[3] == name


def test_the_sum_of_parts_is_the_whole_network(table: DeviceTable, source: ExportSource) -> None:
    assert table.complete
    assert table.channels == source.network.channels
    assert table.repeats.different == 0 < table.repeats.equal
    assert len(table.checks) == 4
    for check in table.checks:
        assert check.predicted["cycles"] == check.counted["cycles"]
        excess = check.predicted["npu_sram"] - check.counted["npu_sram"]
        assert 0 <= excess <= table.peaks["npu_sram"].slack + 16


def test_what_determines_the_figures_is_in_the_table(table: DeviceTable) -> None:
    assert (table.on, table.config) == ("ethos-u", "ethos-u55-128")
    assert table.options == {"system_config": "Ethos_U55_High_End_Embedded", "memory_mode": "Shared_Sram"}
    assert table.facts["clock_MHz"] == "500"
    assert "ethos-u-vela" in table.versions
    assert all(widths[-1] == table.channels[group] for group, widths in table.widths.items())


def test_the_full_network_takes_what_its_exported_file_takes(table: DeviceTable, file: Path) -> None:
    """The file has another calibration, so that compressed weights differ by a few bytes."""
    cycles = table.forms()["cycles"].at(table.channels)
    counted = EthosU().profile(file, "ethos-u55-128").cycles
    assert counted is not None
    assert abs(cycles - counted) <= 0.01 * counted
