"""The program that times files on other machines, run as such a machine runs it."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from int8_graphs import GraphBuilder, options
from reds_litert.profile import LiteRt, ProfileOptions
from reds_litert.timing_script import PROGRAM, timing_script

from reds_core.framework import load_timings

FILES = ("a 'small' one.tflite", "b.tflite")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two small files."""
    folder = tmp_path / "files"
    folder.mkdir()
    for name, units in zip(FILES, (4, 8), strict=True):
        (folder / name).write_bytes(_dense(units))
    return folder


def _dense(units: int) -> bytes:
    graph = GraphBuilder()
    x = graph.tensor((1, 8))
    kernel = graph.tensor((units, 8), 0.01, data=np.ones((units, 8), np.int8))
    bias = graph.tensor((units,), 0.0005, data=np.zeros(units, np.int32))
    dense = options("FullyConnectedOptions", fusedActivationFunction=0)
    return graph.content(x, graph.operator("FULLY_CONNECTED", [x, kernel, bias], graph.tensor((1, units)), dense))


def script_for(folder: Path, repeats: int = 10) -> Path:
    text = LiteRt(ProfileOptions(repeats=repeats)).timing_script(
        {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES}
    )
    path = folder.parent / "time_me.py"
    path.write_text(text)
    return path


def run(*arguments: object, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **more)


def test_it_is_plain_python_that_old_versions_read() -> None:
    text = timing_script({"it's.tflite": "0" * 64}, "litert", threads=2, repeats=30)
    tree = ast.parse(text, feature_version=(3, 9))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
    }
    assert imported - sys.stdlib_module_names == {"numpy"}
    assert text.replace("\n", "").count("'it\\'s.tflite'") + text.count('"it\'s.tflite"') == 1
    assert timing_script({}, "litert", threads=1, repeats=200, time_limit_s=5.0).count(
        "\n"
    ) == PROGRAM.read_text().count("\n")


def test_files_are_timed(folder: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    script, out = script_for(folder), folder.parent / "r.json"
    ran = run(script, folder, "--out", out)
    assert ran.returncode == 0, ran.stderr
    assert f"[1/2] {FILES[0]}: " in ran.stderr
    found = load_timings(out)
    assert [each.file for each in found.files] == list(FILES)
    assert all(each.runs == 10 and each.refused is None for each in found.files)
    assert (found.on, found.threads, found.repeats) == ("litert", 1, 10)
    assert found.versions.keys() == {"ai-edge-litert", "numpy"}
    assert found.named(None).machine.cores >= 1
    # unfinished records are gone on with
    plain = json.loads(out.read_text())
    first = plain["files"].pop()
    out.write_text(json.dumps(plain))
    ran = run(script, folder, "--out", out)
    assert [line[:5] for line in ran.stderr.splitlines() if line.startswith("[")] == ["[2/2]"]
    again = json.loads(out.read_text())
    assert again["files"][0] == plain["files"][0]
    assert again["files"][1]["file"] == first["file"]


@pytest.fixture
def old_runtime(folder: Path) -> dict[str, Any]:
    """How to run a program where nothing is installed but a tflite-runtime that refuses the second file."""
    package = folder.parent / "old" / "tflite_runtime"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "interpreter.py").write_text(
        "class Interpreter:\n"
        "    def __init__(self, model_content, num_threads): self.size = len(model_content)\n"
        "    def allocate_tensors(self): pass\n"
        "    def get_input_details(self): return []\n"
        "    def invoke(self):\n"
        f"        if self.size == {(folder / FILES[1]).stat().st_size}:\n"
        "            raise RuntimeError('Op 99 is\\n unknown')\n"
    )
    (package.parent / "numpy.py").write_text(
        "import types\n"
        "random = types.SimpleNamespace(default_rng=lambda seed: None)\n"
        "def percentile(values, shares): return sorted(values)[:: max(len(values) // 2 - 1, 1)][:3]\n"
    )
    return {"env": {**os.environ, "PYTHONPATH": str(package.parent)}}


def test_what_is_wrong_is_told(folder: Path, old_runtime: dict[str, Any]) -> None:
    script, out = script_for(folder), folder.parent / "r.json"
    out.write_text("{}")
    before = (folder / "b.tflite").read_bytes()
    (folder / "b.tflite").write_bytes(before + b" ")
    ran = run(script, folder, "--out", out)
    assert ran.returncode == 2
    assert "b.tflite' is not the file that this program was written for; copy the files here again" in ran.stderr
    (folder / "b.tflite").unlink()
    ran = run(script, folder, "--out", out)
    assert (ran.returncode, "b.tflite' cannot be read (No such file" in ran.stderr) == (2, True)
    (folder / "b.tflite").write_bytes(before)
    ran = run("-SE", script, folder, "--out", out)
    assert ran.returncode == 3
    assert ran.stderr == "error: neither ai-edge-litert nor tflite-runtime is installed; pip install ai-edge-litert\n"
    ran = run("-S", script, folder, "--out", out, **old_runtime)
    assert (ran.returncode, "r.json' holds something else; remove it" in ran.stderr) == (2, True)
    assert out.read_text() == "{}"
    ran = run("-S", script, folder, "--out", folder / "none" / "r.json", **old_runtime)
    assert (ran.returncode, "cannot be written (No such file or directory); choose" in ran.stderr) == (2, True)


def test_the_older_runtime_is_used_if_only_that_is_installed(folder: Path, old_runtime: dict[str, Any]) -> None:
    script, out = script_for(folder), folder.parent / "r.json"
    ran = run("-S", script, folder, "--out", out, **old_runtime)
    assert ran.returncode == 0, ran.stderr
    found = load_timings(out)
    assert "tflite-runtime" in found.versions
    assert [each.refused for each in found.files] == [None, "Op 99 is unknown"]
    printed = run("-S", script, folder, "--out", "-", cwd=folder, **old_runtime)
    assert [each["file"] for each in json.loads(printed.stdout)["files"]] == list(FILES)
    assert sorted(os.listdir(folder)) == list(FILES)
    # complete records are made anew
    assert run("-S", script, folder, "--out", out, **old_runtime).stderr.count("\n[") == 1


@pytest.mark.parametrize(("key", "other"), [("machine", {"name": "pi"}), ("versions", {"numpy": "0.1"})])
def test_records_of_another_machine_or_library_are_kept(
    folder: Path, old_runtime: dict[str, Any], key: str, other: dict[str, str]
) -> None:
    script, out = script_for(folder), folder.parent / "r.json"
    assert run("-S", script, folder, "--out", out, **old_runtime).returncode == 0
    plain = json.loads(out.read_text())
    for files in (plain["files"], plain["files"][:1]):
        text = json.dumps({**plain, key: plain[key] | other, "files": files})
        out.write_text(text)
        ran = run("-S", script, folder, "--out", out, **old_runtime)
        why = "r.json' holds records of another machine or library; choose another file by --out\n"
        assert (ran.returncode, ran.stderr.endswith(why)) == (2, True)
        assert out.read_text() == text


def test_signs_of_life_are_given_to_who_waits(folder: Path, old_runtime: dict[str, Any]) -> None:
    script = script_for(folder, repeats=10**8)
    text = script.read_text().replace("'time_limit_s': 5.0", "'time_limit_s': 60.0")
    assert text.count("SIGN_OF_LIFE_S = 60.0") == 1
    script.write_text(text.replace("SIGN_OF_LIFE_S = 60.0", "SIGN_OF_LIFE_S = 0.05"))
    command = [sys.executable, "-S", str(script), str(folder), "--out", "-", "--stop-with-input"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **old_runtime) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        alarm = threading.Timer(20, process.kill)
        alarm.start()
        assert [process.stderr.readline() for _ in range(2)] == ["still timing\n"] * 2
        alarm.cancel()
        process.stdin.close()
        assert process.wait(20) == 130


@pytest.mark.parametrize("how", ["interrupt", "closed input"])
def test_it_can_be_stopped(how: str, folder: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    script, out = script_for(folder, repeats=10**8), folder.parent / "r.json"
    script.write_text(script.read_text().replace("'time_limit_s': 5.0", "'time_limit_s': 60.0"))
    command = [sys.executable, str(script), str(folder), "--out", str(out), "--stop-with-input"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        while "XNNPACK" not in process.stderr.readline() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(0.1)
        if how == "interrupt":
            process.send_signal(signal.SIGINT)
        else:
            process.stdin.close()
        assert process.wait(20) == 130
    assert not out.exists()
