"""The governor `mpc`: plans the energy of the hours ahead by a knapsack, again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from reds_core.errors import InputError
from reds_core.knapsack import Controls, KnapsackProblem, ProblemBuilder, Solver, solve
from reds_core.plugin import PluginOptions, PluginSource
from reds_core.runtime import (
    SLEEP,
    Action,
    Controller,
    Figures,
    Governor,
    Observation,
    Situation,
    State,
    alternated,
    efficient,
    fitted,
)

DAY_US = 86_400 * 10**6
_UNSEEN = -1


@dataclass(frozen=True)
class PredictiveOptions:
    """Options of `mpc`.

    Attributes:
        solver: The solver of the knapsack problems.
        blocks: The number of blocks of a day, for each of which the plan has one mixture of members.
        horizon: The number of blocks that a plan looks ahead.
        reserve: The share of the capacity that a plan leaves in the battery at its end.
        memory: The weight of the last day in forecasts of the harvest, against all days before.
    """

    solver: str = "dp"
    blocks: int = 16
    horizon: int = 12
    reserve: float = 0.1
    memory: float = 0.5

    def __post_init__(self) -> None:
        """Refuse plans without blocks, and shares that are none."""
        if not 1 <= self.blocks <= 288:
            raise InputError(f"option mpc.blocks cannot be {self.blocks}", "give 1 to 288 blocks a day")
        if not 1 <= self.horizon <= self.blocks:
            raise InputError(f"option mpc.horizon cannot be {self.horizon}", f"give 1 to {self.blocks} blocks")
        for name in ("reserve", "memory"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"option mpc.{name} cannot be {getattr(self, name):g}", "give a share from 0 to 1")


@dataclass(frozen=True, eq=False)
class PredictiveController(Controller):
    """Plans at the beginning of each block.

    The state is the number of steps so far, what a request may take by the plan, what smaller members saved, the number
    of requests so far, the energy harvested so far in this block and altogether, and the mean energy harvested in each
    block of the day, or `_UNSEEN`.

    Attributes:
        members: The figures of the members.
        rungs: The members on the hull.
        situation: The battery.
        options: The options.
        solver: The solver.
        block_steps: The number of steps in a block.
    """

    members: tuple[Figures, ...]
    rungs: tuple[int, ...]
    situation: Situation
    options: PredictiveOptions
    solver: Solver
    block_steps: int

    @property
    def start(self) -> State:
        """Nothing was harvested, and nothing asked for."""
        return (0,) * 6 + (_UNSEEN,) * self.options.blocks

    def decide(self, state: State, observed: Observation) -> Action:
        """Plan if a block begins, note what is observed, and run the member of the plan."""
        step, wanted, residue, requests, harvest, total, *days = state
        requests += observed.arrived
        if step % self.block_steps == 0:
            usual = min(total * self.block_steps // step, harvest) if step else 0
            if step:
                self._note(days, step // self.block_steps - 1, harvest)
                harvest = 0
            wanted = self._planned(step, requests, usual, days, observed)
        gained = observed.harvest_uW * self.situation.step_us // 1000
        waiting = max(observed.waiting, 0)
        member = SLEEP
        if waiting:
            energies = [self.members[m].energy_nJ for m in self.rungs]
            rung, residue = alternated(energies, wanted, residue, waiting)
            member = fitted(self.members, self.rungs[rung], observed)
        return Action((step + 1, wanted, residue, requests, harvest + gained, total + gained, *days), member)

    def _note(self, days: list[int], block: int, harvest: int) -> None:
        place = block % self.options.blocks
        before = days[place]
        weight = round(1000 * self.options.memory)
        days[place] = harvest if before == _UNSEEN else (weight * harvest + (1000 - weight) * before) // 1000

    def _planned(self, step: int, requests: int, usual: int, days: list[int], observed: Observation) -> int:
        """What each request of the next block may take, by the optimum of a knapsack problem."""
        if not requests:
            return self.members[self.rungs[-1]].energy_nJ
        expected = max(requests * self.block_steps // (step + 1), 1)
        problem, energies = self.problem(step, expected, usual, days, observed)
        choice = solve(problem, self.solver, Controls()).choice
        return energies[choice[0]] if choice is not None else self.members[self.rungs[0]].energy_nJ

    def problem(
        self, step: int, expected: int, usual: int, days: list[int], observed: Observation
    ) -> tuple[KnapsackProblem, list[int]]:
        """The knapsack problem of a plan, and the energy of a request with each of its options.

        Each block ahead is a group. Its options are no answer, each member on the hull, and equal parts of two
        neighbours; their values are the right answers that are expected. Each span of blocks is a resource: from now
        until the end of a block, no more may be used than the charge and the harvest that is forecast until then; and
        from the beginning of a later block, no more than a full battery and the harvest.

        Args:
            step: The number of steps so far.
            expected: The number of requests that are expected in a block.
            usual: The energy that a block is expected to bring if none of its time of day was seen yet.
            days: What was harvested in each block of the day, or -1.
            observed: What is observed now.
        """
        hull = [self.members[m] for m in self.rungs]
        points = [(0, 0)]
        for figures in hull:
            if len(points) > 1:
                points.append(((points[-1][0] + figures.energy_nJ) // 2, (points[-1][1] + figures.accuracy_ppm) // 2))
            points.append((figures.energy_nJ, figures.accuracy_ppm))
        energies = [energy for energy, _ in points]
        cost = np.array(energies, np.int64) * expected
        value = np.array([accuracy for _, accuracy in points], np.int64) * expected
        builder = ProblemBuilder("plan")
        horizon, capacity = self.options.horizon, self.situation.capacity_nJ
        names = [f"block {i}" for i in range(horizon)]
        for name in names:
            builder.add_group(name, values=value, widths=np.arange(1, len(points) + 1))
        forecast = self._forecast(step, usual, days)
        reserve = round(self.options.reserve * capacity)
        for first in range(horizon):
            if first and not forecast[first - 1]:
                continue  # implied by the span that begins one block earlier
            begin = observed.charge_nJ if first == 0 else capacity
            for last in range(first, horizon):
                if last + 1 < horizon and not forecast[last + 1]:
                    continue  # implied by the span that ends one block later
                available = begin + sum(forecast[first : last + 1])
                left = reserve if last == horizon - 1 else 0
                resource = f"{first} to {last}"
                most = (last + 1 - first) * int(cost[-1])
                if first and available >= most + left:
                    continue
                builder.add_sum(resource, capacity=min(max(available - left, 0), most))
                builder.add_costs(resource, dict.fromkeys(names[first : last + 1], cost))
        return builder.build(), energies

    def _forecast(self, step: int, usual: int, days: list[int]) -> list[int]:
        """The energy that each block ahead brings: as on days before, or as is usual."""
        block = step // self.block_steps
        seen = [days[(block + i) % self.options.blocks] for i in range(self.options.horizon)]
        return [int((usual if each == _UNSEEN else each) * self.situation.efficiency) for each in seen]


class PredictiveGovernor(Governor):
    """Plans ahead, in blocks of 90 minutes: the energy of each block of the next 18 hours, by a knapsack problem.

    A new plan is made at the beginning of each block. The harvest is forecast to be that of the same block on the days
    before. On the first day, it is that of the last block, or the mean so far if that is less.
    """

    name = "mpc"
    Options = PredictiveOptions

    def equip(self, source: PluginSource, settings: PluginOptions) -> None:
        """Create the solver."""
        self._solver = source.create(Solver, self.options.solver, settings)

    def controller(self, situation: Situation) -> PredictiveController:
        """Return the planner for a family and a battery."""
        steps = max(DAY_US // (self.options.blocks * situation.step_us), 1)
        rungs = efficient(situation.members)
        return PredictiveController(situation.members, rungs, situation, self.options, self._solver, steps)
