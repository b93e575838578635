"""Governors for tests: a good one, and bad ones that each break one promise."""

from __future__ import annotations

from dataclasses import dataclass, field

from reds_core.runtime import SLEEP, Action, Controller, Figures, Governor, Observation, Situation, State, fitted


@dataclass(frozen=True)
class ToyController(Controller):
    """Runs the largest member that fits."""

    members: tuple[Figures, ...]

    @property
    def start(self) -> State:
        return (0,)

    def decide(self, state: State, observed: Observation) -> Action:
        return Action(state, fitted(self.members, len(self.members) - 1, observed))


class ToyGovernor(Governor):
    """Runs the largest member that fits."""

    name = "toy-governor"

    def controller(self, situation: Situation) -> Controller:
        return ToyController(situation.members)


class Misnamed(ToyGovernor):
    """Its name is no word."""

    name = "Not a word"


@dataclass(frozen=True)
class _Missing(ToyController):
    def decide(self, state: State, observed: Observation) -> Action:
        return Action(state, len(self.members))


class ChoosesMissingMembers(ToyGovernor):
    """Chooses a member that does not exist."""

    def controller(self, situation: Situation) -> Controller:
        return _Missing(situation.members)


@dataclass(frozen=True)
class _Forgetful(ToyController):
    asked: list[int] = field(default_factory=list)

    def decide(self, state: State, observed: Observation) -> Action:
        self.asked.append(1)
        return Action(state, fitted(self.members, len(self.asked) // 2 % len(self.members), observed))


class RemembersElsewhere(ToyGovernor):
    """Remembers something that is not in its state."""

    def controller(self, situation: Situation) -> Controller:
        return _Forgetful(situation.members)


@dataclass(frozen=True)
class _Floating(ToyController):
    @property
    def start(self) -> State:
        return (0.5,)  # type: ignore[return-value]


class RemembersFractions(ToyGovernor):
    """Its state is no integer."""

    def controller(self, situation: Situation) -> Controller:
        return _Floating(situation.members)


@dataclass(frozen=True)
class _Lazy(ToyController):
    def decide(self, state: State, observed: Observation) -> Action:
        member = fitted(self.members, len(self.members) - 1, observed)
        return Action((state[0] + 1,), SLEEP if state[0] % 7 == 3 else member)


class MissesRequests(ToyGovernor):
    """Sleeps now and then, although requests wait."""

    def controller(self, situation: Situation) -> Controller:
        return _Lazy(situation.members)


@dataclass(frozen=True)
class _Restless(ToyController):
    def decide(self, state: State, observed: Observation) -> Action:
        return Action((state[0] + 1,), fitted(self.members, state[0] % len(self.members), observed))


class NeverSettles(ToyGovernor):
    """Runs all members in turn."""

    def controller(self, situation: Situation) -> Controller:
        return _Restless(situation.members)


class Prints(ToyGovernor):
    """Prints."""

    def controller(self, situation: Situation) -> Controller:
        print("hello")
        return super().controller(situation)
