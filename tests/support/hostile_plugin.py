"""Solvers that do to their process what no solver should; found as a plugin where an entry point names this module."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from reds_core import hookimpl
from reds_core.knapsack.problem import Evaluation, KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver


class Plain(Solver):
    """Answers with the floors."""

    name = "plain"
    features: ClassVar[Feature] = Feature.ALL
    claims: ClassVar[Claim] = Claim.NONE
    controls: ClassVar[Control] = Control.NONE

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        self.misbehave(problem)
        return Answer(Status.FEASIBLE, problem.floors)

    def misbehave(self, problem: KnapsackProblem) -> None:
        """What it does first."""


class Segfault(Plain):
    name = "segfault"

    def misbehave(self, problem: KnapsackProblem) -> None:
        ctypes.string_at(0)


@dataclass(frozen=True)
class SleeperOptions:
    """first: also on the small problem that is not timed."""

    first: bool = False


class Sleeper(Plain):
    name = "sleeper"
    Options = SleeperOptions

    def misbehave(self, problem: KnapsackProblem) -> None:
        if self.options.first or problem.name != "small":
            time.sleep(600)


class Glutton(Plain):
    name = "glutton"

    def misbehave(self, problem: KnapsackProblem) -> None:
        hoard = []
        while problem.name != "small":
            hoard.append(np.ones(2**20))


class HiddenGlutton(Plain):
    """Has another process hold the memory."""

    name = "hidden-glutton"

    def misbehave(self, problem: KnapsackProblem) -> None:
        if problem.name != "small":
            code = "hoard = []\nwhile True: hoard.append(bytearray(b'x') * 2**23)"
            subprocess.run([sys.executable, "-S", "-c", code], start_new_session=True, check=False)


class Greedy(Plain):
    """Asks for more than any machine has."""

    name = "insatiable"

    def misbehave(self, problem: KnapsackProblem) -> None:
        np.ones(2**50)


class OverBudget(Plain):
    name = "over-budget"

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.FEASIBLE, problem.ceilings)


class Raiser(Plain):
    name = "raiser"

    def misbehave(self, problem: KnapsackProblem) -> None:
        raise ZeroDivisionError("no reason")


class Quitter(Plain):
    name = "quitter"

    def misbehave(self, problem: KnapsackProblem) -> None:
        print("I am off", file=sys.stderr, flush=True)
        os._exit(3)


class Leaver(Plain):
    name = "leaver"

    def misbehave(self, problem: KnapsackProblem) -> None:
        sys.exit("enough")


class Liar(Plain):
    """Mends the check in its own process, so that everything fits there."""

    name = "liar"

    def misbehave(self, problem: KnapsackProblem) -> None:
        def evaluate(self: KnapsackProblem, choice: Sequence[int]) -> Evaluation:
            return Evaluation(10**9, {}, True)

        KnapsackProblem.evaluate = evaluate  # type: ignore[method-assign]

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        self.misbehave(problem)
        return Answer(Status.FEASIBLE, problem.ceilings)


class Forger(Plain):
    """Writes a reply of its own."""

    name = "forger"

    def misbehave(self, problem: KnapsackProblem) -> None:
        Path(sys.argv[2]).write_bytes(b"no archive")
        os._exit(0)


class Boaster(Plain):
    """Calls the floors optimal."""

    name = "boaster"
    claims = Claim.OPTIMAL | Claim.BOUND

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.OPTIMAL, problem.floors, problem.evaluate(problem.floors).value)


class Parent(Plain):
    """Leaves processes behind: one in a session of its own, one whose parent has ended; then sleeps."""

    name = "parent"

    def misbehave(self, problem: KnapsackProblem) -> None:
        subprocess.Popen(["sleep", "600"], start_new_session=True)
        subprocess.run(["sh", "-c", "setsid sleep 600 & exit 0"], check=True)
        if problem.name != "small":
            time.sleep(600)


class Lingerer(Plain):
    """Answers, and has a thread that never ends."""

    name = "lingerer"

    def misbehave(self, problem: KnapsackProblem) -> None:
        threading.Thread(target=time.sleep, args=(600,)).start()


class Napper(Plain):
    """Takes its time."""

    name = "napper"

    def misbehave(self, problem: KnapsackProblem) -> None:
        if problem.name != "small":
            time.sleep(0.3)


BUSY_S = 0.3
"""Processor seconds that `Worker` spends in a process of its own."""


class Worker(Plain):
    """Leaves its work to another process."""

    name = "worker"

    def misbehave(self, problem: KnapsackProblem) -> None:
        if problem.name != "small":
            code = f"import time\nwhile time.process_time() < {BUSY_S}: pass"
            subprocess.run([sys.executable, "-S", "-c", code], check=True)


class Stopped(Plain):
    """Says itself that memory ran out, and has a choice."""

    name = "stopped"

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        return Answer(Status.FEASIBLE, problem.floors, limit=Limit.MEMORY)


class Narrow(Plain):
    """Takes no pair terms."""

    name = "narrow"
    features = Feature.MULTI_RESOURCE


@hookimpl
def reds_solvers() -> Sequence[type[Solver]]:
    return [
        *(Plain, Segfault, Sleeper, Glutton, HiddenGlutton, Greedy, OverBudget, Raiser, Quitter, Leaver, Liar, Forger),
        *(Boaster, Parent, Lingerer, Napper, Worker, Stopped, Narrow),
    ]
