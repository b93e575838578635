"""The operating points of a finished run, from its plan and its profile records, or from the model of a board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reds_core.cost.energy_models import RAPL, EnergyModel, energy_model
from reds_core.errors import InputError, argument, command
from reds_core.framework.device import FULL
from reds_core.framework.profile_records import ProfileRecord, load_profiles
from reds_core.plan import Accuracy, FullAccuracy, Plan, load_plan
from reds_core.runtime.operating_points import OperatingPoint

_ROUNDING = 1e-6
"""Frameworks compute metrics in float32, so that a mean of ones may be a little more than 1."""
DEFAULT_MODEL = "board-model:nucleo-l4r5zi"
"""The model that is used if no profile states energies."""


@dataclass(frozen=True)
class FamilyPoints:
    """The operating points of a run.

    Attributes:
        points: One for each network, the full network last.
        about: Where their latencies and energies come from, in a sentence.
        note: How to get better figures, in a sentence; empty if they are measured.
        is_measured: Whether latencies and energies were measured.
    """

    points: tuple[OperatingPoint, ...]
    about: str
    note: str
    is_measured: bool


@dataclass(frozen=True)
class _Network:
    """A network of a plan."""

    name: str
    accuracy: Accuracy | FullAccuracy
    files: Mapping[str, str | None]
    macs: int
    widths: Mapping[str, int]
    settings: Mapping[str, Mapping[str, int]]
    exit: str | None = None


def family_points(
    folder: Path, on: str | None = None, config: str | None = None, model: str | None = None
) -> FamilyPoints:
    """Read the operating points of a finished run.

    Latencies and energies are either all of one device by `profile.json`, or all by the model of one board, because a
    mixture would compare one device with another.

    Args:
        folder: The folder of the run.
        on: The device whose records count. None means the first one whose records state latencies and energies.
        config: Its configuration. None means the first one.
        model: The name of the model of a board, to be used in place of records.

    Raises:
        InputError: If the folder holds no finished run, a network of it has no accuracy, no record fits `on` and
            `config`, there is no such model, or it is given together with `on` or `config`.
    """
    if model is not None and (on is not None or config is not None):
        other = argument("on") if on is not None else argument("config")
        raise InputError(
            f"{other} names measured figures, and {argument('energy_model')} modelled ones", "leave one of them out"
        )
    plan = load_plan(folder)
    networks = _networks(plan)
    chosen = None if model is not None else _chosen(folder, networks, on, config)
    if chosen is not None:
        return _recorded(networks, chosen)
    return _modelled(networks, energy_model(model or DEFAULT_MODEL), folder, is_asked=model is not None)


def _networks(plan: Plan) -> tuple[_Network, ...]:
    members = [
        _Network(m.name, m.accuracy, m.files, m.usage["macs"], m.widths, m.settings or {}, m.exit)
        for m in plan.subnetworks
    ]
    full = _Network(FULL, plan.full.accuracy, plan.full.files, plan.full.usage["macs"], {}, {})
    return (*members, full)


def _chosen(
    folder: Path, networks: Sequence[_Network], on: str | None, config: str | None
) -> dict[str, ProfileRecord] | None:
    """The records of one device by the names of networks; None if no device's are complete and none is asked for.

    Raises:
        InputError: If a device is asked for whose records are missing or lack figures.
    """
    subjects: dict[tuple[str, str | None, str | None], dict[str, ProfileRecord]] = {}
    for record in load_profiles(folder):
        if record.member is not None and on in (None, record.on) and config in (None, record.config):
            subjects.setdefault(record.subject, {}).setdefault(record.member, record)
    for records in subjects.values():
        if all(_is_complete(records.get(network.name)) for network in networks):
            return records
    if on is None and config is None:
        return None
    where = " ".join(name for name in (on, config) if name is not None)
    if not subjects:
        raise InputError(
            f"'{folder}' holds no profile on {where}", f"run {command('profile')} for it first, or leave {where} out"
        )
    raise InputError(
        f"the profile on {where} lacks the latency or the energy of some networks",
        f"run {command('profile')} again with a model of energy, or leave {where} out for modelled figures",
    )


def _is_complete(record: ProfileRecord | None) -> bool:
    return record is not None and record.latency_ns is not None and record.energy is not None


def _recorded(networks: Sequence[_Network], records: Mapping[str, ProfileRecord]) -> FamilyPoints:
    points = []
    for network in networks:
        record = records[network.name]
        accuracy, source = _accuracy(network, record.file)
        assert record.latency_ns is not None
        assert record.energy is not None
        points.append(
            OperatingPoint(
                name=network.name,
                accuracy=accuracy,
                latency_ns=record.latency_ns,
                energy_pJ=record.energy.uJ * 1e6,
                accuracy_source=source,
                latency_source=f"profile on {_where(record)}",
                energy_source=record.energy.about or record.energy.source,
                is_measured=record.energy.source == RAPL,
                exit=network.exit,
                widths=network.widths,
                settings=network.settings,
            )
        )
    measured = all(point.is_measured for point in points)
    kind = "measured" if measured else f"modelled, not measured: {points[-1].energy_source}"
    return FamilyPoints(
        points=tuple(points),
        about=f"latencies are of the profile on {_where(records[networks[-1].name])}; energies are {kind}",
        note=""
        if measured
        else f"{command('profile')} measures energies where it can read the counters of the processor",
        is_measured=measured,
    )


def _where(record: ProfileRecord) -> str:
    config = f" ({record.config})" if record.config else ""
    return f"{record.on}{config}{f' of {record.machine}' if record.machine else ''}"


def _modelled(networks: Sequence[_Network], model: EnergyModel, folder: Path, *, is_asked: bool) -> FamilyPoints:
    points = []
    for network in networks:
        accuracy, source = _accuracy(network, None)
        energy = model.of_macs(network.macs)
        points.append(
            OperatingPoint(
                name=network.name,
                accuracy=accuracy,
                latency_ns=energy.pJ / model.power_mW,
                energy_pJ=energy.pJ,
                accuracy_source=source,
                latency_source=f"{energy.about} and its power",
                energy_source=energy.about,
                exit=network.exit,
                widths=network.widths,
                settings=network.settings,
            )
        )
    note = (
        f"to get them from a device of yours, run {command('profile')} on '{folder}' for it, and name a model of its "
        f"energy by {argument('energy_model')} if it does not count energy itself"
    )
    return FamilyPoints(
        points=tuple(points),
        about=f"latencies and energies are modelled, not measured: {points[-1].energy_source}",
        note="" if is_asked else note,
        is_measured=False,
    )


def _accuracy(network: _Network, file: str | None) -> tuple[float, str]:
    """The accuracy of a network and of which file it is: of the file that was profiled if that is known.

    Raises:
        InputError: If the plan has none, or one that is no share.
    """
    found, source = _stated_accuracy(network, file)
    if not -_ROUNDING <= found <= 1 + _ROUNDING:
        raise InputError(
            f"the plan states {found:g} as the accuracy of network '{network.name}', which is not between 0 and 1",
            "name a run that measures accuracy",
        )
    return min(max(found, 0.0), 1.0), source


def _stated_accuracy(network: _Network, file: str | None) -> tuple[float, str]:
    accuracy = network.accuracy
    kind = next((kind for kind, name in network.files.items() if file is not None and name == file), None)
    found = None if kind is None else accuracy.exported.get(kind)
    if found is not None and file is not None:
        return found, file
    if accuracy.after is not None:
        return accuracy.after, "the saved model"
    raise InputError(
        f"the plan states no accuracy of network '{network.name}'", f"run {command('prune')} with data, so that it does"
    )
