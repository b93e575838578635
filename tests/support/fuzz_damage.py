"""Damage to input files, and the command lines that read the damaged files."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

ODD_JSON: tuple[Any, ...] = (None, True, [], {}, "", "x", -1, 0, 1, 10**30, 1e308, 0.5, [[]], {"a": 1}, "слой", [None])


@dataclass(frozen=True)
class Damage:
    """A change to a file.

    Attributes:
        how: the kind of damage: "cut", "flip", "zero", "empty", "gone", "folder", "deep", "json" or "array".
        at: position of the damage, as a fraction of the file or of the values in it that can be changed.
        amount: number of bits or bytes, or index of the odd value.
    """

    how: str
    at: float
    amount: int

    def do(self, path: Path) -> None:
        """Damage the file at `path`."""
        content = path.read_bytes()
        place = min(int(self.at * len(content)), max(len(content) - 1, 0))
        if self.how == "cut":
            path.write_bytes(content[:place])
        elif self.how == "flip":
            changed = bytearray(content)
            for i in range(min(self.amount, len(changed))):
                changed[(place + 37 * i) % len(changed)] ^= 1 << (i + self.amount) % 8
            path.write_bytes(bytes(changed))
        elif self.how == "zero":
            path.write_bytes(content[:place] + bytes(self.amount) + content[place + self.amount :])
        elif self.how == "empty":
            path.write_bytes(b"")
        elif self.how == "gone":
            path.unlink()
        elif self.how == "folder":
            path.unlink()
            path.mkdir()
        elif self.how == "deep":
            path.write_bytes(b"[" * 200_000)
        elif self.how == "json":
            path.write_bytes(self._other_json(content))
        elif self.how == "array":
            self._change_member(path, content)

    def _other_json(self, content: bytes) -> bytes:
        """Replace one value of a JSON text by an odd one; append a malformed line to any other text."""
        try:
            whole = json.loads(content)
        except ValueError:
            return content + b"\nodd: [1\n"
        places = list(_places(whole))
        if not places:
            return b"[]"
        holder, key = places[int(self.at * len(places)) % len(places)]
        holder[key] = ODD_JSON[self.amount % len(ODD_JSON)]
        return json.dumps(whole).encode()

    def _change_member(self, path: Path, content: bytes) -> None:
        """Change one member of a zip file and keep its checksum valid; leave other files unchanged."""
        if not zipfile.is_zipfile(io.BytesIO(content)):
            return
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        name = sorted(members)[int(self.at * len(members)) % len(members)]
        if name.endswith(".npy"):
            members[name] = _npy(_odd_array(members[name], self.amount))
        elif name.endswith(".json"):
            members[name] = self._other_json(members[name])
        else:
            middle = len(members[name]) // 2
            members[name] = members[name][:middle] + bytes(self.amount) + members[name][middle + self.amount :]
        with zipfile.ZipFile(path, "w") as archive:
            for member, own in members.items():
                archive.writestr(member, own)


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every value in a JSON structure as its container and its key there."""
    for key in list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        yield node, key
        yield from _places(node[key])


def _odd_array(npy: bytes, which: int) -> Any:
    array = np.load(io.BytesIO(npy), allow_pickle=False)
    numbers = array if array.dtype.kind in "biuf" else np.zeros(3)
    changes: tuple[Any, ...] = (
        numbers.astype(np.float64) * np.nan,
        numbers.ravel()[:0],
        numbers[None],
        np.float64(2.5),
        numbers.astype("U3"),
        numbers.astype(np.float64) + 0.5,
        -np.abs(numbers.astype(np.float64)),
        np.full_like(numbers, 2**62, dtype=np.int64),
        numbers.ravel()[::-1],
        np.array("{"),
        np.zeros((2, 0)),
        numbers.astype(np.complex64),
    )
    return changes[which % len(changes)]


def _npy(array: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


damages = st.builds(
    Damage,
    st.sampled_from(("cut", "flip", "zero", "empty", "gone", "folder", "deep", "json", "json", "array", "array")),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 60),
)

_FREE = ("--scorer", "magnitude", "--finetune-epochs", "0", "--out", "new")
_LATENCY = ("--budget", "latency=0.9", "--latency-table", "t.json")
READERS: dict[str, tuple[tuple[str, ...], ...]] = {
    # pattern of the files to damage, and the command lines that read them
    "m.keras": (
        ("inspect", "m.keras", "--json"),
        ("formulate", "m.keras", "--scorer", "magnitude", "--budget", "macs=0.5", "--out", "new.npz"),
        ("latency", "m.keras", "--out", "new.json", "--repeats", "10", "--points", "2", "--checks", "0"),
    ),
    "m.h5": (("inspect", "m.h5"), ("formulate", "m.h5", "--data", "d.npz", "--budget", "macs=0.5", "--out", "new.npz")),
    "d.npz": (("formulate", "m.keras", "--data", "d.npz", "--budget", "macs=0.5", "--out", "new.npz"),),
    "p.npz": (
        ("solve", "p.npz", "--json"),
        ("solve", "p.npz", "--solver", "greedy"),
        ("solve", "p.npz", "--solver", "lagrangian"),
        ("bench", "p.npz", "--solvers", "no", "--out", "new"),
    ),
    "t.json": (
        ("formulate", "m.keras", "--scorer", "magnitude", *_LATENCY, "--out", "new.npz"),
        ("latency", "m.keras", "--out", "t.json", "--repeats", "10", "--points", "2", "--checks", "1"),
    ),
    "recipe.yaml": (("prune", "--recipe", "recipe.yaml", "--out", "new"), ("compare", "text", "recipe.yaml")),
    "images/*/*": (("formulate", "m.keras", "--data", "images", "--budget", "macs=0.5", "--out", "new.npz"),),
    "done/*": (
        ("extract", "done", "--budget", "macs=0.7"),
        ("prune", "m.keras", "--data", "d.npz", "--budget", "macs=0.5", *_FREE[:-1], "done", "--resume"),
        ("prune", "m.keras", "--data", "d.npz", "--budget", "macs=0.5", *_FREE[:-1], "done"),
    ),
    "unfinished/.checkpoint/**/*": (
        ("prune", "--budget", "macs=0.5", *_FREE[:-1], "unfinished", "--resume"),
        ("extract", "unfinished", "--budget", "macs=0.7"),
    ),
}


@dataclass(frozen=True)
class DamagedInput:
    """A trial: damage the `which`-th file that matches the pattern, then run a command line that reads it."""

    pattern: str
    which: int
    damage: Damage
    arguments: tuple[str, ...]


@st.composite
def damaged_inputs(draw: st.DrawFn) -> DamagedInput:
    """Draw any damage to any input."""
    pattern = draw(st.sampled_from(sorted(READERS)))
    return DamagedInput(pattern, draw(st.integers(0, 30)), draw(damages), draw(st.sampled_from(READERS[pattern])))
