"""Checkpoints: what was saved is what is loaded, and a crash at any moment leaves the one before."""

from __future__ import annotations

import dataclasses
import errno
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_framework import ToyFramework, ToyModel, describe, residual_model

from reds_core.errors import InputError, NoSpaceError
from reds_core.framework.family import Family, member_kept
from reds_core.knapsack.solution import Limit, Solution, Status
from reds_core.network.description import Network
from reds_core.plan import StepRecord
from reds_core.pruning.pruner import Decision, PruningState
from reds_core.runs.checkpoint import (
    FOLDER,
    Checkpoint,
    has_checkpoint,
    load_checkpoint,
    load_order,
    load_scores,
    remove_checkpoints,
    save_checkpoint,
    save_order,
    save_scores,
)
from reds_core.scoring.scorer import ScoreTable
from reds_core.system.archive import write_archive
from reds_core.system.records import parse_json, to_json

TOY = ToyFramework()
NETWORKS = {None: describe(residual_model())}
INITIAL = PruningState.initial(NETWORKS[None], residual_model())
SOLUTION = Solution(
    status=Status.FEASIBLE,
    limit=Limit.TIME,
    choice=(0, 2),
    value=-(2**61),
    bound=2**61 + 1,
    gap=0.25,
    widths={"stem": 1, "inside": 3},
    usage={"macs": 7},
    wall_s=0.5,
    backend_s=None,
    solver="brute",
    version="1",
    detail=("a remark", "another"),
)


def state() -> PruningState:
    model = residual_model()
    network = describe(model)
    widths = [{"stem": 1, "inside": 3}, {"stem": 4, "inside": 3}]
    members = tuple(TOY.extract(model, network, member_kept(w)) for w in widths)
    return PruningState(
        ScoreTable(
            {"stem": np.arange(6.0) / 7, "inside": np.zeros(5)},
            {("stem", "inside"): np.ones((6, 5)) / 3},
            {"inside": np.arange(5.0)},
        ),
        {"stem": np.array([5, 1, 0, 2, 3, 4]), "inside": np.arange(5)},
        (Decision(widths[0], SOLUTION, 2**61 + 2), Decision(widths[1])),
        Family(model, members, tuple(widths)),
        bounds=(2**61 + 2, None),
        sequence=("inside", "stem"),
    )


STEPS = (StepRecord(0, "score", (), {}), StepRecord(1, "choose", ("stem", "inside"), {"stem": 1}, 0.25, None))


def same_model(a: ToyModel, b: ToyModel) -> bool:
    same_weights = a.weights.keys() == b.weights.keys() and all(
        np.array_equal(a.weights[k], b.weights[k]) for k in a.weights
    )
    return (a.name, a.input_shape, a.layers) == (b.name, b.input_shape, b.layers) and same_weights


def check_same(found: PruningState, expected: PruningState) -> None:
    assert found.choices == expected.choices
    assert (found.bounds, found.sequence) == (expected.bounds, expected.sequence)
    for table in ("channels", "pairs", "curves"):
        mine, other = getattr(found.scores, table), getattr(expected.scores, table)
        assert mine.keys() == other.keys()
        for key in mine:
            np.testing.assert_array_equal(mine[key], other[key], strict=True)
    assert found.order.keys() == expected.order.keys()
    for group, order in found.order.items():
        np.testing.assert_array_equal(order, expected.order[group])
        assert order.dtype == np.int64
    assert found.family.widths == expected.family.widths
    assert same_model(found.family.full, expected.family.full)
    pairs = zip(found.family.members, expected.family.members, strict=True)
    assert all(same_model(a, b) for a, b in pairs)


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
    found = load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)
    assert found is not None
    assert found.steps == STEPS
    check_same(found.state, state())


def test_an_empty_state_comes_back_empty(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS[:1]), TOY, INITIAL)
    assert load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS) == Checkpoint(INITIAL, STEPS[:1])


def test_what_no_step_has_changed_has_no_file(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS), TOY, INITIAL)
    assert [p.name for p in (tmp_path / FOLDER / "step-0002").iterdir()] == ["state.json"]
    found = load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)
    assert found is not None
    assert not found.state.is_scored
    assert {g: order.tolist() for g, order in found.state.order.items()} == {
        "stem": [0, 1, 2, 3, 4, 5],
        "inside": [0, 1, 2, 3, 4],
    }
    assert found.state.family is INITIAL.family


def test_where_nothing_was_saved_there_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS) is None
    assert not has_checkpoint(tmp_path)


def test_only_the_newest_is_kept(tmp_path: Path) -> None:
    for count in (1, 2):
        save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS[:count]), TOY, INITIAL)
    assert has_checkpoint(tmp_path)
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["step-0002"]
    remove_checkpoints(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing_call", range(3))
def test_a_crash_while_saving_leaves_the_one_before(tmp_path: Path, failing_call: int) -> None:
    class Failing(ToyFramework):
        calls = 0

        def save_model(self, model: Any, path: Path) -> None:
            if Failing.calls == failing_call:
                raise KeyboardInterrupt
            Failing.calls += 1
            super().save_model(model, path)

    save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS[:1]), TOY, INITIAL)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(tmp_path, Checkpoint(state(), STEPS), Failing(), INITIAL)
    assert load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS) == Checkpoint(INITIAL, STEPS[:1])
    save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
    found = load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)
    assert found is not None
    assert found.steps == STEPS
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["step-0002"]


def test_two_checkpoints_left_by_a_crash_are_told_apart(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS), TOY, INITIAL)
    older = tmp_path / FOLDER / "step-0001"
    older.mkdir()
    (older / "state.json").write_text("half remo")
    found = load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)
    assert found is not None
    assert found.steps == STEPS


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"choices": []}', b"\xff\xfe", b'{"choices": 1, "steps": [], "members": 0}']
)
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS), TOY, INITIAL)
    (tmp_path / FOLDER / "step-0002" / "state.json").write_bytes(content)
    with pytest.raises(InputError, match=r"state.json' is damaged .*; start the run over with mode=.overwrite."):
        load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)


@pytest.mark.parametrize("channels", [[0, 0, 1], [1, 2, 3], [0, 2**40, 1], [[0, 1], [2, 3]]])
def test_what_is_no_order_of_channels_is_damaged(tmp_path: Path, channels: list[int]) -> None:
    save_order(tmp_path / "order.npz", {"a": np.array([1, 0]), "b": np.array(channels)})
    with pytest.raises(InputError, match=r"order.npz' is damaged .*; start the run over with mode=.overwrite."):
        load_order(tmp_path / "order.npz")


def test_every_file_that_is_gone_is_missed(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
    files = sorted(path.name for path in (tmp_path / FOLDER / "step-0002").iterdir())
    assert len(files) > 4
    for name in files:
        save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
        (tmp_path / FOLDER / "step-0002" / name).unlink()
        with pytest.raises(
            InputError, match=f"{re.escape(name)}' is missing; start the run over with mode=.overwrite."
        ):
            load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)


@pytest.mark.parametrize("name", ["scores.npz", "order.npz", "state.json"])
def test_a_byte_that_is_lost_is_found_or_does_no_harm(tmp_path: Path, name: str) -> None:
    """Wherever it stands: in an archive it may also be part of the table of contents, which no checksum protects."""
    save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
    path = tmp_path / FOLDER / "step-0002" / name
    whole = path.read_bytes()
    for position, byte in enumerate(whole):
        if byte:
            path.write_bytes(whole[:position] + b"\0" + whole[position + 1 :])
            try:
                found = load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)
            except InputError as error:
                assert f"{name}' is damaged" in str(error), position  # noqa: PT017
            else:
                assert found is not None
                check_same(found.state, state())


def where_skippable(group: str) -> dict[str | None, Network]:
    return {None: dataclasses.replace(NETWORKS[None], skippable=(group,))}


def test_only_groups_that_may_be_skipped_have_no_channels(tmp_path: Path) -> None:
    skipping = Decision({"stem": 1, "inside": 0})
    choices = (skipping, *state().choices[1:])
    save_checkpoint(tmp_path, Checkpoint(dataclasses.replace(state(), choices=choices), STEPS), TOY, INITIAL)
    found = load_checkpoint(tmp_path, TOY, INITIAL, where_skippable("inside"))
    assert found is not None
    assert found.state.choices[0].widths == skipping.widths
    with pytest.raises(InputError, match="does not fit the network"):
        load_checkpoint(tmp_path, TOY, INITIAL, where_skippable("stem"))


@pytest.mark.parametrize("name", ["scores.npz", "order.npz"])
def test_arrays_of_another_network_are_damaged(tmp_path: Path, name: str) -> None:
    for channels in ({"stem": 6}, {"stem": 6, "inside": 4}, {"stem": 6, "inside": 5, "outside": 2}, {}):
        save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
        path = tmp_path / FOLDER / "step-0002" / name
        if name == "order.npz":
            save_order(path, {g: np.arange(n) for g, n in channels.items()})
        else:
            save_scores(path, ScoreTable({g: np.ones(n) for g, n in channels.items()}))
        with pytest.raises(InputError, match=f"{name}' is damaged .*; start the run over with mode=.overwrite."):
            load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)


@pytest.mark.parametrize(
    "changes",
    [
        {"members": 3},
        {"members": -1},
        {"choices": (Decision({"stem": 1}),) * 2},
        {"choices": (Decision({"stem": 7, "inside": 1}),) * 2},
        {"choices": (Decision({"stem": 1, "inside": 0}),) * 2},
        {"sequence": ("inside", "nowhere")},
    ],
)
def test_a_state_of_another_network_is_damaged(tmp_path: Path, changes: dict[str, Any]) -> None:
    save_checkpoint(tmp_path, Checkpoint(state(), STEPS), TOY, INITIAL)
    path = tmp_path / FOLDER / "step-0002" / "state.json"
    path.write_text(to_json({**parse_json(path.read_text()), **changes}))
    with pytest.raises(InputError, match=r"state.json' is damaged .*; start the run over with mode=.overwrite."):
        load_checkpoint(tmp_path, TOY, INITIAL, NETWORKS)


@pytest.mark.parametrize("load", [load_scores, load_order])
def test_array_files_that_cannot_be_read_are_named(tmp_path: Path, load: Any) -> None:
    path = tmp_path / "x.npz"
    with pytest.raises(InputError, match=r"x.npz' is missing"):
        load(path)
    save_order(path, {"a": np.arange(1000)})
    whole = path.read_bytes()
    for damaged in (b"", b"text", whole[: len(whole) // 2], whole[:100] + b"\0" * 50 + whole[150:]):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"x.npz' is damaged"):
            load(path)


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **{"group/a": np.array([{}], dtype=object)})
    with pytest.raises(InputError, match="is damaged"):
        load_order(path)


def test_scores_without_a_header_are_damaged(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_archive(path, {"group/a": np.ones(3)})
    with pytest.raises(InputError, match="is damaged"):
        load_scores(path)


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@given(st.dictionaries(names, st.lists(st.floats(allow_nan=False), max_size=5), max_size=3))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_groups_of_any_name_come_back(tmp_path: Path, channels: dict[str, list[float]]) -> None:
    table = ScoreTable(
        {g: np.array(s, np.float64) for g, s in channels.items()}, {(g, g): np.ones((2, 2)) for g in channels}
    )
    save_scores(tmp_path / "s.npz", table)
    found = load_scores(tmp_path / "s.npz")
    assert {g: s.tolist() for g, s in found.channels.items()} == channels
    assert found.pairs.keys() == table.pairs.keys()


def test_a_disk_that_fills_up_at_the_last_step_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(NoSpaceError, match=r"No space left on device.; free some space"):
        save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS), TOY, INITIAL)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / FOLDER).write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        save_checkpoint(tmp_path, Checkpoint(INITIAL, STEPS), TOY, INITIAL)


def test_members_that_end_at_an_exit_have_the_groups_that_it_needs(tmp_path: Path) -> None:
    """Not even the last exit needs those of the heads of others."""
    whole = NETWORKS[None]
    (narrow, *_), (name, *_) = whole.groups, whole.channels
    parts = {
        "exit_1": dataclasses.replace(whole, groups=(narrow,)),
        None: dataclasses.replace(whole, groups=whole.groups[1:]),
    }
    left = dataclasses.replace(state(), family=INITIAL.family)
    for exit, widths in (("exit_1", {name: 1}), (None, dict.fromkeys(parts[None].channels, 1))):
        chosen = Decision.of(SOLUTION, None)
        chosen = dataclasses.replace(chosen, exit=exit, widths=widths)
        save_checkpoint(tmp_path, Checkpoint(dataclasses.replace(left, choices=(chosen,)), STEPS), TOY, INITIAL)
        found = load_checkpoint(tmp_path, TOY, INITIAL, parts)
        assert found is not None
        assert found.state.choices == (chosen,)
        with pytest.raises(InputError, match="does not fit the network"):
            load_checkpoint(tmp_path, TOY, INITIAL, {each: parts[None if each else "exit_1"] for each in parts})
