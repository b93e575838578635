"""One member all the time, with which governors are compared."""

from __future__ import annotations

from dataclasses import dataclass

from reds_core.runtime.governor import Action, Controller, Observation, State

STATIC = "static"


@dataclass(frozen=True)
class StaticController(Controller):
    """Runs one member whenever the battery covers an inference.

    Attributes:
        member: The index of the member.
    """

    member: int

    @property
    def start(self) -> State:
        """Nothing is remembered."""
        return ()

    def decide(self, state: State, observed: Observation) -> Action:
        """Answer with the member."""
        return Action((), self.member)


def static_name(name: str) -> str:
    """The name of a member that runs all the time, in summaries and reports."""
    return f"{STATIC}-{name}"
