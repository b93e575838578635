"""What a run returns: its plan together with the folder that holds its files, from which models can be loaded."""

from __future__ import annotations

import inspect
import webbrowser
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, fields
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from reds_core.errors import InputError, command
from reds_core.framework.file_kinds import FileKinds
from reds_core.plan import FullRecord, Plan, SubnetworkRecord, plan_folder
from reds_core.plan import load_plan as load_records
from reds_core.registry import Registry
from reds_core.report.energy import energy_sentences
from reds_core.report.facts import Metric, file_kinds_in, metric_of
from reds_core.report.plan_frame import plan_frame
from reds_core.report.plan_table import member_table, plan_table, table_html, table_text
from reds_core.report.run_report import REPORT_FILE
from reds_core.runs.file_names import full_file
from reds_core.system.users_code import import_names

if TYPE_CHECKING:
    import pandas

C = TypeVar("C", bound=type[Any])


class UnknownSubnetworkError(InputError, KeyError):
    """A plan has no subnetwork of this name. It is also a `KeyError`, like that of a dict."""


@dataclass(frozen=True)
class RunFiles:
    """The files of a finished run, and what reads the models among them.

    Attributes:
        folder: the folder of the run.
        kinds: the kinds of files that the run wrote for each network.
        metric: what the accuracies of the run measure.
        imports: Python files and names of modules that define custom layers of the models.
        registry: the plugins to choose from; None for all that are installed.
    """

    folder: Path
    kinds: FileKinds
    metric: Metric
    imports: tuple[str, ...] = ()
    registry: Registry | None = None

    def load(self, path: Path) -> Any:
        """Return the model object of a model file, which the framework reads without running code in the file."""
        return (self.registry or Registry()).default_framework(imports=self.imports).load_model(path)


@dataclass(frozen=True, eq=False, repr=False)
class _InFolder:
    """A record of the format that also knows the files of the run.

    These are not a field, so that the record is written, compared and converted to a dict like one without a folder.
    """

    _RECORD: ClassVar[type[Any]]
    home: InitVar[RunFiles | None] = field(default=None, kw_only=True)

    def __post_init__(self, home: RunFiles | None) -> None:
        object.__setattr__(self, "home", home)  # where `dataclasses.replace` looks for it

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, self._RECORD):
            return NotImplemented
        return _content(self, self._RECORD) == _content(other, self._RECORD)

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self._home.folder

    @property
    def _home(self) -> RunFiles:
        found: RunFiles = vars(self)["home"]
        return found


class _SavedNetwork(_InFolder):
    """A network whose files are in the folder of a run."""

    @property
    def _names(self) -> Mapping[str, str | None]:
        raise NotImplementedError

    def path(self, kind: str | None = None) -> Path:
        """Return the path of one of the files of this network.

        Args:
            kind: the kind of file, as in `files`; None means the model file, which `load` reads.

        Raises:
            InputError: if there is no such kind, or no file of this kind was written.
        """
        names = self._names
        if not names:
            raise InputError("this network has no files, since a dry run writes none", "prune without dry_run")
        kind = next(iter(names)) if kind is None else kind
        written = [each for each, name in names.items() if name is not None]
        if names.get(kind) is None:
            what = "was not written" if kind in names else "is unknown"
            raise InputError(
                f"the kind of file '{kind}' {what} for this network", f"choose from: {', '.join(written) or 'none'}"
            )
        return self.folder / str(names[kind])

    def __fspath__(self) -> str:
        """The path of the model file, so that a network can be given where a path is expected."""
        return str(self.path())

    def load(self) -> Any:
        """Load the network as a model object of the framework.

        The model file is loaded in safe mode: code that it contains is not run. Custom layers need the `imports` that
        `load_plan` takes, unless they are registered already.

        Raises:
            InputError: if the file is missing or damaged.
            UnsupportedError: if it contains layers that cannot be loaded.
            UnavailableError: if the framework is not installed.
        """
        return self._home.load(self.path())


def _with_attributes_of(base: type[Any]) -> Callable[[C], C]:
    """Decorator that appends the `Attributes:` section of the docstring of `base`, so that `help` shows it."""

    def decorated(cls: C) -> C:
        section = (inspect.getdoc(base) or "").partition("\nAttributes:\n")[2]
        cls.__doc__ = f"{inspect.cleandoc(cls.__doc__ or '')}\n\nAttributes:\n{section}"
        return cls

    return decorated


@_with_attributes_of(SubnetworkRecord)
@dataclass(frozen=True, eq=False, repr=False)
class SavedSubnetwork(_SavedNetwork, SubnetworkRecord):
    """A member of the family: its record in the plan, and the files that belong to it."""

    _RECORD = SubnetworkRecord

    @property
    def _names(self) -> Mapping[str, str | None]:
        return self.files

    def __str__(self) -> str:
        table = member_table(self, self._home.metric)
        return f"{table.caption} in {self.folder}\n{table_text(table)}"

    def _repr_html_(self) -> str:
        table = member_table(self, self._home.metric)
        return table_html(table, f"{table.caption} in {self.folder}")


@_with_attributes_of(FullRecord)
@dataclass(frozen=True, eq=False, repr=False)
class SavedFull(_SavedNetwork, FullRecord):
    """The full network of the family, with the most important channels of each group first."""

    _RECORD = FullRecord

    @property
    def _names(self) -> Mapping[str, str | None]:
        kinds = self._home.kinds
        return {kinds.model.name: full_file(kinds.model), **self.files}


@_with_attributes_of(Plan)
@dataclass(frozen=True, eq=False, repr=False)
class SavedPlan(_InFolder, Plan):
    """The result of a run: the plan, and the folder in which its files are.

    `plan["50"]` is the member named 50, iteration yields the members, smallest first, and `"50" in plan` tells whether
    there is a member of this name.

    Example:
        >>> plan = reds_core.load_plan("slim")
        >>> print(plan)
        >>> plan["50"].usage["macs"], plan["50"].path("tflite_int8")
        >>> model = plan["50"].load()
    """

    full: SavedFull
    subnetworks: tuple[SavedSubnetwork, ...]
    _RECORD = Plan

    def __fspath__(self) -> str:
        """The folder of the run, so that a plan can be given where a folder is expected."""
        return str(self.folder)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the subnetworks, smallest first."""
        return tuple(member.name for member in self.subnetworks)

    def __getitem__(self, name: str) -> SavedSubnetwork:
        for member in self.subnetworks:
            if member.name == name:
                return member
        wanted = f"'{name}'" if isinstance(name, str) else f"{name!r} of type {type(name).__name__}"
        raise UnknownSubnetworkError(
            f"the plan has no subnetwork {wanted}",
            f"use one of these names: {', '.join(map(repr, self.names)) or 'there are none'}",
        )

    def __iter__(self) -> Iterator[SavedSubnetwork]:
        return iter(self.subnetworks)

    def __len__(self) -> int:
        return len(self.subnetworks)

    def __bool__(self) -> bool:
        return True  # a plan without subnetworks is still a plan

    def __contains__(self, name: object) -> bool:
        return name in self.names or name in self.subnetworks

    def __repr__(self) -> str:
        return f"<{type(self).__name__} in {str(self.folder)!r}, subnetworks: {', '.join(self.names) or 'none'}>"

    def __str__(self) -> str:
        table = plan_table(self, self.folder)
        return f"{self._title}\n{table_text(table)}\n{table.caption}"

    def _repr_html_(self) -> str:
        sources = energy_sentences([self.energy_source])
        return table_html(plan_table(self, self.folder), ". ".join((self._title, *sources)))

    @property
    def _title(self) -> str:
        return f"Plan in {self.folder} (pruner {self.pruner}, scorer {self.scorer})"

    def to_frame(self) -> pandas.DataFrame:
        """Return the family as a pandas table.

        There is one row for each subnetwork, smallest first, with its name as the label of the row. The last row, with
        the label "full", is the full network. Columns with missing figures have nullable types.

        macs, params_bytes, peak_ram_bytes, latency_ns (only if it was measured)
            are the usage of each resource;
        accuracy_before, accuracy_after, and accuracy_KIND for each kind of exported file
            are the accuracies on test data: before fine-tuning, of the model file, and of each exported file. Those of
            the full network are those of the input model, of its model file, and of its int8 file;
        accuracy_DEVICE, arena_DEVICE_bytes, arena_head_DEVICE_bytes, same_answers_DEVICE
            are the accuracy as a device computes it, the memory that it sets aside, the part of that for activations,
            and the share of answers that are those of the file's own interpreter; only if the run measured on devices;
        value, bound, gap, bound_independent, status, limit, solver, wall_s, align, latency_measured_ns
            are as in the records;
        levels_WHAT for everything that transforms decided, such as levels_weight_bits
            are how many layers have each level: "7×4 3×8" means that 7 layers have level 4, and 3 have level 8;
        is_untrained, shares_weights
            tell apart members that `extract` added;
        budget_RESOURCE, file_KIND
            are the limits as they were given (a fraction of the full network, or an amount in base units) and the
            names of the files in the folder.

        The widths of channel groups are not in the table, because each member has one for every group; they are at
        `plan["50"].widths`, and the levels of layers at `plan["50"].settings`.

        Raises:
            UnavailableError: if pandas is not installed.
        """
        return plan_frame(self)

    def open_report(self) -> Path:
        """Open the report of the run in a browser, and return its path.

        Raises:
            InputError: if the folder has no report.
        """
        path = (self.folder / REPORT_FILE).absolute()
        if not path.is_file():
            raise InputError(f"'{self.folder}' holds no {REPORT_FILE}", f"write it with {command('report')}")
        webbrowser.open(path.as_uri())
        return path


def saved_plan(plan: Plan, folder: Path, imports: Sequence[str] = (), registry: Registry | None = None) -> SavedPlan:
    """Return a plan that knows its folder.

    Args:
        plan: the plan.
        folder: the folder of the run.
        imports: Python files and names of modules that define custom layers of the models.
        registry: the plugins to choose from; None for all that are installed.
    """
    kinds = file_kinds_in(plan, registry)
    home = RunFiles(folder, kinds, metric_of(plan.options.get("task")), tuple(imports), registry)
    content = _content(plan, Plan)
    content["full"] = SavedFull(**_content(plan.full, FullRecord), home=home)
    content["subnetworks"] = tuple(
        SavedSubnetwork(**_content(record, SubnetworkRecord), home=home) for record in plan.subnetworks
    )
    return SavedPlan(**content, home=home)


def _content(record: Any, cls: type[Any]) -> dict[str, Any]:
    """Return the fields that the class `cls` of the format has, by name."""
    return {each.name: getattr(record, each.name) for each in fields(cls)}


def load_plan(
    folder: str | PathLike[str], *, imports: str | PathLike[str] | Sequence[str | PathLike[str]] = ()
) -> SavedPlan:
    """Read the plan of a finished run.

    Args:
        folder: the folder of the run, or its plan.json.
        imports: one or several Python files or names of modules that define custom layers of the models. They are
            imported before a model is loaded, and are never taken from the plan, because a file should not decide which
            code is run.

    Returns:
        The plan. `plan["50"].load()` loads a member, `print(plan)` shows a table.

    Raises:
        InputError: if the folder holds no finished run, or its plan cannot be read or has an unknown format.

    Example:
        >>> plan = reds_core.load_plan("slim")
        >>> plan["50"].load().summary()
    """
    return saved_plan(load_records(folder), plan_folder(folder), import_names(imports))
