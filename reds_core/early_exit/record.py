"""Thresholds of exits as a file of format `reds-thresholds/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from reds_core.early_exit.against_static import AgainstStatic, Interval
from reds_core.errors import InputError, command
from reds_core.system.files import given_path, write_text
from reds_core.system.machine_faults import reason_of, shown
from reds_core.system.records import from_plain, parse_json, to_json

FORMAT = "reds-thresholds/1"
THRESHOLDS_FILE = "thresholds.json"


@dataclass(frozen=True)
class MeasuredExit:
    """One exit.

    Attributes:
        name: The name of the layer that computes it.
        cost: What an example has used that leaves here: all layers up to the exit, with the heads of all earlier exits.
        cost_alone: What a network takes that ends here and has no other exits.
        temperature: By what its logits are divided for the measure "calibrated".
        accuracy_held_back: The share of held-back examples about which it is right.
        accuracy_test: The share of test examples; None without test data.
        interval_test: Its 95 % interval over examples, by Wilson.
    """

    name: str
    cost: float
    cost_alone: float
    temperature: float
    accuracy_held_back: float
    accuracy_test: float | None = None
    interval_test: Interval | None = None


@dataclass(frozen=True)
class GroupShares:
    """Where the examples of one group leave.

    Attributes:
        name: The name of the group: of a class, or of a quarter of the examples by difficulty.
        examples: Their number.
        accuracy: The share that is answered rightly.
        interval: Its 95 % interval, by Wilson.
        cost: Their mean cost.
        shares: The share that leaves at each exit.
        intervals: The 95 % interval of each share, by Wilson.
    """

    name: str
    examples: int
    accuracy: float
    interval: Interval
    cost: float
    shares: tuple[float, ...]
    intervals: tuple[Interval, ...]


@dataclass(frozen=True)
class PolicyFigures:
    """What thresholds reach on some examples.

    Attributes:
        all: All examples.
        against: Against networks that end at one exit.
    """

    all: GroupShares
    against: AgainstStatic


@dataclass(frozen=True)
class PolicyRecord:
    """Thresholds on one measure of confidence.

    Attributes:
        measure: "margin", "entropy" or "calibrated"; "integer-margin" for integer outputs.
        thresholds: One for each exit but the last. An example leaves at the first exit whose confidence is at least
            its threshold. A threshold of 2, or for integers of `never` beside them, is not reached.
        is_optimal: Whether no other thresholds are better on the held-back examples. Otherwise none of those that were
            tried is, and none that differs from these in one or two exits.
        held_back: What they reach on the examples on which they were chosen.
        test: What they reach on test examples; None without test data.
    """

    measure: str
    thresholds: tuple[float, ...]
    is_optimal: bool
    held_back: PolicyFigures
    test: PolicyFigures | None = None


@dataclass(frozen=True)
class IntegerRecord:
    """Thresholds for a file with integer outputs, such as one that the C engine runs.

    Attributes:
        file: The name of the file.
        steps: The distance between neighbouring values of the output of each exit.
        never: A threshold that is never reached: 256 for outputs in int8, 65536 for int16.
        policy: The thresholds, on the difference between the two largest integer outputs of an exit.
    """

    file: str
    steps: tuple[float, ...]
    never: int
    policy: PolicyRecord


@dataclass(frozen=True)
class CurvePoint:
    """The best thresholds of a measure within some mean cost.

    Attributes:
        measure: The measure of confidence.
        thresholds: One for each exit but the last.
        accuracy_held_back: The accuracy on the examples on which they were chosen.
        cost_held_back: Their mean cost.
        accuracy_test: The accuracy on test examples; None without test data.
        cost_test: Their mean cost; None without test data.
    """

    measure: str
    thresholds: tuple[float, ...]
    accuracy_held_back: float
    cost_held_back: float
    accuracy_test: float | None = None
    cost_test: float | None = None


@dataclass(frozen=True)
class ThresholdTarget:
    """What thresholds were chosen for. One of the two is given.

    Attributes:
        cost: The highest mean cost on held-back examples; None if the accuracy is given.
        accuracy: The least accuracy on held-back examples; None if the cost is given.
        about: The target in words.
        is_of_last_exit: Whether the accuracy is that of the last exit, because no target was given.
    """

    cost: float | None
    accuracy: float | None
    about: str
    is_of_last_exit: bool = False


@dataclass(frozen=True)
class ExitThresholds:
    """At which confidence an example leaves a network with exits.

    Attributes:
        network: The name of the network.
        model: The hexadecimal SHA-256 of the model file, or of the layers and weights of a model object.
        data: The hexadecimal SHA-256 of the data.
        cost: The kind of cost: "macs", "energy" in picojoules, "latency" in nanoseconds or "instructions".
        cost_source: Where the costs come from.
        exits: All exits by depth, the last one included.
        target: What thresholds were chosen for.
        measure: The measure that was asked for.
        policies: Thresholds for each measure.
        by_difficulty: Where test examples leave by the policy of that measure, in quarters by the margin of the last
            exit, the hardest first; of held-back examples without test data.
        by_class: The same by class.
        curve: The best thresholds of each measure at evenly spaced mean costs, the cheapest first.
        integers: Thresholds for integer outputs; None if no such file was given.
        examples: The number of held-back examples.
        seed: The seed of the split and of resampling.
        versions: The versions of the software.
    """

    network: str
    model: str
    data: str
    cost: str
    cost_source: str
    exits: tuple[MeasuredExit, ...]
    target: ThresholdTarget
    measure: str
    policies: tuple[PolicyRecord, ...]
    by_difficulty: tuple[GroupShares, ...]
    by_class: tuple[GroupShares, ...]
    curve: tuple[CurvePoint, ...]
    integers: IntegerRecord | None
    examples: int
    seed: int
    versions: Mapping[str, str] = field(default_factory=dict)
    format: str = FORMAT

    @property
    def policy(self) -> PolicyRecord:
        """The policy of the measure that was asked for."""
        return next(each for each in self.policies if each.measure == self.measure)


def save_thresholds(found: ExitThresholds, path: Path) -> None:
    """Write thresholds atomically as JSON.

    Raises:
        InputError: If the file cannot be written.
    """
    write_text(path, to_json(found))


def load_thresholds(path: str | PathLike[str]) -> ExitThresholds:
    """Read thresholds that `reds thresholds` wrote.

    Args:
        path: The file, or the folder that holds it as thresholds.json.

    Raises:
        InputError: If the file is missing, damaged, or has another format.
    """
    path = given_path(path, "path")
    path = path / THRESHOLDS_FILE if path.is_dir() else path
    again = f"choose them with {command('thresholds')}"
    try:
        content = parse_json(path.read_text(encoding="utf-8"))
        if content.get("format") != FORMAT:
            raise ValueError("another format")
        found: ExitThresholds = from_plain(ExitThresholds, content)
        if any(len(each.thresholds) + 1 != len(found.exits) for each in found.policies):
            raise ValueError("an exit without a threshold")
        if found.measure not in [each.measure for each in found.policies]:
            raise ValueError("a measure without thresholds")
        return found
    except OSError as error:
        raise InputError(f"thresholds {shown(path)} cannot be read ({reason_of(error)})", again) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{shown(path)} does not hold thresholds of format {FORMAT}", again) from error
