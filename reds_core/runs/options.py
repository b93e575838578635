"""The settings of a run as keyword arguments of Python, named as the options of the command line."""

from __future__ import annotations

import difflib
import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from numbers import Integral, Real
from os import PathLike, fspath
from typing import Any, TypedDict, TypeVar

from reds_core.errors import InputError, argument
from reds_core.framework.fallback import FallbackNumbers
from reds_core.framework.finetuning import MemberChoice, Precision, Schedule, Teacher
from reds_core.framework.task import TaskKind
from reds_core.plugin import PluginOptions
from reds_core.runs.settings import Int8Files
from reds_core.scoring.scorer import ScoreLevel
from reds_core.system.structuring import Source, converter_for, type_name

T = TypeVar("T")
_UNITS = ("_s", "_bytes")
_OTHER_NAMES = {"finetune.epochs": "finetune_epochs", "task.metric": "metrics", "task.kind": "task"}
"""Arguments whose names are not those of their fields, by the path of the field."""
_FORMS = {
    "align": 'a whole number or "auto"',
    "augment": "a string or a list of strings",
    "int8": 'one of "shared", "separate", True or False',
    "keep": "a string or a list of strings",
    "memory_limit": 'a whole number of bytes or a string such as "2GiB"',
    "transforms": "a string or a list of strings",
    "targets": "a string or a list of strings",
    "options": "a dict of the form {plugin: {key: value}}",
}
"""What to give for arguments that take more than values of one type."""


class WidthOptions(TypedDict, total=False):
    """The widths that groups may have, as keyword arguments.

    Attributes:
        keep: One or several shell patterns of the names of layers that are not pruned.
        align: Widths are multiples of this number, or the full width. `"auto"`, like None, takes multiples of 4 where
            they cost at most 0.1 % of the value, and any width otherwise.
        min_width: The fewest channels that a group may keep.
        max_options: The most widths to choose from for a group. Wider groups get a subset of their widths.
        skip_blocks: Whether subnetworks may lack residual blocks, as one more width, 0, of the channels inside each.
    """

    keep: str | Sequence[str]
    align: int | str | None
    min_width: int
    max_options: int
    skip_blocks: bool


class PruneOptions(WidthOptions, total=False):
    """The settings of a run that `prune` takes as keyword arguments, besides its own parameters.

    Each has the name and the default of an option of `reds prune`. An argument that is not given keeps what the recipe
    or `settings` say. None unsets a setting that need not be set.

    Attributes:
        keep: One or several shell patterns of the names of layers that are not pruned.
        align: Widths are multiples of this number, or the full width. `"auto"`, like None, takes multiples of 4 where
            they cost at most 0.1 % of the value, and any width otherwise.
        min_width: The fewest channels that a group may keep.
        max_options: The most widths to choose from for a group. Wider groups get a subset of their widths.
        skip_blocks: Whether subnetworks may lack residual blocks, as one more width, 0, of the channels inside each.
        score_level: What is scored: `"channel"`, or `"kernel"` (each connection between two channels).
        max_drop_epochs: Epochs for which each network that the search of `max_drop` tries is trained. None means a
            third of all.
        max_drop_target: The target on whose files the search measures what networks lose. None means that it measures
            the models themselves.
        time_limit: The time limit of each solve, in seconds. None means no limit.
        threads: The number of threads of each solve. None leaves it to the solver.
        memory_limit: The memory limit of the tables of each solve: a number of bytes, or a text such as `"2GiB"`. None
            means half of the available memory.
        gap: The proven relative gap at which each solve may stop, such as 1e-4. None means a search for a proof of
            optimality.
        element_size: Bytes of a weight or activation on the device: 1 (int8) or 4 (float32).
        latency_table: The path of a table that `measure_latency` wrote, for budgets of latency.
        energy_model: The model of a board by which energy is counted, such as `"board-model:nucleo-l4r5zi"`. None means
            that it is not.
        transforms: One or several transform plugins, which offer further choices for each layer, such as
            `"weight-bits"`.
        realise: How the width of a group is realised: `"drop"` removes channels, `"fold"` or another realisation plugin
            merges them, and `"best"` takes for each group what raises the loss on training data least.
        targets: One or several target plugins, which are the kinds of files that are written for each subnetwork.
        exchange_rate: How much a rise of the loss by 1 counts in units of the scores, by which the measured losses of
            levels are weighed against the importance of channels. None means 0.5 for scores on the logarithmic scale,
            and 1 for losses.
        calibrate: The number of short trainings from which the exchange rate is computed. None means that
            `exchange_rate` is used.
        qat: Whether to train with the weights as transforms change them. None means only if a layer has fewer than 8
            bits.
        qat_activations: Whether to round activations as well in quantisation-aware training.
        holdout: The share of the training data that is held back for validation, from 0 to below 1.
        task: What outputs are compared with: `"supervised"` (the labels of the data), `"embedding"` (the outputs of the
            input model for the same example) or `"reconstruction"` (the example itself). Only the first needs labels.
        stream: Whether the images of a folder are read from disk in each pass even if they fit into memory.
        int8: Which int8 files are written of each network, if there is data to calibrate them: `"shared"` or True, in
            which the integer weights of each subnetwork are slices of those of the full network, `"separate"`, in which
            each subnetwork is quantised by itself, as those with merged channels always are, or False for none.
        int8_drop: The most points of accuracy that the int8 file of a subnetwork may lose against its model, measured
            on held-back data. None means no limit.
        fallback: What the most sensitive layers have instead of 8 bits in int8 files that lose more than `int8_drop`:
            `"float"`, or `"16x8"` for activations of 16 bits. None means that all layers keep 8 bits.
        strict: Whether to fail if a part of the model cannot be pruned, or an int8 file loses more than `int8_drop`.
            Otherwise there is a warning.
        batch_size: Examples in a training step.
        learning_rate: The highest learning rate.
        momentum: Momentum, for optimizers that have one. None means 0.9 for sgd and the default of other optimizers.
        schedule: How the learning rate decays: `"cosine"`, `"constant"`, `"step"` or `"exponential"`.
        warmup_epochs: Epochs over which the learning rate rises from zero at the start.
        weight_decay: Weight decay of kernels, decoupled from the gradient. None means the optimizer's default.
        clip_norm: Maximum norm of the gradient of all weights together. None means no clipping.
        patience: Epochs without a lower loss on held-back data after which training stops. None means never.
        augment: One or several changes of training images, such as `"flip"` or `"shift=0.1"`.
        dropout: The share of the model's dropout rates that fine-tuning keeps, from 0 to 1.
        precision: The precision in which training computes: `"float32"`, `"mixed_bfloat16"` or `"mixed_float16"`.
        distill: Which network gives soft targets in addition to the labels: `"input"`, `"full"` or `"none"`.
        distill_weight: The share of the soft targets in the loss, from 0 to 1.
        distill_temperature: The temperature that softens the outputs of both the teacher and the student.
        members_per_step: Subnetworks that are trained in a step beside the full network, in turn. None means all.
        member_choice: Which subnetworks these are: `"in-turn"`, or `"sandwich"` (the smallest and random others).
        anchor: The strength of the pull of all trained weights towards their values before the training.
        recalibrate: Whether to measure the batch-norm statistics of networks that are not trained on training data.
    """

    score_level: ScoreLevel | str
    max_drop_epochs: int | None
    max_drop_target: str | None
    time_limit: float | None
    threads: int | None
    memory_limit: str | int | None
    gap: float | None
    element_size: int
    latency_table: str | PathLike[str] | None
    energy_model: str | None
    transforms: str | Sequence[str]
    realise: str
    targets: str | Sequence[str]
    exchange_rate: float | None
    calibrate: int | None
    qat: bool | None
    qat_activations: bool
    holdout: float
    task: TaskKind | str
    stream: bool
    int8: Int8Files
    int8_drop: float | None
    fallback: FallbackNumbers | None
    strict: bool
    batch_size: int
    learning_rate: float
    momentum: float | None
    schedule: Schedule | str
    warmup_epochs: float
    weight_decay: float | None
    clip_norm: float | None
    patience: int | None
    augment: str | Sequence[str]
    dropout: float
    precision: Precision | str
    distill: Teacher | str
    distill_weight: float
    distill_temperature: float
    members_per_step: int | None
    member_choice: MemberChoice | str
    anchor: float
    recalibrate: bool


class LatencyOptions(TypedDict, total=False):
    """How `measure_latency` measures, as keyword arguments.

    Attributes:
        element_size: 1 for int8 files, 4 for float32 files.
        threads: The number of threads of the interpreter.
        repeats: The number of timed runs of each sample, at least 10.
        points: The maximum number of widths of each group that are sampled, at least 2.
        checks: The number of whole subnetworks that are measured to check the predictions of the table.
    """

    element_size: int
    threads: int
    repeats: int
    points: int
    checks: int


def refuse_unknown(given: Iterable[str], call: Callable[..., Any], options: type[Any]) -> None:
    """Refuse keyword arguments that a call does not have.

    Args:
        given: The names of the keyword arguments that are no parameters of their own.
        call: The function that was called.
        options: The `TypedDict` that declares these keyword arguments.

    Raises:
        InputError: If a name is not declared; the message suggests the one that was probably meant.
    """
    parameters = inspect.signature(call).parameters.values()
    known = [p.name for p in parameters if p.kind is not p.VAR_KEYWORD] + list(options.__annotations__)
    names_of_fields = {path.rpartition(".")[2]: argument for path, argument in _OTHER_NAMES.items()}
    for name in given:
        if name not in options.__annotations__:
            meant = names_of_fields.get(name)
            near = [meant] if meant in known else difflib.get_close_matches(name.replace("-", "_"), known, 1)
            fix = f"did you mean {near[0]}?" if near else f"see `help(reds_core.{call.__name__})`"
            raise InputError(f"`{call.__name__}` has no argument '{name}'", fix)


def changed(settings: T, given: Mapping[str, Any]) -> T:
    """A copy of a settings dataclass with the keyword arguments that are given.

    Args:
        settings: The present settings, which may hold other settings dataclasses.
        given: The arguments by name. Their values are converted to the types of the fields.

    Raises:
        InputError: If a value is of the wrong type or out of range.
    """
    places = argument_places(type(settings))
    values: dict[tuple[str, ...], Any] = {}
    for name, value in given.items():
        path, kind = places[name]
        values[path] = converted(name, value, kind)
    return _replaced(settings, values)


def argument_places(settings: type[Any]) -> Mapping[str, tuple[tuple[str, ...], Any]]:
    """For each argument that sets a field of a settings dataclass, or of one inside it: the path and type of the field.

    The argument has the name of the field without its unit: `time_limit` of `time_limit_s`.
    """
    found: dict[str, tuple[tuple[str, ...], Any]] = {}
    for name, kind in typing.get_type_hints(settings).items():
        if is_dataclass(kind):
            inner = argument_places(typing.cast("type[Any]", kind))
            found |= {
                _OTHER_NAMES.get(f"{name}.{each}", each): ((name, *path), at) for each, (path, at) in inner.items()
            }
        else:
            unit = next((u for u in _UNITS if name.endswith(u)), "")
            found[name.removesuffix(unit)] = ((name,), kind)
    return found


def _replaced(record: T, values: Mapping[tuple[str, ...], Any]) -> T:
    """`record` with new values at paths of fields."""
    names = dict.fromkeys(path[0] for path in values)
    new = {}
    for name in names:
        inner = {path[1:]: value for path, value in values.items() if path[0] == name}
        new[name] = inner[()] if () in inner else _replaced(getattr(record, name), inner)
    return replace(record, **new)  # type: ignore[type-var]


def converted(name: str, value: Any, kind: Any) -> Any:
    """A value that a caller gives, converted to the type of a field.

    Args:
        name: The name of the argument, for messages.
        value: The value.
        kind: The type of the field.

    Raises:
        InputError: If it cannot be converted.
    """
    if name == "align" and value == "auto":
        value = None
    if name == "augment" and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if name == "memory_limit" and _is_number(value, Integral):
        value = str(value)
    if isinstance(value, PathLike):
        value = fspath(value)
    return converter_for(_Given(name)).structure(value, kind)


def given_options(options: Any | None) -> PluginOptions:
    """The options of plugins that a caller gives, all as texts.

    Raises:
        InputError: If they are not a dict of dicts.
    """
    found: PluginOptions = {} if options is None else converted("options", options, PluginOptions)
    return found


def _is_number(value: Any, kind: type[Any]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


class _Given(Source):
    """A value that a caller in Python gives for an argument."""

    def __init__(self, name: str) -> None:
        self._name = name

    def fields(self, value: Any, wanted: type) -> Mapping[str, Any]:
        if not isinstance(value, wanted):
            raise self._wrong(value, f"an object of `{wanted.__name__}`")
        return {each.name: getattr(value, each.name) for each in fields(typing.cast("Any", wanted))}

    def entries(self, value: Any) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self._wrong(value, "a dict")
        return {str(key): entry for key, entry in value.items()}

    def items(self, value: Any) -> Iterable[Any]:
        if isinstance(value, str):
            return [value]
        if not isinstance(value, Iterable):
            raise self._wrong(value, "a list")
        return value

    def scalar(self, value: Any, wanted: type) -> Any:
        if wanted is str and self._name == "options":  # of plugins, which parse texts
            value = str(value).lower() if isinstance(value, bool) else str(value)
        fits = {
            bool: isinstance(value, bool),
            int: _is_number(value, Integral),
            float: _is_number(value, Real) and math.isfinite(value),
            str: isinstance(value, str),
        }
        if not fits[wanted]:
            raise self._wrong(value, {bool: "True or False", str: "a string"}.get(wanted, type_name(wanted)))
        return wanted(value)

    def choice(self, value: Any, choices: Mapping[Any, Any]) -> Any:
        value = value.value if isinstance(value, Enum) else value
        if not isinstance(value, str | bool) or value not in choices:
            raise self._wrong(value, "one of " + ", ".join(f'"{each}"' for each in choices))
        return choices[value]

    def _wrong(self, value: Any, wanted: str) -> InputError:
        wanted = _FORMS.get(self._name, wanted)
        return InputError(f"{argument(self._name)} is {value!r}, not {wanted}", f"give {wanted}")
