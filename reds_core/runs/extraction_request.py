"""What a user asks of an extraction."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any

from reds_core.cost.energy_models import energy_model
from reds_core.errors import InputError, argument
from reds_core.plugin import PluginOptions
from reds_core.runs.dataset import Dataset
from reds_core.runs.given_data import Splits
from reds_core.runs.settings import RunSettings, merged_options


@dataclass(frozen=True)
class ExtractionRequest:
    """What a user asks of an extraction.

    Attributes:
        budgets: One budget, as texts of the command line.
        data: The data of the run; None to read it from where the run did.
        calibration: What files are calibrated on, as in the settings of a run; None for that of the run.
        calibration_data: The data for that if it is an object in Python, else None.
        finetune_epochs: How many epochs the new member is trained for by itself.
        solver: The name of a solver plugin; None for that of the run.
        time_limit_s: The time limit of each solve; None for that of the run.
        gap: The proven relative gap at which each solve may stop; None for that of the run.
        energy_model: The model by which energy is counted, of a run that counts none; None for that of the run.
        options: Options of plugins, which take precedence over those of the run.
    """

    budgets: tuple[str, ...]
    data: str | Dataset | Splits | None = None
    calibration: str | None = None
    calibration_data: Any | None = None
    finetune_epochs: int = 0
    solver: str | None = None
    time_limit_s: float | None = None
    gap: float | None = None
    energy_model: str | None = None
    options: PluginOptions = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """A text that is the same for requests of the same member of the same run."""
        how = [self.calibration, self.finetune_epochs, self.solver, self.time_limit_s, self.gap]
        options = {plugin: dict(each) for plugin, each in self.options.items()}
        energy = () if self.energy_model is None else (self.energy_model,)
        return json.dumps([self.budgets, *how, options, *energy], sort_keys=True)

    def settings(self, base: RunSettings) -> RunSettings:
        """Return the settings of a run with what the user asks for in their place.

        Raises:
            InputError: If a figure is out of range, or the run counts energy by another model.
        """
        energy = None if self.energy_model is None else energy_model(self.energy_model).name
        if energy is not None and base.energy_model not in (None, energy):
            raise InputError(
                f"the run counts energy by '{base.energy_model}', not by '{energy}'",
                f"leave out {argument('energy_model')}",
            )
        return dataclasses.replace(
            base,
            calibration=base.calibration if self.calibration is None else self.calibration,
            solver=base.solver if self.solver is None else self.solver,
            time_limit_s=base.time_limit_s if self.time_limit_s is None else self.time_limit_s,
            gap=base.gap if self.gap is None else self.gap,
            energy_model=base.energy_model if energy is None else energy,
            options=merged_options(base.options, self.options),
            finetune=dataclasses.replace(base.finetune, epochs=self.finetune_epochs),
        )
