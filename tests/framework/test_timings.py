"""Records of another machine, in which nothing is trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from other_machine import toy_records

from reds_core.errors import InputError
from reds_core.framework import timings
from reds_core.framework.timings import load_timings

HASH = "0" * 64


def changed(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: plain | values


def of_file(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: plain | {"files": [plain["files"][0] | values]}


def of_machine(**values: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda plain: plain | {"machine": plain["machine"] | values}


def test_records_are_read(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(toy_records("litert", {"a b's.tflite": HASH})))
    found = load_timings(path)
    (timed,) = found.files
    assert (timed.file, timed.median_ns, timed.spread_ns, timed.runs) == ("a b's.tflite", 2000, 600.5, 9)
    assert found.named(None).machine.name == "toy-pi"
    assert found.named("Pixel 8 (2023)").machine.name == "Pixel 8 (2023)"
    for name in ("", "-pi", "a\x1b[31m", "x" * 65, 3):
        with pytest.raises(InputError, match="is not a name for a machine"):
            found.named(name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "damage",
    [
        lambda plain: [plain],
        lambda plain: {key: value for key, value in plain.items() if key != "machine"},
        changed(format="reds-timings/2"),
        changed(more=1),
        changed(threads=0),
        changed(threads=True),
        changed(repeats=10**10),
        changed(on="a\nb"),
        changed(measured_at="x" * 301),
        changed(versions={f"v{i}": "1" for i in range(101)}),
        changed(versions={"numpy": 2}),
        changed(versions={"a\x1b": "1"}),
        changed(files=None),
        lambda plain: plain | {"files": plain["files"] * 2},
        of_file(median_ns="2000"),
        of_file(median_ns=None),
        of_file(median_ns=0),
        of_file(low_ns=-1),
        of_file(low_ns=2001),
        of_file(high_ns=1e16),
        of_file(runs=0),
        of_file(runs=1.5),
        of_file(sha256="0" * 63),
        of_file(sha256="G" * 64),
        of_file(file="a\u202eb"),
        of_file(refused="x" * 301),
        of_machine(cores=0),
        of_machine(cores=10**6),
        of_machine(memory_bytes=-1),
        of_machine(cpu="\x1b]0;x"),
        of_machine(name=["pi"]),
    ],
)
def test_damaged_records_are_refused(damage: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps(damage(toy_records("litert", {"a.tflite": HASH}))))
    with pytest.raises(InputError, match=r"r.json' holds no records of format reds-timings/1 \(.*\); give the file"):
        load_timings(path)


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"{", b"[" * 10**5, b'{"format": NaN}', b'{"a": 1e999}', bytes(99)]
)
def test_files_of_something_else_are_refused(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match="holds no records of format"):
        load_timings(path)
    monkeypatch.setattr(timings, "MOST_BYTES", 5)
    path.write_text(json.dumps(toy_records("litert")))
    with pytest.raises(InputError, match="it is larger than 5 bytes"):
        load_timings(path)
    with pytest.raises(InputError, match="cannot be read"):
        load_timings(tmp_path)
