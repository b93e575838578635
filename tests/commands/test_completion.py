"""Completion in the shell, as a shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


def completed(line: str, more: str = "") -> subprocess.CompletedProcess[str]:
    """What bash gets for a line whose last word is being typed; `more` is run afterwards in the same process."""
    program = (
        "import sys\nfrom reds_core.cli import run\n"
        f"try:\n    run([])\nexcept SystemExit as stop:\n    {more or 'pass'}\n    sys.exit(stop.code)\n"
    )
    words = line.split(" ")
    environment = {
        **os.environ,
        "_REDS_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True, env=environment
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("reds pru", ["prune"]),
        ("reds prune --max-d", ["--max-drop", "--max-drop-resource", "--max-drop-epochs", "--max-drop-target"]),
        ("reds prune --schedule co", ["cosine", "constant"]),
        ("reds prune --solver scipy", ["scipy-lp", "scipy-milp"]),
        ("reds solve p.npz --solver dp --see", ["--seed"]),
        ("reds formulate m.keras --scorer tay", ["taylor"]),
        ("reds bench p.npz --solvers dp,scipy", ["dp,scipy-lp", "dp,scipy-milp"]),
        ("reds compare r.yaml --pruners ne", ["nested"]),
        ("reds plugins lay", ["layerwise"]),
        ("reds check ten", ["tensorflow"]),
        ("reds --vers", ["--version"]),
        ("reds prune --score-level k", ["kernel"]),
        ("reds formulate m.keras --score-level ", ["channel", "kernel"]),
        ("reds new s", ["solver", "scorer"]),
        ("reds suite ex", ["export"]),
        ("reds export slim --target c", ["c-engine"]),
        ("reds prune --target l", []),
        ("reds profile slim --on lit", ["litert"]),
        ("reds evaluate f.tflite --on lit", ["litert"]),
    ],
)
def test_words_are_completed(line: str, expected: list[str]) -> None:
    assert completed(line).stdout.split() == expected


@pytest.mark.parametrize("line", ["reds ", "reds prune --solver ", "reds evaluate --"])
def test_completion_imports_no_heavy_library(line: str) -> None:
    heavy = "{'tensorflow', 'keras', 'ortools', 'pulp', 'scipy', 'matplotlib', 'jinja2', 'pandas', 'sklearn'}"
    found = completed(line, f"print(sorted({heavy} & set(sys.modules)), file=sys.stderr)")
    assert found.stdout.split()
    assert found.stderr == "[]\n"


def test_the_script_for_the_shell_is_shown() -> None:
    command = [sys.executable, "-m", "reds_core", "--show-completion"]
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = subprocess.run([*command, "bash"], capture_output=True, text=True, timeout=120, check=True, env=environment)
    assert "_REDS_COMPLETE=complete_bash" in shown.stdout
