"""The problems of benchmarks/solver_targets.py, with what the exact solver is wanted to reach on each of them.

The problems of ../shared/instances are read from there; all others are generated from seeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from reds_core.bench import NETWORKS, LayerShape, NetworkShape, knapsack
from reds_core.knapsack import Group, KnapsackProblem, Pair, SumResource, load_problem, save_problem

INSTANCES = Path(__file__).resolve().parents[2] / "shared" / "instances"


@dataclass(frozen=True)
class Target:
    """A problem and the wanted result.

    Attributes:
        name: Unique name of the problem, which is also the stem of its file.
        source: A file in ../shared/instances, or a function that generates the problem.
        limit_s: The time limit of a solve in processor seconds.
        wanted_s: Processor seconds in which optimality should be proved, or None if a gap is wanted.
        wanted_gap: The relative gap wanted at the limit, or None if a proof is wanted.
        repeats: How often each version solves the problem.
    """

    name: str
    source: str | Callable[[], KnapsackProblem]
    limit_s: float
    wanted_s: float | None = None
    wanted_gap: float | None = None
    repeats: int = 5

    def file(self, folder: Path) -> Path:
        """The file with the problem, which is written to `folder` if it is generated.

        Raises:
            FileNotFoundError: If the file should be in ../shared/instances and is not.
        """
        if isinstance(self.source, str):
            path = INSTANCES / self.source
            if not path.exists():
                raise FileNotFoundError(f"'{path}' does not exist")
            return path
        path = folder / f"{self.name}.npz"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            save_problem(self.source(), path)
        return path

    def problem(self, folder: Path) -> KnapsackProblem:
        """The problem itself; see `file`."""
        return load_problem(self.file(folder))


def coarse_latency_problem(seed: int, fraction: float) -> KnapsackProblem:
    """A chain of 14 groups with 107 options, as MobileNetV1 has them under a measured table of latencies.

    Values belong to single groups, as channel importances do. The costs of a pair are a staircase in both widths with a
    factor and an overhead of its own, so that they are neither linear nor bilinear.

    Args:
        seed: Seed of values and latencies.
        fraction: The budget as a share of the full network's latency.
    """
    rng = np.random.default_rng(seed)
    channels = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]
    options = [3] + [8] * 13
    widths = [np.linspace(n // k, n, k).astype(np.int64) for n, k in zip(channels, options, strict=True)]
    groups = []
    for i, (full, width) in enumerate(zip(channels, widths, strict=True)):
        importance = np.sort(rng.lognormal(0.0, 1.0, full))[::-1].cumsum()
        groups.append(Group(f"c{i}", width, np.rint(1e6 * importance[width - 1]).astype(np.int64)))
    pairs, latencies = [], []
    pixels = [56, 56, 28, 28, 14, 14, 14, 14, 14, 14, 14, 7, 7]
    for i, side in enumerate(pixels):
        before, after = -(-widths[i] // 8) * 8, -(-widths[i + 1] // 16) * 16
        ns = np.multiply.outer(before, after) * side**2 / 64 * (0.6 + 0.8 * rng.random()) + 2e4 * rng.random()
        pairs.append(Pair(i, i + 1))
        latencies.append(np.rint(ns).astype(np.int64))
    no_costs = (None,) * len(groups)
    latency = SumResource("latency", 2**60, 0, no_costs, (0,) * len(pairs), tuple(latencies))
    problem = KnapsackProblem(f"mobilenet-v1-latency-{seed}", tuple(groups), tuple(pairs), (latency,))
    full = problem.evaluate([g.options - 1 for g in groups]).usage["latency"]
    return problem.with_capacities({"latency": int(fraction * full)})


def deep_transformer(blocks: int = 100) -> NetworkShape:
    """A transformer with an embedding of 1024, 16 heads and 4096 hidden units in each block, on 256 tokens."""
    tokens, groups = 256, {"embedding": 1024}
    layers = [LayerShape(768, "embedding", 1, tokens, tokens)]
    for i in range(blocks):
        heads, hidden = f"block{i}/heads", f"block{i}/hidden"
        groups |= {heads: 16, hidden: 4096}
        held = (("embedding", tokens),)
        layers += [
            LayerShape("embedding", heads, 4 * 64, tokens, 192 * tokens, held, macs=192 * tokens),
            LayerShape(heads, heads, 0, 192 * tokens, 64 * tokens, held, macs=2 * 64 * tokens * tokens),
            LayerShape("embedding", hidden, 2, tokens, tokens, held),
        ]
    return NetworkShape(f"transformer-{blocks}", groups, tuple(layers))


def _near_equal_transformer() -> KnapsackProblem:
    return knapsack(deep_transformer(), "near-equal", 8, ("macs",), 0.5, seed=1)


def _shaped(
    network: str, kind: str, step: int, fraction: float, resources: tuple[str, ...] = ("macs",)
) -> KnapsackProblem:
    return knapsack(NETWORKS[network](), kind, step, resources, fraction)


TARGETS = (
    *(
        Target(f"latency-14x107-{share}", partial(coarse_latency_problem, seed, share / 100), 10, wanted_s=0.002)
        for seed, share in enumerate((20, 40, 60))
    ),
    Target("ds-cnn-s-25", "ds-cnn-s-kws-25.npz", 10, wanted_s=0.005),
    Target("ds-cnn-m-25", "ds-cnn-m-kws-25.npz", 10, wanted_s=0.012),
    Target("ds-cnn-l-25", "ds-cnn-l-synthetic-25.npz", 10, wanted_s=0.015),
    Target("resnet-50-three-sums", "hard/resnet-50-three-sums.npz", 10, wanted_s=0.5, repeats=3),
    Target("resnet-152-two-sums", "hard/resnet-152-macs-params.npz", 10, wanted_s=10, repeats=1),
    Target("inception-resnet-two-sums", "hard/inception-resnet-macs-params.npz", 20, wanted_s=20, repeats=1),
    Target("transformer-100-convex", "hard/transformer-100-convex.npz", 2, wanted_gap=1e-3, repeats=1),
    Target("transformer-100-near-equal", _near_equal_transformer, 10, wanted_gap=1e-4, repeats=1),
    Target("two-costs-30x64", "hard/two-costs-30x64.npz", 10, wanted_gap=1e-6, repeats=1),
)
"""What is wanted of the exact solver."""

RACE = (
    Target("ds-cnn-s", "ds-cnn-s-kws-25.npz", 10),
    Target("ds-cnn-m", "ds-cnn-m-kws-25.npz", 10),
    Target("ds-cnn-l", "ds-cnn-l-synthetic-25.npz", 10),
    Target("mobilenet-v1-step-8", partial(_shaped, "mobilenet-v1", "lognormal", 8, 0.25), 10),
    Target("resnet-50-step-16", partial(_shaped, "resnet-50", "lognormal", 16, 0.25), 10),
    Target("vit-b-step-32", partial(_shaped, "vit-b", "lognormal", 32, 0.25), 10),
    Target("ds-cnn-s-near-equal", partial(_shaped, "ds-cnn-s", "near-equal", 1, 0.25), 10),
    Target("mobilenet-v2-two-sums", partial(_shaped, "mobilenet-v2", "lognormal", 16, 0.5, ("macs", "params")), 10),
    Target("mobilenet-v1-cost-noise", "hard/mobilenet-v1-16-cost-noise.npz", 10),
)
"""The problems on which benchmarks/comparison.py compares the exact solver with other libraries on presolved models."""
