"""The example sketch of an engine laid out as an Arduino library, with a C++ compiler and a stand-in for Arduino."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from reds_c_engine.engine_device import CEngine, EngineOptions

pytest.importorskip("ai_edge_litert", reason="needs ai-edge-litert")

from family_graphs import family

from reds_core.framework import MemberFile

ARDUINO = """\
#include <stdint.h>
struct {
  void begin(long) {}
  void print(const char *) {}
  void print(long) {}
  void println(unsigned long) {}
} Serial;
unsigned long micros(void);
void delay(unsigned long);
"""


def files(bits: str) -> list[tuple[str, bytes]]:
    narrow, wide = family(), [(f"{name}-16", content) for name, content in family(activation_bits=16)]
    return {"8": narrow, "16": wide, "8 and 16": [*narrow, *wide]}[bits]


@pytest.mark.parametrize("bits", ["8", "16", "8 and 16"])
def test_it_compiles_whatever_bits_the_members_have(bits: str, tmp_path: Path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    members = []
    for name, content in files(bits):
        (tmp_path / f"{name}.tflite").write_bytes(content)
        members.append(MemberFile(name, tmp_path / f"{name}.tflite"))
    out = tmp_path / "out"
    out.mkdir()
    CEngine(EngineOptions(layout="arduino", examples=2)).deploy(members, out)
    (tmp_path / "Arduino.h").write_text(ARDUINO)
    strict = ("-std=c++11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only", "-include", "Arduino.h")
    (sketch,) = out.rglob("*.ino")
    subprocess.run([compiler, *strict, f"-I{out / 'src'}", "-x", "c++", str(sketch)], cwd=tmp_path, check=True)
