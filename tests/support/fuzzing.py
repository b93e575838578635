"""What the fuzzer tries: small real inputs, command lines with odd values, damaged files and run folders.

A try is a frozen dataclass whose repr is all that is needed to repeat it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import signal
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from reds_core import cli

ERROR = re.compile(r"error: \S.*; \S.*[^.\s]")
SECONDS_A_TRY = 120
INPUTS = ("m.keras", "m.h5", "d.npz", "p.npz", "t.json", "done", "unfinished", "recipe.yaml", "images")
"""What `build` makes; every try works on copies."""

# --- the inputs ------------------------------------------------------------------------------------------------------


def build(folder: Path) -> None:
    """Make one small input of each kind in `folder`. Needs TensorFlow."""
    import keras

    layers = keras.layers
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(name="pool"),
            layers.Dense(3, activation="softmax", name="head"),
        ]
    )
    for name in ("m.keras", "m.h5"):
        model.save(folder / name)
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(18, 6, 6, 1)).astype(np.float32), np.arange(18) % 3
    np.savez(folder / "d.npz", x_train=x, y_train=y, x_test=x[:6], y_test=y[:6])
    with inside(folder):
        done = ["prune", "m.keras", "--data", "d.npz", "--budget", "macs=0.5", "--scorer", "magnitude"]
        done += ["--finetune-epochs", "0", "--out"]
        succeed([*done, "done"])
        shutil.copy("done/recipe.yaml", "recipe.yaml")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("reds_core.runs.run.finish", _interrupt)
            assert cli.run([*done, "unfinished"]) == 130
        problem = ["--data", "d.npz", "--budget", "macs=0.5", "--out", "p.npz"]
        succeed(["formulate", "m.keras", *problem])
        succeed(["latency", "m.keras", "--out", "t.json", "--repeats", "10", "--points", "2", "--checks", "1"])
    _draw_images(folder / "images")


def _interrupt(*arguments: Any, **named: Any) -> None:
    raise KeyboardInterrupt


def _draw_images(folder: Path) -> None:
    from PIL import Image

    for name in ("cat", "dog"):
        (folder / name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((6, 6), 40 * i, np.uint8)).save(folder / name / f"{i}.png")


def succeed(arguments: list[str]) -> None:
    """Run a command line that must succeed."""
    err = io.StringIO()
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        status = cli.run(arguments)
    assert status == 0, err.getvalue()


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """Work in `folder` meanwhile."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def spread(pristine: Path, work: Path) -> None:
    """Copies of the inputs, and paths that are odd in other ways, in an empty `work`."""
    for name in INPUTS:
        source = pristine / name
        if source.is_dir():
            shutil.copytree(source, work / name)
        else:
            shutil.copy(source, work / name)
    # a run knows its inputs by absolute paths
    for notes in ("unfinished/.checkpoint/run.json", "done/plan.json", "recipe.yaml", "done/recipe.yaml"):
        text = (work / notes).read_text()
        (work / notes).write_text(text.replace(str(pristine), str(work)))
    (work / "folder").mkdir()
    (work / "loop").symlink_to(work / "loop")
    (work / "empty").write_bytes(b"")
    (work / "text").write_text("hello: [1, 2\n")


# --- command lines ---------------------------------------------------------------------------------------------------

PATHS = (*INPUTS, "folder", "loop", "empty", "text", "missing", "missing/deeper", "text/below", ".", "n" * 300, "слой")
WORDS = (
    "",
    " ",
    "-",
    "--",
    "слой",
    "a b",
    "é\u202f…",
    "\udcff",
    "[bold]",
    "'",
    "{",
    "a=b",
    "=",
    ",",
    "x" * 5000,
    "none",
)
NUMBERS = ("0", "1", "-1", "2", "0.5", "nan", "inf", "-inf", "1e400", "1e-400", "9" * 30, "0x10", "1_000", "½", "٣")
BUDGETS = ("macs", "macs=", "macs=0", "macs=-1", "macs=nan", "macs=1e400", "macs=1e-9", "macs=1", "macs=0.9", "=0.5")
BUDGETS += ("macs=0.5,0.25", "macs=0.5,0.5", "macs=0.5,x", "params=1KiB", "peak_ram=64", "latency=0.5", "mcas=0.5")
BUDGETS += ("macs=" + "9" * 400, "macs=0.5,", "MACS=0.5", "macs=50%", "macs=0.5=0.5", "macs=0.1234567890123456789")
OPTIONS = ("dp", "dp.x=1", ".=", "taylor.batch_size=0", "taylor.batch_size=-1", "magnitude.norm=l9", "tensorflow.x=y")
OPTIONS += ("dp.table_limit=nan", "cpsat.presolve=maybe", "magnitude.norm=l1", "nobody.x=1", "a.b.c=d", "dp.=", "=.")
NAMES = ("auto", "dp", "greedy", "taylor", "magnitude", "random", "nested", "uniform", "oneshot", "DP", "tensorflow")
NAMES += ("no", "reds_core.cli:main", "reds_greedy:GreedySolver", "os:path", ":", "a:", ":a", "json:nothing", "..:x")

IMPORTS = (*PATHS, "json", "no.module", "missing.py", "слой.py", "folder.py", "..", "/", "m.keras.py")
AMOUNTS = (*NUMBERS, "4GiB", "1k", "1QB", "iB", "none")

# what never ends, or fetches from the network, is no input for a fuzzer
_SMALL = tuple(n for n in NUMBERS if not n.startswith("9") and n != "1_000")
_EPOCHS = ("0", "-1", "nan", "0.5", "x", "", "½")
_WIDTH_RULES = {"--keep": ("*", "conv", "no*", "", "[", "слой"), "--align": NUMBERS, "--min-width": NUMBERS}
_WIDTH_RULES |= {"--max-options": NUMBERS}
_SHARED = {"--option": OPTIONS, "--element-size": NUMBERS, "--seed": NUMBERS, "--strict": None}
_SHARED |= {"--latency-table": PATHS, "--loss": WORDS, "--metric": (*WORDS, "accuracy", "MeanIoU", "F1Score")}
_TRAINING = {"--batch-size": NUMBERS, "--learning-rate": NUMBERS, "--holdout": NUMBERS, "--optimizer": WORDS}
_TRAINING |= {"--momentum": NUMBERS, "--clip-norm": NUMBERS, "--patience": NUMBERS, "--dropout": NUMBERS}
_TRAINING |= {"--augment": (*WORDS, "flip", "shift=9"), "--finetune-epochs": _EPOCHS, "--schedule": WORDS}
_TRAINING |= {"--distill-weight": NUMBERS, "--warmup-epochs": NUMBERS, "--weight-decay": NUMBERS}
_TRAINING |= {"--recalibrate": None, "--no-recalibrate": None}
_TRAINING |= {"--distill": (*WORDS, "input"), "--distill-temperature": NUMBERS, "--precision": WORDS}

Values = tuple[str, ...] | None
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...], dict[str, Values]]] = {
    # name: arguments, options of a sound command line, all options and what is tried for them (None: a flag)
    "plugins": ((), (), {"--json": None}),
    "inspect": (
        ("m.keras",),
        (),
        {"--json": None, "--option": OPTIONS, "--element-size": NUMBERS, "--strict": None} | {"--import": IMPORTS},
    ),
    "solve": (
        ("p.npz",),
        (("--solver", "dp"),),
        {"--json": None, "--solver": NAMES, "--time-limit": NUMBERS, "--seed": NUMBERS, "--threads": NUMBERS}
        | {"--option": OPTIONS, "--memory-limit": AMOUNTS},
    ),
    "formulate": (
        ("m.keras",),
        (("--data", "d.npz"), ("--budget", "macs=0.5"), ("--out", "new.npz")),
        {"--budget": BUDGETS, "--data": PATHS, "--out": PATHS, "--scorer": NAMES, "--score-level": (*WORDS, "kernel")}
        | {"--import": IMPORTS}
        | _WIDTH_RULES
        | _SHARED,
    ),
    "prune": (
        ("m.keras",),
        (
            *(("--data", "d.npz"), ("--budget", "macs=0.5"), ("--out", "new"), ("--finetune-epochs", "0")),
            ("--scorer", "magnitude"),
        ),
        {"--budget": BUDGETS, "--data": PATHS, "--out": PATHS, "--scorer": NAMES, "--pruner": NAMES, "--solver": NAMES}
        | {"--resume": None, "--overwrite": None, "--recipe": PATHS, "--time-limit": NUMBERS, "--threads": NUMBERS}
        | {"--memory-limit": AMOUNTS, "--import": IMPORTS, "--score-level": (*WORDS, "kernel")}
        | {"--int8": None, "--no-int8": None, "--no-strict": None}
        | _WIDTH_RULES
        | _SHARED
        | _TRAINING,
    ),
    "extract": (("done",), (("--budget", "macs=0.7"),), {"--budget": BUDGETS}),
    "latency": (
        ("m.keras",),
        (("--out", "new.json"), ("--repeats", "10"), ("--points", "2"), ("--checks", "0")),
        {"--out": PATHS, "--repeats": _SMALL, "--points": _SMALL, "--checks": _SMALL, "--threads": _SMALL}
        | {"--element-size": NUMBERS, "--option": OPTIONS, "--json": None, "--import": IMPORTS},
    ),
    "bench": (
        ("p.npz",),
        (("--solvers", "no"), ("--out", "new")),
        {"--solvers": WORDS, "--suite": WORDS, "--time-limit": NUMBERS, "--memory-limit": AMOUNTS}
        | {"--option": OPTIONS, "--seed": NUMBERS, "--scheduler": WORDS}
        | {"--repeat": NUMBERS, "--threads": NUMBERS, "--jobs": NUMBERS, "--backend": WORDS, "--out": PATHS},
    ),
    "compare": (
        ("text",),
        (("--out", "new"),),
        {"--pruners": WORDS, "--scorers": WORDS, "--solvers": WORDS, "--seeds": (*NUMBERS, *WORDS), "--out": PATHS}
        | {"--retry": None},
    ),
    "check": (("nobody",), (), {"--json": None}),
}
_ARGUMENTS = {"check": ("no", "tensorflow", "os:path", ":", "a:", ":a", "json:nothing", "..:x", *WORDS)}
_ARGUMENTS |= {"compare": tuple(p for p in PATHS if p != "recipe.yaml")}


@dataclass(frozen=True)
class CommandLine:
    """A try: arguments, run in a folder of the inputs."""

    arguments: tuple[str, ...]


@st.composite
def command_lines(draw: st.DrawFn) -> CommandLine:
    """A sound command line of any command with up to three changes."""
    # cheap commands and dear ones in equal parts: most odd values are refused before anything is dear
    name = draw(st.sampled_from(sorted(COMMANDS)))
    arguments, sound, known = COMMANDS[name]
    given = list(arguments)
    chosen: dict[str, list[str | None]] = {option: [value] for option, value in sound}
    for _ in range(draw(st.integers(0, 3))):
        change = draw(st.sampled_from(("option", "option", "option", "argument", "drop", "odd")))
        if change == "option" and known:
            option = draw(st.sampled_from(sorted(known)))
            values = known[option]
            value = None if values is None else draw(st.sampled_from(values))
            chosen.setdefault(option, [])
            chosen[option] = [*chosen[option], value] if draw(st.booleans()) else [value]
        elif change == "argument":
            value = draw(st.sampled_from(_ARGUMENTS.get(name, PATHS)))
            given = [value] if given else []
        elif change == "drop" and chosen and name not in ("prune", "latency", "bench", "compare"):
            del chosen[draw(st.sampled_from(sorted(chosen)))]
        elif change == "odd":
            given.append(draw(st.sampled_from((*WORDS[3:], "--nonsense", "-x", "--help"))))
    flat = [part for option, values in chosen.items() for value in values for part in (option, value)]
    return CommandLine((name, *given, *(part for part in flat if part is not None)))


# --- damage ----------------------------------------------------------------------------------------------------------

ODD_JSON: tuple[Any, ...] = (None, True, [], {}, "", "x", -1, 0, 1, 10**30, 1e308, 0.5, [[]], {"a": 1}, "слой", [None])


@dataclass(frozen=True)
class Damage:
    """A change to a file.

    Attributes:
        how: "cut", "flip", "zero", "empty", "gone", "folder", "deep", "json" or "array".
        at: where, as a share of the file or of what can be changed in it.
        amount: how many bits or bytes, or which odd value.
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
        """One value of a JSON text replaced by an odd one; texts of other kinds get a line of their own."""
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
        """One member of a zip file changed, with a sum that fits; other files are left as they are."""
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
    """Every value in a JSON structure: what holds it, and its key there."""
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
    # what is damaged: a pattern of files in a folder of the inputs, and the command lines that read it
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
    """A try: the `which`-th file of a pattern is damaged, then a command line that reads it is run."""

    pattern: str
    which: int
    damage: Damage
    arguments: tuple[str, ...]


@st.composite
def damaged_inputs(draw: st.DrawFn) -> DamagedInput:
    """Any damage of any input."""
    pattern = draw(st.sampled_from(sorted(READERS)))
    return DamagedInput(pattern, draw(st.integers(0, 30)), draw(damages), draw(st.sampled_from(READERS[pattern])))


# --- a try -----------------------------------------------------------------------------------------------------------


class Hang(BaseException):
    """A try took longer than any should."""


@contextlib.contextmanager
def watchdog(seconds: float = SECONDS_A_TRY) -> Iterator[None]:
    """End what hangs inside. Of code in C that does not return, the terminal shows where it stands."""
    import faulthandler

    def bark(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, bark)
    faulthandler.dump_traceback_later(3 * seconds, exit=True)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def digests(folder: Path) -> dict[str, str]:
    """The content of every file below `folder`, by path."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def try_command_line(tried: CommandLine, pristine: Path, work: Path) -> None:
    """Run it on fresh copies of the inputs and hold what it does against what every command promises."""
    _fresh(pristine, work)
    run_and_check(tried.arguments, work)


def try_damaged_input(tried: DamagedInput, pristine: Path, work: Path) -> None:
    """Damage a fresh copy of an input, run what reads it, and hold that against what every command promises."""
    _fresh(pristine, work)
    files = sorted(path for path in work.glob(tried.pattern) if path.is_file())
    tried.damage.do(files[tried.which % len(files)])
    run_and_check(tried.arguments, work)


def _fresh(pristine: Path, work: Path) -> None:
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    spread(pristine, work)


def run_and_check(arguments: tuple[str, ...], work: Path) -> None:
    """Run a command line in `work`.

    Raises:
        AssertionError: if its status is none that is documented for input of users, stderr does not end with one line
            of the usual form, or it leaves half files or changes inputs.
    """
    before = digests(work)
    out, err = io.StringIO(), io.StringIO()
    with inside(work), watchdog(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.run(list(arguments))
    shown = f"{' '.join(map(ascii, arguments))}\nstatus {status}\n{out.getvalue()[-2000:]}\n{err.getvalue()[-4000:]}"
    allowed = {0, 1, 2, 3, 4} if arguments[0] == "check" else {0, 2, 3, 4}
    assert status in allowed, shown
    assert "Traceback" not in out.getvalue() + err.getvalue(), shown
    assert "a bug of reds" not in err.getvalue(), shown
    if status:
        last = err.getvalue().rstrip("\n").rpartition("\n")[2]
        assert ERROR.fullmatch(last), shown
    elif "--json" in arguments and "--help" not in arguments:
        json.loads(out.getvalue(), parse_constant=_refuse_constant)
    assert not [p for p in work.rglob("*") if ".partial" in p.name], shown
    after = digests(work)
    written = _written(arguments)
    changed = [name for name, digest in before.items() if after.get(name) != digest]
    assert not [name for name in changed if Path(name).parts[0] not in written], f"{changed}\n{shown}"


def _refuse_constant(constant: str) -> None:
    raise AssertionError(f"{constant} in JSON")


def _written(arguments: tuple[str, ...]) -> set[str]:
    """The first parts of the paths that a command line may write to."""
    places = {arguments[i + 1] for i, part in enumerate(arguments[:-1]) if part == "--out"}
    if arguments[0] == "extract":
        places |= set(arguments[1:2])
    if "." in places:
        places |= set(INPUTS)
    return {Path(place).parts[0] for place in places if Path(place).parts}
