"""Solvers that are programs: `--solver 'cmd:PROGRAM ARGUMENTS'`.

The program reads the problem from a file and writes its answer to another. It runs in a worker process
(`command_worker.py`), which ends with all processes that it started when the time is up or the caller ends.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import time
import types
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from reds_core.errors import ContractViolation, InputError, PluginFailure, UnsupportedError
from reds_core.exchange.formats import SUFFIXES
from reds_core.knapsack.cheapest import cheapest_choice
from reds_core.knapsack.file import save_problem
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solution import Answer, Limit, Status
from reds_core.knapsack.solver import Claim, Control, Controls, Feature, Solver
from reds_core.system.files import temporary_folder
from reds_core.system.isolation import caller_folder, run_isolated
from reds_core.system.records import from_plain, parse_json

PREFIX = "cmd:"
"""How the name of a solver begins that is a command."""

ANSWER = "answer"
PROBLEM_FILES = {"problem" if suffix == ".npz" else suffix.removeprefix("."): suffix for suffix in SUFFIXES}
"""Placeholders that stand for the path of the problem, and the suffix of that file."""
CONTROLS = {"time_limit": Control.TIME_LIMIT, "seed": Control.SEED, "threads": Control.THREADS}
"""Placeholders that stand for a control."""

_WORKER = Path(__file__).with_name("command_worker.py")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_HOW = "write it as 'cmd:PROGRAM {mps} {answer}'"


@dataclass(frozen=True)
class ProgramReply:
    """What the worker reports about a run of the program.

    Attributes:
        exit_status: exit status of the program; None if it was still running when the time was up.
        complaint: the last line that it printed; empty if it printed nothing.
        has_answered: whether it wrote an answer.
        choice, bound, status: what the answer states, as in `SolutionFile`.
        fault: why the answer cannot be used, and how to correct it; None if it can.
        refusal: why the program could not be started, or the problem not be written in the format that it reads, and
            what to do; None if both were possible.
    """

    exit_status: int | None = None
    complaint: str = ""
    has_answered: bool = False
    choice: tuple[int, ...] | None = None
    bound: int | None = None
    status: Status | None = None
    fault: tuple[str, str] | None = None
    refusal: tuple[str, str] | None = None


class CommandSolver(Solver):
    """A program that reads a problem from a file and writes its answer to a file; classes are made by `command_solver`.

    Attributes:
        arguments: the program and its arguments, with placeholders.
    """

    features = Feature.ALL
    claims = Claim.OPTIMAL | Claim.INFEASIBLE | Claim.BOUND
    arguments: ClassVar[tuple[str, ...]]

    @classmethod
    def version(cls) -> str:
        """The beginning of the SHA-256 of the program and of the files that its arguments name, in hexadecimal.

        A program that was changed, or another one of the same name in another folder, is another solver.
        """
        digest = hashlib.sha256()
        for path in (located(cls.arguments[0]), *(os.path.join(caller_folder(), each) for each in cls.arguments[1:])):
            if path is not None and os.path.isfile(path):
                digest.update(hashlib.sha256(Path(path).read_bytes()).digest())
        return digest.hexdigest()[:12]

    def solve(self, problem: KnapsackProblem, controls: Controls) -> Answer:
        deadline = None if controls.time_limit_s is None else time.monotonic() + controls.time_limit_s
        request: dict[str, npt.ArrayLike] = {
            "problem": np.frombuffer(_contents(problem), np.uint8),
            "arguments": np.array(self.arguments),
            "folder": caller_folder(),
            "deadline": np.inf if deadline is None else deadline,
            "seed": controls.seed or 0,
            "threads": controls.threads or os.cpu_count() or 1,
        }
        reply = run_isolated(_WORKER, request, deadline)
        if reply is None:
            return Answer(Status.NO_SOLUTION, limit=Limit.TIME)
        return self._answer(problem, from_plain(ProgramReply, parse_json(str(reply["reply"]))))

    def _answer(self, problem: KnapsackProblem, reply: ProgramReply) -> Answer:
        if reply.refusal is not None:
            raise UnsupportedError(*reply.refusal)
        limit = Limit.TIME if reply.exit_status is None else None
        if not reply.has_answered or reply.fault is not None:
            if limit is not None:  # it may have been writing when the time was up
                return Answer(Status.NO_SOLUTION, limit=limit)
            self._refuse(problem, reply)
        status, bound = reply.status, reply.bound
        if status is None:
            status = Status.NO_SOLUTION if reply.choice is None else Status.FEASIBLE
        if reply.choice is not None:
            value = problem.evaluate(reply.choice).value
            if status is Status.OPTIMAL and bound is None:
                bound = value
            if status is Status.FEASIBLE and bound == value:
                status = Status.OPTIMAL
        if status is Status.INFEASIBLE and reply.choice is None:
            self._refute(problem)
        if status in (Status.OPTIMAL, Status.INFEASIBLE):
            return Answer(status, reply.choice, bound)
        last = (f"the program printed last: {reply.complaint}",) if reply.choice is None and reply.complaint else ()
        return Answer(status, reply.choice, bound, limit=limit, detail=last)

    def _refuse(self, problem: KnapsackProblem, reply: ProgramReply) -> None:
        """Raise the error for a program that ended without an answer that can be used."""
        if reply.fault is not None:
            raise self._violated(problem, *reply.fault)
        last = f", and printed last: {reply.complaint}" if reply.complaint else ""
        raise PluginFailure(
            f"solver '{self.name}' ended {_end(reply.exit_status)} on problem '{problem.name}' without writing an "
            f"answer{last}",
            "correct the command; {answer} is the path of the file that it has to write",
        )

    def _refute(self, problem: KnapsackProblem) -> None:
        """Raise ContractViolation if the program states that nothing is feasible, but a choice is easily found."""
        choice = cheapest_choice(problem)
        if choice is not None:
            raise self._violated(
                problem,
                f"it states that the problem is infeasible, but the choice {list(choice)} is feasible",
                "correct the program, or tighten the tolerances of its solver",
            )

    def _violated(self, problem: KnapsackProblem, what: str, fix: str) -> ContractViolation:
        return ContractViolation(f"solver '{self.name}' broke its contract on problem '{problem.name}': {what}", fix)


def _end(exit_status: int | None) -> str:
    """How a program ended, such as 'by signal SIGKILL' or 'with exit status 3'."""
    if exit_status is not None and exit_status < 0:
        known = {number.value: number.name for number in signal.Signals}
        return f"by signal {known.get(-exit_status, -exit_status)}"
    return f"with exit status {exit_status}"


def _contents(problem: KnapsackProblem) -> bytes:
    """The contents of the problem's file."""
    with temporary_folder() as folder:
        save_problem(problem, folder / "problem.npz")
        return (folder / "problem.npz").read_bytes()


def is_command(solver: str) -> bool:
    """Whether the name of a solver is a command."""
    return solver.startswith(PREFIX)


def command_solver(text: str) -> type[CommandSolver]:
    """The solver that runs a command.

    Args:
        text: the command after `cmd:`, such as "cmd:./mine {mps} {answer}". It is split into arguments as a shell does,
            but no shell runs it. `{problem}` stands for the path of a file of format reds-problem/1, or reds-problem/2
            if options are rows of levels, `{mps}`, `{lp}`, `{cfn}` and `{wcsp}` for one in that format, and `{answer}`
            for the file that the program has to write in one of the formats of `reds_core.exchange.read_solution`.
            `{time_limit}` stands for the seconds that are left (a year if there is no limit), `{seed}` for the random
            seed (0 if none is given), and `{threads}` for the number of threads (that of the machine if none is given).

    Raises:
        InputError: if the text is malformed, a placeholder is unknown or missing, or the program does not exist.
    """
    try:
        arguments = tuple(shlex.split(text.removeprefix(PREFIX)))
    except ValueError as error:
        raise InputError(f"solver '{text}' cannot be split into arguments ({error})", "close all quotes") from error
    if not arguments:
        raise InputError(f"solver '{text}' names no program", _HOW)
    placeholders = {name for argument in arguments[1:] for name in _PLACEHOLDER.findall(argument)}
    known = {*PROBLEM_FILES, ANSWER, *CONTROLS}
    unknown = sorted(placeholders - known)
    if unknown:
        choices = ", ".join(f"{{{name}}}" for name in sorted(known))
        raise InputError(f"solver '{text}' has the unknown placeholder '{{{unknown[0]}}}'", f"use {choices}")
    if ANSWER not in placeholders:
        raise InputError(f"solver '{text}' has no {{answer}}, the file to which the program writes its answer", _HOW)
    if not placeholders & PROBLEM_FILES.keys():
        raise InputError(f"solver '{text}' is not given the problem", _HOW)
    program = located(arguments[0])
    if program is None:
        raise InputError(
            f"program '{arguments[0]}' of solver '{text}' is not found, or is not executable",
            "check its path, and make it executable or start it by its interpreter",
        )
    controls = Control.TIME_LIMIT
    for name in placeholders & CONTROLS.keys():
        controls |= CONTROLS[name]
    members = {"name": text, "arguments": arguments, "controls": controls, "__module__": __name__}
    return types.new_class("CommandSolver", (CommandSolver,), exec_body=lambda body: body.update(members))


def located(program: str) -> str | None:
    """The path of a program: of one in the folder of the user, or of an installed one; None if there is none."""
    if os.sep in program:
        return shutil.which(os.path.join(caller_folder(), program))
    return shutil.which(program)


def filled_in(argument: str, values: dict[str, str]) -> str:
    """An argument with its placeholders replaced by their values."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), argument)
