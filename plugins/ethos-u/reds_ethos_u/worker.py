"""Lets Vela compile some files; a script that `reds_core.system.serve` runs in a separate process."""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reds_core.arrays import NamedArrays
from reds_core.system import serve

_TABLE = re.compile(r'<table name="(\w+)">\s*<!\[CDATA\[(.*?)\]\]>', re.DOTALL)
_MEMORIES = ("Sram", "Dram", "OffChipFlash", "OnChipFlash")


def answer(request: NamedArrays) -> dict[str, Any]:
    """Return what Vela counts for each file in `request`, as JSON, or the reason why it compiles none."""
    from ethosu.vela import vela

    options = json.loads(str(request["options"]))
    names = [name for name in request if name.startswith("file")]
    return {name: json.dumps(_compiled(vela.main, request[name].tobytes(), options)) for name in names}


def _compiled(main: Callable[[list[str]], int], content: bytes, options: list[str]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "network.tflite", Path(folder) / "out"
        file.write_bytes(content)
        try:
            status = main([str(file), *options, "--output-dir", str(out), "--enable-debug-db", "--verbose-performance"])
        except (Exception, SystemExit) as error:  # what Vela raises for a file that it cannot compile
            return {"error": f"{error}" or type(error).__name__}
        if status:
            return {"error": f"Vela ends with status {status}"}
        (summary,) = out.glob("*_summary_*.csv")
        (row,) = csv.DictReader(io.StringIO(summary.read_text()))
        (debug,) = out.glob("*_debug.xml")
        try:
            return {"summary": row, **tables_of(debug.read_text(encoding="utf-8"))}
        except KeyError as error:
            return {"changed": f"without {error}"}


def tables_of(text: str) -> dict[str, Any]:
    """Return what is used of Vela's database about a compilation: its operators and its buffers.

    Raises:
        KeyError: If it lacks a table, a column or an operator, as that of another version of Vela may.
    """
    found = {name: list(csv.DictReader(io.StringIO(body.strip()))) for name, body in _TABLE.findall(text)}
    sources = {row["id"]: int(row["ext_key"]) for row in found["source"]}
    moved = {row["id"]: row for row in found["perf_debug"]}
    rows = [
        {
            "operator": sources.get(row["source_id"], -1),
            "kind": row["operator"],
            "moment": int(moved[row["id"]]["time_index"] or -1),
            "cycles": int(row["op_cycles"]),
            "macs": int(row["mac_count"]),
            "bytes": {memory: _bytes(moved[row["id"]], memory) for memory in _MEMORIES},
        }
        for row in found["perf"]
    ]
    buffers = [
        {
            "name": row["name"],
            "memory": row["memory"],
            "first": int(row["start_time"]),
            "last": int(row["end_time"]),
            "begin": int(row["start_address"], 16),
            "end": int(row["end_address"], 16),
        }
        for row in found["tensors"]
    ]
    return {"rows": rows, "buffers": buffers}


def _bytes(row: dict[str, str], memory: str) -> int:
    """Return how many bytes an operator reads from a memory and writes to it. Memories without columns are not used."""
    ends = ("_read", "_write")
    return sum(int(text or 0) for name, text in row.items() if name.startswith(memory) and name.endswith(ends))


if __name__ == "__main__":
    serve(answer)
