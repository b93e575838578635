"""Compiled code without memory: every allocation fails once, which is reported, and nothing is leaked."""

from __future__ import annotations

import ctypes
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress

import pytest
from reds_dp.answer import plan
from reds_dp.dual import Dual
from reds_dp.fixing import priced, slacks, with_usage
from reds_dp.labels import LabelSearch
from reds_dp.search import DpSearch, OutOfMemory, SearchLimits
from reds_dp.terms import ExactTerms

from reds_core.knapsack.compiled import library as loading
from reds_core.knapsack.compiled.sources import FOLDER, SOURCES
from reds_core.knapsack.inference.factors import peak_masks, possible_options
from reds_core.knapsack.problem import KnapsackProblem
from reds_core.knapsack.solver import Feature
from reds_core.testing.problems import long_chain, random_problem

pytestmark = pytest.mark.skipif(
    shutil.which("cc") is None or sys.platform == "win32", reason="no C compiler, or Windows, where nothing is compiled"
)

ALLOCATION = """
#include <stdlib.h>
#define EXPORT __attribute__((visibility("default")))
EXPORT long long fails_at = -1, calls, live;
static int fails(void) { return fails_at >= 0 && calls++ >= fails_at; }
static void *counted(void *made, int is_new) { live += made && is_new; return made; }
void *counted_malloc(size_t size) { return fails() ? NULL : counted(malloc(size), 1); }
void *counted_calloc(size_t count, size_t size) { return fails() ? NULL : counted(calloc(count, size), 1); }
void *counted_realloc(void *old, size_t size) { return fails() ? NULL : counted(realloc(old, size), !old); }
void counted_free(void *old) { live -= old != NULL; free(old); }
"""
"""Allocation that fails from a given call on, and that counts what is not freed."""

REPLACED = """
#include <stdlib.h>
void *counted_malloc(size_t), *counted_calloc(size_t, size_t), *counted_realloc(void *, size_t), counted_free(void *);
#define malloc counted_malloc
#define calloc counted_calloc
#define realloc counted_realloc
#define free counted_free
"""


class Allocation:
    """The allocation of a compiled library."""

    def __init__(self, library: ctypes.PyDLL) -> None:
        self._fails_at, self._calls, self._live = (
            ctypes.c_longlong.in_dll(library, name) for name in ("fails_at", "calls", "live")
        )

    def fail_at(self, call: int) -> None:
        """Let the given call and all later ones fail; none if it is negative."""
        self._fails_at.value, self._calls.value = call, 0

    @property
    def live(self) -> int:
        """The number of allocations that are not freed."""
        return int(self._live.value)


@pytest.fixture(scope="module")
def allocation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Allocation]:
    """The allocation of a library that is used instead of the installed one."""
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "allocation.c").write_text(ALLOCATION)
    (folder / "replaced.h").write_text(REPLACED)
    options = ["cc", "-std=gnu11", "-O1", "-fPIC", "-fvisibility=hidden"]
    objects = []
    for source in [folder / "allocation.c", *(FOLDER / name for name in SOURCES)]:
        replaced = ["-include", str(folder / "replaced.h")] if source.parent == FOLDER else []
        objects.append(str(folder / f"{source.stem}.o"))
        subprocess.run([*options, *replaced, "-c", str(source), "-o", objects[-1]], check=True)
    subprocess.run([*options, "-shared", *objects, "-o", str(folder / "counted.so"), "-lm"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(loading.VARIABLE, raising=False)
        patch.setattr(loading, "FOLDER", folder)
        patch.setattr(loading, "library_name", lambda: "counted.so")
        loading._loaded.cache_clear()
        library = loading.compiled_library()
        assert library is not None
        yield Allocation(library)
    loading._loaded.cache_clear()


@pytest.mark.parametrize(
    ("problem", "table_limit", "beam"),
    [
        (random_problem(1, Feature.PEAK | Feature.PAIR_TERMS, groups=6, options=5), 10, None),
        (random_problem(2, Feature.ALL, groups=6, options=5), 2**24, None),
        (long_chain(3, groups=6), 2**24, 16),
    ],
    ids=["peak", "all", "beam"],
)
def test_memory_that_runs_out_anywhere_is_reported_and_freed(
    allocation: Allocation, problem: KnapsackProblem, table_limit: int, beam: int | None
) -> None:
    kept = possible_options(problem)
    assert kept is not None
    order, held = plan(problem, table_limit)
    search = DpSearch(problem, order, kept, SearchLimits(math.inf, 2**21))
    factors = search.build(peak_masks(problem, kept, table_limit, held))
    dual = Dual(search, factors)
    dual.minimise(factors, whole=True)
    assert search.bound is not None
    threshold = search.bound - int(0.3 * abs(search.bound)) - 1
    sweeps = search.buckets(factors)
    weights = with_usage(priced([dual.multipliers]), factors)
    messages = sweeps.sweep(weights)
    assert messages.flat is not None
    spare = slacks(factors, messages, threshold)
    labels = LabelSearch(sweeps, ExactTerms(problem, factors, sweeps), search.room)

    def work(limits: SearchLimits) -> None:
        again = sweeps.sweep(weights)
        sweeps.decode(again)
        sweeps.marginals(again)
        labels.run(again, spare, limits, beam)

    refused = 0
    while True:
        allocation.fail_at(refused)
        try:
            work(search.limits)
        except MemoryError:
            assert allocation.live == 0, f"allocation {refused} failed, and others were not freed"
            refused += 1
        else:
            break
        finally:
            allocation.fail_at(-1)
    assert refused > 50
    assert allocation.live == 0
    for limits in (SearchLimits(math.inf, 2), SearchLimits(math.inf, 2**21, memory=50)):
        with suppress(OutOfMemory):  # some problems keep too few labels to reach a limit
            work(limits)
        assert allocation.live == 0
