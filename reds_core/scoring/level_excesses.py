"""How much more two levels of one layer cost together than their rises of the loss add up to.

Most levels cost about as much together as the sum, or less. Not so where one of them replaces the layer by others: what
the second one does then concerns the weights of these, so that its rise for the layer itself says little.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from reds_core.arrays import FloatArray, IntArray
from reds_core.errors import InputError
from reds_core.framework.framework import WeightArrays
from reds_core.framework.projection import projections
from reds_core.knapsack.levels import LevelSettings
from reds_core.scoring.levels_offered import LevelsOffered, falling, moments_of_sites
from reds_core.scoring.loss_measurement import LossMeasurement


@dataclass(frozen=True, eq=False)
class LevelExcess:
    """How much more two levels of one layer raise the loss together than each of them alone, added up.

    Attributes:
        site: The name of the layer.
        first, second: What the levels decide.
        first_levels, second_levels: The levels in rising order, int64 (levels,). The last leaves the layer as it is.
        excess: For the levels of `first` by those of `second`, float64 (levels, levels), at least 0. 0 where one of
            them is the last.
    """

    site: str
    first: str
    second: str
    first_levels: IntArray
    second_levels: IntArray
    excess: FloatArray = field(repr=False)

    def at(self, settings: LevelSettings) -> float:
        """Return the excess at the levels of a choice; 0 if it does not decide both."""
        first, second = settings.at(self.site, self.first), settings.at(self.site, self.second)
        if first is None or second is None:
            return 0.0
        place = np.searchsorted(self.first_levels, first), np.searchsorted(self.second_levels, second)
        return float(self.excess[place])


def level_excesses(
    measuring: LossMeasurement,
    pairs: Sequence[tuple[LevelsOffered, LevelsOffered]],
    rises: Mapping[tuple[str, str], FloatArray],
) -> tuple[LevelExcess, ...]:
    """Measure how much more two levels of one layer raise the loss than they do alone, with recalibrated batch norms.

    What the second of two offers costs in a layer that the first replaces is measured at a single one of the levels of
    the first, the middle one, and counts for all of them. It takes one measurement for each level of the second offer
    except the last.

    Args:
        measuring: The model, the data, and how losses are measured.
        pairs: Offers for the same layer. The transform of the first replaces the layer.
        rises: By how much each level raises the loss alone, float64 (levels,), for each layer and what is decided.

    Raises:
        InputError: If a loss is not finite.
        PluginFailure: If a transform raises an unexpected exception.
    """
    if not pairs:
        return ()
    own = measuring.framework.weights(measuring.model, measuring.network)
    inputs = moments_of_sites(measuring, [first.site for first, _ in pairs])

    def variants() -> Iterator[WeightArrays]:
        for first, second in pairs:
            at = _middle(first.levels)
            for level in (*second.levels[:-1], None):
                levels = {first.transform.what: at} | ({} if level is None else {second.transform.what: int(level)})
                yield _changed(measuring, own, first, second, levels, inputs.get(first.site))

    found = measuring.losses(variants())
    excesses = []
    for first, second in pairs:
        *together, replaced = (float(next(found)) for _ in second.levels)
        if not all(map(math.isfinite, (*together, replaced))):
            raise InputError(
                f"the loss with two levels of layer '{first.site}' is not a finite number",
                "check the weights of the model and the labels",
            )
        alone = rises[second.site, second.transform.what]
        more = np.maximum(np.append(falling(np.array(together) - replaced), 0.0) - alone, 0.0)
        table = np.tile(more, (len(first.levels), 1))
        table[-1] = 0.0
        what = first.transform.what, second.transform.what
        excesses.append(LevelExcess(first.site, *what, first.levels, second.levels, table))
    return tuple(excesses)


def _middle(levels: IntArray) -> int:
    """The middle one of the levels that change a layer."""
    return int(levels[(len(levels) - 1) // 2])


def _changed(
    measuring: LossMeasurement,
    weights: WeightArrays,
    first: LevelsOffered,
    second: LevelsOffered,
    levels: Mapping[str, int],
    inputs: FloatArray | None,
) -> WeightArrays:
    """The weights of a network, of which one layer has some levels of two transforms."""
    transforms, settings = (first.transform, second.transform), LevelSettings({first.site: dict(levels)})
    changed = list(weights)
    for index, projection in projections(measuring.network, transforms, settings).items():
        values = weights[index].astype(np.float64)
        begun = projection.begun(values, None if projection.reads is None else inputs)
        changed[index] = begun.function(values).astype(weights[index].dtype)
    return changed
