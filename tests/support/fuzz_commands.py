"""Command lines with odd values, as Hypothesis draws them."""

from __future__ import annotations

from dataclasses import dataclass

from fuzz_inputs import INPUTS
from hypothesis import strategies as st

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
BUDGETS += ("arena=96", "energy=0.5", "energy=3uJ", "energy=3")
BUDGETS += ("macs=" + "9" * 400, "macs=0.5,", "MACS=0.5", "macs=50%", "macs=0.5=0.5", "macs=0.1234567890123456789")
OPTIONS = ("dp", "dp.x=1", ".=", "taylor.batch_size=0", "taylor.batch_size=-1", "magnitude.norm=l9", "tensorflow.x=y")
OPTIONS += ("dp.table_limit=nan", "cpsat.presolve=maybe", "magnitude.norm=l1", "nobody.x=1", "a.b.c=d", "dp.=", "=.")
NAMES = ("auto", "dp", "greedy", "taylor", "magnitude", "random", "nested", "uniform", "oneshot", "DP", "tensorflow")
NAMES += ("no", "reds_core.cli:main", "reds_greedy:GreedySolver", "os:path", ":", "a:", ":a", "json:nothing", "..:x")

IMPORTS = (*PATHS, "json", "no.module", "missing.py", "слой.py", "folder.py", "..", "/", "m.keras.py")
ENERGY_MODELS = (*WORDS, "board-model:nucleo-l4r5zi", "NUCLEO-U575ZI-Q", "npu-model:horowitz", "board-model:")
SHAPES = (*WORDS, "4", "4,4,1", "0", "-1", "image=4", "a=1;b=2", "4;4", "9" * 30)
AMOUNTS = (*NUMBERS, "4GiB", "1k", "1QB", "iB", "none")

HOSTS = (*WORDS, "ssh:", "ssh:-oProxyCommand=x", "ssh:a b", "ssh:nobody.invalid", "pi", "http://pi")
_ELSEWHERE: dict[str, tuple[str, ...] | None] = {
    "--script": PATHS,
    "--records": PATHS,
    "--host": HOSTS,
    "--name": WORDS,
    "--host-python": WORDS,
}
# values for which a command would run for very long are left out
_SMALL = tuple(n for n in NUMBERS if not n.startswith("9") and n != "1_000")
_EPOCHS = ("0", "-1", "nan", "0.5", "x", "", "½")
_WIDTH_RULES = {"--keep": ("*", "conv", "no*", "", "[", "слой"), "--align": NUMBERS, "--min-width": NUMBERS}
_WIDTH_RULES |= {"--max-options": NUMBERS, "--skip-blocks": None}
_SHARED = {"--option": OPTIONS, "--element-size": NUMBERS, "--seed": NUMBERS, "--strict": None}
_SHARED |= {"--energy-model": ENERGY_MODELS}
TASKS = (*WORDS, "supervised", "embedding", "reconstruction")
_SHARED |= {"--task": TASKS}
_SHARED |= {"--latency-table": PATHS, "--loss": WORDS, "--metric": (*WORDS, "accuracy", "MeanIoU", "F1Score")}
CLASS_WEIGHTS = (*WORDS, "balanced", "0=2,1=nan", "x=1")
_TRAINING = {"--batch-size": NUMBERS, "--learning-rate": NUMBERS, "--holdout": NUMBERS, "--optimizer": WORDS}
_TRAINING |= {"--momentum": NUMBERS, "--clip-norm": NUMBERS, "--patience": NUMBERS, "--dropout": NUMBERS}
_TRAINING |= {"--augment": (*WORDS, "flip", "shift=9"), "--finetune-epochs": _EPOCHS, "--schedule": WORDS}
_TRAINING |= {"--distill-weight": NUMBERS, "--warmup-epochs": NUMBERS, "--weight-decay": NUMBERS}
_TRAINING |= {"--recalibrate": None, "--no-recalibrate": None}
_TRAINING |= {"--distill": (*WORDS, "input"), "--distill-temperature": NUMBERS, "--precision": WORDS}
_TRAINING |= {"--anchor": NUMBERS, "--members-per-step": NUMBERS, "--class-weight": CLASS_WEIGHTS}
_TRAINING |= {"--member-choice": (*WORDS, "in-turn", "sandwich")}
_TRAINING |= {"--realise": (*NAMES, "drop", "fold", "best")}
_TRAINING |= {"--transform": NAMES, "--target": NAMES, "--exchange-rate": NUMBERS, "--calibrate": _EPOCHS}
_TRAINING |= {"--qat": None, "--no-qat": None, "--qat-activations": None, "--no-qat-activations": None}
_TRAINING |= {"--loss-weights": (*WORDS, "1,2", "0,nan"), "--stream": None, "--no-stream": None}
_TRAINING |= {"--no-skip-blocks": None}
_TRAINING |= {"--calibration": (*NUMBERS, *PATHS)}
_TRAINING |= {"--int8-drop": NUMBERS, "--fallback": (*WORDS, "float", "16x8")}
_TRAINING |= {"--max-drop": NUMBERS, "--max-drop-resource": WORDS, "--max-drop-epochs": _EPOCHS}
_TRAINING |= {"--max-drop-target": NAMES}

Values = tuple[str, ...] | None
VERBOSITY: dict[str, Values] = {"--quiet": None, "-q": None, "--verbose": None, "-v": None}
"""Options of every command."""
COMMANDS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, ...], ...], dict[str, Values]]] = {
    # name: arguments, options of a valid command line, all options and the values tried for them (None: a flag)
    "plugins": ((), (), {"--json": None}),
    "inspect": (
        ("m.keras",),
        (),
        {"--json": None, "--input-shape": SHAPES, "--option": OPTIONS, "--element-size": NUMBERS, "--strict": None}
        | {"--import": IMPORTS, "--transform": NAMES, "--target": NAMES, "--energy-model": ENERGY_MODELS},
    ),
    "solve": (
        ("p.npz",),
        (("--solver", "dp"),),
        {"--json": None, "--solver": NAMES, "--time-limit": NUMBERS, "--seed": NUMBERS, "--threads": NUMBERS}
        | {"--option": OPTIONS, "--memory-limit": AMOUNTS, "--gap": AMOUNTS},
    ),
    "convert": (
        ("p.npz", "new.mps"),
        (),
        {"--json": None, "--solution": PATHS},
    ),
    "formulate": (
        ("m.keras",),
        (("--data", "d.npz"), ("--budget", "macs=0.5"), ("--out", "new.npz")),
        {"--budget": BUDGETS, "--data": PATHS, "--out": PATHS, "--scorer": NAMES, "--score-level": (*WORDS, "kernel")}
        | {"--import": IMPORTS, "--class-weight": CLASS_WEIGHTS, "--input-shape": SHAPES}
        | {"--transform": NAMES, "--target": NAMES, "--exchange-rate": NUMBERS, "--exit": NAMES}
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
        | {"--memory-limit": AMOUNTS, "--import": IMPORTS, "--score-level": (*WORDS, "kernel"), "--gap": AMOUNTS}
        | {"--dry-run": None, "--json": None, "--input-shape": SHAPES}
        | {"--int8": (*WORDS, "shared", "separate"), "--no-int8": None, "--no-strict": None}
        | _WIDTH_RULES
        | _SHARED
        | _TRAINING,
    ),
    "extract": (
        ("done",),
        (("--budget", "macs=0.7"),),
        {"--budget": BUDGETS, "--data": PATHS, "--finetune-epochs": _SMALL, "--solver": NAMES, "--time-limit": NUMBERS}
        | {"--option": OPTIONS, "--json": None, "--gap": AMOUNTS, "--calibration": (*NUMBERS, *PATHS)}
        | {"--energy-model": ENERGY_MODELS},
    ),
    "export": (
        ("done",),
        (("--target", "keras"), ("--out", "new")),
        {"--target": (*NAMES, "c-engine", "keras"), "--members": (*WORDS, "50", "25,50"), "--out": PATHS}
        | {"--data": PATHS, "--overwrite": None, "--option": OPTIONS, "--json": None}
        | {"--calibration": (*NUMBERS, *PATHS)},
    ),
    "latency": (
        ("m.keras",),
        (("--out", "new.json"), ("--repeats", "10"), ("--points", "2"), ("--checks", "0")),
        {"--out": PATHS, "--repeats": _SMALL, "--points": _SMALL, "--checks": _SMALL, "--threads": _SMALL}
        | {"--element-size": NUMBERS, "--option": OPTIONS, "--json": None, "--import": IMPORTS}
        | {"--on": (*NAMES, "litert"), "--config": WORDS}
        | {"--input-shape": SHAPES}
        | _ELSEWHERE,
    ),
    "sensitivity": (
        ("m.keras",),
        (("--data", "d.npz"), ("--transform", "weight-bits"), ("--out", "new")),
        {
            "--data": PATHS,
            "--transform": (*NAMES, "weight-bits"),
            "--target": NAMES,
            "--out": PATHS,
            "--examples": _SMALL,
            "--task": TASKS,
        }
        | {
            "--option": (*OPTIONS, "weight-bits.levels=x"),
            "--loss": WORDS,
            "--import": IMPORTS,
            "--input-shape": SHAPES,
        }
        | {"--seed": NUMBERS, "--overwrite": None, "--json": None},
    ),
    "exits": (
        ("m.keras",),
        (("--out", "new.keras"),),
        {"--data": PATHS, "--out": PATHS, "--at": WORDS, "--epochs": NUMBERS, "--learning-rate": NUMBERS}
        | {"--option": OPTIONS, "--import": IMPORTS, "--input-shape": SHAPES}
        | {"--seed": NUMBERS, "--overwrite": None, "--json": None},
    ),
    "thresholds": (
        ("e.keras",),
        (("--data", "d.npz"), ("--out", "new")),
        {
            "--data": PATHS,
            "--out": PATHS,
            "--device-file": PATHS,
            "--target-cost": AMOUNTS,
            "--target-accuracy": NUMBERS,
        }
        | {"--measure": WORDS, "--cost": WORDS, "--exit-costs": AMOUNTS, "--energy-model": ENERGY_MODELS}
        | {"--on": NAMES, "--config": WORDS}
        | {"--holdout": NUMBERS, "--option": OPTIONS, "--import": IMPORTS, "--input-shape": SHAPES}
        | {"--seed": NUMBERS, "--overwrite": None, "--json": None},
    ),
    "audit": (
        ("done",),
        (("--data", "d.npz"), ("--out", "new"), ("--ablations", "0")),
        {"--data": PATHS, "--out": PATHS, "--model": PATHS, "--seeds": _EPOCHS, "--epochs": _EPOCHS}
        | {
            "--ablations": _EPOCHS,
            "--ablated-fraction": NUMBERS,
            "--attribution-examples": NUMBERS,
            "--repair-ablations": None,
        }
        | {"--option": OPTIONS, "--import": IMPORTS, "--seed": NUMBERS, "--overwrite": None, "--json": None},
    ),
    "simulate": (
        ("done",),
        (("--trace", "constant"), ("--governor", "threshold"), ("--out", "new"), ("--hours", "0.1")),
        {"--trace": (*PATHS, "solar", "bursts", "failures"), "--governor": (*NAMES, "threshold,pi", "oracle,,")}
        | {"--out": PATHS, "--on": NAMES, "--config": WORDS, "--energy-model": ENERGY_MODELS, "--option": OPTIONS}
        | {"--capacity-mJ": NUMBERS, "--initial": NUMBERS, "--efficiency": NUMBERS, "--leakage-mW": NUMBERS}
        | {"--queue": NUMBERS, "--harvest-mW": NUMBERS, "--deadline-ms": NUMBERS, "--hours": _SMALL}
        | {"--step": NUMBERS, "--seed": NUMBERS, "--energy-error": NUMBERS, "--overwrite": None, "--json": None},
    ),
    "suite": (("list",), (), {"--json": None}),
    "bench": (
        ("p.npz",),
        (("--solvers", "no"), ("--out", "new")),
        {"--solvers": WORDS, "--suite": WORDS, "--time-limit": NUMBERS, "--memory-limit": AMOUNTS}
        | {"--option": OPTIONS, "--seed": NUMBERS, "--scheduler": WORDS, "--gap": AMOUNTS}
        | {"--repeat": NUMBERS, "--threads": NUMBERS, "--jobs": NUMBERS, "--backend": WORDS, "--out": PATHS},
    ),
    "compare": (
        ("text",),
        (("--out", "new"),),
        {"--pruners": WORDS, "--scorers": WORDS, "--solvers": WORDS, "--seeds": (*NUMBERS, *WORDS), "--out": PATHS}
        | {"--retry": None, "--audit": None, "--jobs": NUMBERS, "--backend": WORDS, "--scheduler": WORDS},
    ),
    "new": (("solver", "acme"), (), {"--out": PATHS}),
    "check": (("nobody",), (), {"--json": None}),
    "profile": (
        ("done",),
        (("--on", "litert"),),
        {"--on": (*NAMES, "tflite-micro", "litert"), "--config": WORDS, "--option": OPTIONS, "--json": None}
        | {"--energy-model": ENERGY_MODELS, "--import": PATHS}
        | _ELSEWHERE,
    ),
    "report": (("done",), (), {}),
    "evaluate": (
        ("m.keras",),
        (("--data", "d.npz"),),
        {"--json": None, "--data": PATHS, "--loss": WORDS, "--metric": (*WORDS, "accuracy", "MeanIoU", "F1Score")}
        | {"--element-size": NUMBERS, "--input-shape": SHAPES, "--option": OPTIONS, "--import": IMPORTS}
        | {"--seed": NUMBERS, "--on": (*NAMES, "tflite-micro"), "--task": TASKS, "--teacher": PATHS},
    ),
}
_ARGUMENTS = {"check": ("no", "tensorflow", "os:path", ":", "a:", ":a", "json:nothing", "..:x", *WORDS)}
_ARGUMENTS |= {"plugins": (*NAMES, *WORDS)}
_ARGUMENTS |= {"compare": tuple(p for p in PATHS if p != "recipe.yaml")}


@dataclass(frozen=True)
class CommandLine:
    """A trial: the arguments to run in a folder that holds the inputs."""

    arguments: tuple[str, ...]


@st.composite
def command_lines(draw: st.DrawFn) -> CommandLine:
    """Draw a valid command line of any command and make up to three changes to it."""
    # fast and slow commands are equally likely: most odd values are rejected before any slow work begins
    name = draw(st.sampled_from(sorted(COMMANDS)))
    arguments, valid, options = COMMANDS[name]
    known = {**options, **VERBOSITY}
    given = list(arguments)
    chosen: dict[str, list[str | None]] = {option: [value] for option, value in valid}
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
            given = [value] if given or name == "plugins" else []
        elif change == "drop" and chosen and name not in ("prune", "latency", "bench", "compare"):
            del chosen[draw(st.sampled_from(sorted(chosen)))]
        elif change == "odd":
            given.append(draw(st.sampled_from((*WORDS[3:], "--nonsense", "-x", "--help"))))
    flat = [part for option, values in chosen.items() for value in values for part in (option, value)]
    return CommandLine((name, *given, *(part for part in flat if part is not None)))
