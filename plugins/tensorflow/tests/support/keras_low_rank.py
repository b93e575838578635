"""Models at low rank, and their references: dense models whose kernels are the products of the factors."""

from __future__ import annotations

from typing import Any

import numpy as np
from reds_low_rank import LowRank
from reds_tensorflow.extraction import assign, weights
from reds_tensorflow.rewriting import refusal, rewrite
from reds_tensorflow.tracing import inspect

from reds_core.network import Network, WeightKind
from reds_core.plugin import build_options
from reds_core.transforms import Dimension, LevelSettings, described


def low_rank(scheme: str = "channels", levels: str = "30,60") -> LowRank:
    return LowRank(build_options(LowRank, {"scheme": scheme, "levels": levels}))


def lowered(model: Any, transform: LowRank) -> LevelSettings:
    """The lowest level of every layer that has any and can be replaced."""
    network = inspect(model)
    sites = dict.fromkeys(e.name for e in network.layers if refusal(model, network, e.name) is None)
    offers = {site: transform.offered(network, site).levels for site in sites}
    return LevelSettings.of([(Dimension(site, "rank_percent"), int(o[0])) for site, o in offers.items() if len(o) > 1])


def rewritten(model: Any, transform: LowRank, settings: LevelSettings) -> tuple[Any, Network]:
    """The model with chains in place of its layers, and the description by the transform.

    The kernels of `model` become the products of the factors.
    """
    network = inspect(model)
    at_levels = described(network, [transform], settings)
    values = weights(model, network)
    chains = {}
    for site, levels in settings.levels.items():
        index = next(i for i, w in enumerate(network.weights) if w.layer == site and w.kind is WeightKind.KERNEL)
        kernel = network.weights[index]
        factors = transform.factors(kernel, levels["rank_percent"], None)(values[index].astype(np.float64))
        names = dict.fromkeys(e.name for e in at_levels.layers if e.name.startswith(f"{site}/rank_"))
        chains[site] = tuple(zip(names, factors, strict=True))
        values[index] = transform.projected(values[index].astype(np.float64), kernel, levels["rank_percent"]).astype(
            values[index].dtype
        )
    made = rewrite(model, network, chains)
    assign(model, network, values)
    return made, at_levels
