"""How energies are shown: always with their band, and with the words that tell a model from a measurement."""

from __future__ import annotations

from collections.abc import Iterable

from reds_core.cost.energy_models import BOARD_MODEL, PJ_PER_UJ, RAPL, Energy, EnergySource
from reds_core.report import units


def energy_figure(energy: Energy) -> str:
    """Return an energy with its band: 3.37 mJ ± 27 %."""
    return f"{units.ENERGY.text(energy.uJ * PJ_PER_UJ)}{_band(energy.error_percent)}"


def energy_text(energy: Energy) -> str:
    """Return an energy with its band and what it is: 3.37 mJ ± 27 % (model of NUCLEO-L4R5ZI, from MACs)."""
    return f"{energy_figure(energy)} ({energy.origin.about})"


def energy_kind(source: EnergySource) -> str:
    """Return the word that tells a measurement from a model."""
    return "measured" if source.source == RAPL else "model"


def energy_title(sources: Iterable[EnergySource | None]) -> str:
    """Return the heading of energies, which says whether all are measured, or all of a model."""
    kinds = {energy_kind(source) for source in sources if source is not None}
    return f"Energy ({kinds.pop()})" if len(kinds) == 1 else "Energy"


def resource_title(resource: str, source: EnergySource | None) -> str:
    """Return the heading of a resource. That of modelled energy states the band: Energy (model ± 27 %)."""
    if resource != "energy" or source is None or source.error_percent is None:
        return units.resource_title(resource)
    return f"Energy (model{_band(source.error_percent)})"


def energy_sentences(sources: Iterable[EnergySource | None]) -> tuple[str, ...]:
    """Return a sentence on each source of energies, which names it."""
    return tuple(dict.fromkeys(_sentence(source) for source in sources if source is not None))


def _sentence(source: EnergySource) -> str:
    if source.source == RAPL:
        return units.printable(f"Energy is measured (source {source.source}): {source.reference}.")
    band = "" if source.error_percent is None else f",{_band(source.error_percent)}{_spread(source)}"
    per_mac = source.pJ_per_MAC
    rate = "" if per_mac is None else f"; {units.count(per_mac)}{units.THIN}pJ for each MAC"
    return units.printable(
        f"Energy is not measured (source {source.source}): {source.about}{band}{rate}. Constants: {source.reference}."
    )


def _spread(source: EnergySource) -> str:
    """What the band of a model of a board is."""
    return ", the spread over the four published networks" if source.source == BOARD_MODEL else ""


def _band(percent: float | None) -> str:
    return "" if percent is None else f" ±{units.THIN}{percent:g}{units.THIN}%"
