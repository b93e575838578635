"""How the subnetworks of a run and the layers of their int8 files that fall back were found, as records of its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reds_core.knapsack.families.anchoring import FamilySolution
from reds_core.knapsack.solution import relative_gap
from reds_core.system.records import LEFT_OUT


@dataclass(frozen=True)
class FamilyRecord:
    """How a family was chosen whose subnetworks were decided together, and what is proven about it.

    Attributes:
        order: "bottom-up" for the family that is anchored at the smallest budget, "top-down" for the one that is
            anchored at the largest, "around NAME" for one that is anchored at another budget, or "joint" if no budget
            was decided first. The family can be the best of all in each case, see `gap`.
        value: the sum of the values of its subnetworks.
        bound: the proven upper bound on the value of every family in which the same subnetworks have widths in
            multiples of 4; None if there is none.
        gap: (bound - value) / |value|; 0 if the family is proven to be the best. None without a bound, or if the value
            is 0.
        limit: why the search for a better family stopped early: "time", "nodes", "memory", or "gap" if `gap` was as
            small as the run had asked for. Left out if it did not stop early.
        detail: remarks about the search, one clause each.
    """

    order: str
    value: int
    bound: int | None
    gap: float | None
    limit: str | None = field(default=None, metadata={LEFT_OUT: True})
    detail: tuple[str, ...] = ()

    @classmethod
    def of(cls, family: FamilySolution, names: Sequence[str]) -> FamilyRecord:
        """The record of a family.

        Args:
            family: the family.
            names: the names of its subnetworks, smallest first.
        """
        anchors = {None: "joint", 0: "bottom-up", len(names) - 1: "top-down"}
        return cls(
            order=anchors[family.anchor] if family.anchor in anchors else f"around {names[family.anchor or 0]}",
            value=family.weighted_value,
            bound=family.bound,
            gap=relative_gap(family.weighted_value, family.bound),
            limit=None if family.limit is None else family.limit.value,
            detail=family.detail,
        )


@dataclass(frozen=True)
class DropRecord:
    """One network that a search for the smallest network trained and measured on held-back training data.

    Attributes:
        budget: the limit of each resource: a fraction of the full network, or an amount in base units.
        usage: usage of each resource in base units; empty if no network meets the budget.
        accuracy: accuracy on held-back data, between 0 and 1; None if no network meets the budget.
        drop_points: by how many percentage points that is below the accuracy of the input model on the same data.
            Negative if it is above.
        epochs: how many epochs the network was trained for; 0 if it is the input model itself.
        seconds: time of the search for widths and of training.
    """

    budget: Mapping[str, float]
    usage: Mapping[str, int]
    accuracy: float | None
    drop_points: float | None
    epochs: int
    seconds: float


@dataclass(frozen=True)
class MaxDropRecord:
    """How the smallest network that loses at most the given points was found.

    Held-back training data alone decides; test data is not used.

    Attributes:
        limit_points: the most percentage points of the metric that the network may lose on held-back data.
        resource: the resource by which the network is the smallest.
        examples: the number of held-back examples.
        accuracy: accuracy of the input model on held-back data, between 0 and 1.
        probes: the networks that were trained for a short time, in the order in which they were tried.
        trainings: the networks that were trained fully, smallest first. The last is the network that was found; the
            others lost too much.
        target: the target on whose files networks were measured. Left out if their models were.
    """

    limit_points: float
    resource: str
    examples: int
    accuracy: float
    probes: tuple[DropRecord, ...]
    trainings: tuple[DropRecord, ...]
    target: str | None = field(default=None, metadata={LEFT_OUT: True})

    @property
    def found(self) -> DropRecord:
        """The network that was found."""
        return self.trainings[-1]


@dataclass(frozen=True)
class GateRecord:
    """What an int8 file loses against its model, and which of its layers have more exact numbers for that reason.

    Attributes:
        limit_points: the most percentage points of the metric that the file may lose.
        data: what it was measured on: "held-back" for data that is held back from training, or "training".
        examples: the number of these examples.
        exact: the accuracy of the model on them, between 0 and 1.
        all_int8: the accuracy of the file with all layers in 8 bits.
        accuracy: the accuracy of the file as it is written.
        drop_points: by how many percentage points that is below the accuracy of the model. Negative if it is above.
        numbers: what some layers have instead of 8 bits: "float", or "16x8" for activations of 16 bits. Left out if all
            layers have 8 bits.
        kept: the names of these layers, the most sensitive first.
        inputs: the names of the inputs of the file that have these numbers as well, in place of 8 bits.
        layers: the number of layers of the file that can have other numbers.
        added_bytes: by how much the file is larger than with all layers in 8 bits.
        latency_ns: the latency of the file on the machine of the run, in ns.
        latency_all_int8_ns: the same with all layers in 8 bits.
    """

    limit_points: float
    data: str
    examples: int
    exact: float
    all_int8: float
    accuracy: float
    drop_points: float
    numbers: str | None = field(default=None, metadata={LEFT_OUT: True})
    kept: tuple[str, ...] = field(default=(), metadata={LEFT_OUT: True})
    inputs: tuple[str, ...] = field(default=(), metadata={LEFT_OUT: True})
    layers: int | None = field(default=None, metadata={LEFT_OUT: True})
    added_bytes: int | None = field(default=None, metadata={LEFT_OUT: True})
    latency_ns: float | None = field(default=None, metadata={LEFT_OUT: True})
    latency_all_int8_ns: float | None = field(default=None, metadata={LEFT_OUT: True})

    @property
    def is_held(self) -> bool:
        """Whether the file loses no more than it may. The tolerance covers the rounding of metrics in float32."""
        return self.drop_points <= self.limit_points + 1e-4
