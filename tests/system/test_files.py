"""Files appear whole or not at all, and every failure to write is an error a user can mend."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from reds_core.errors import InputError
from reds_core.system.files import given_file, make_folder, write_bytes, write_text, written_beside


def test_content_arrives_and_nothing_stays_behind(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a.bin", b"\x00\x01")
    write_text(tmp_path / "b.txt", "Zürich\n")
    assert (tmp_path / "a.bin").read_bytes() == b"\x00\x01"
    assert (tmp_path / "b.txt").read_bytes() == "Zürich\n".encode()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.bin", "b.txt"]


def test_an_existing_file_is_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old, and longer")
    write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text() == "new"


def test_the_temporary_path_is_beside_and_keeps_the_suffix(tmp_path: Path) -> None:
    with written_beside(tmp_path / "model.keras") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".keras"
        assert not (tmp_path / "model.keras").exists()
        temporary.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["model.keras"]


def write_half(path: Path, error: BaseException) -> None:
    with written_beside(path) as temporary:
        temporary.write_text("half")
        raise error


def test_a_failed_write_leaves_the_old_file_and_no_half(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(RuntimeError, match="boom"):
        write_half(tmp_path / "a", RuntimeError("boom"))
    assert (tmp_path / "a").read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_killed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with pytest.raises(KeyboardInterrupt):
        write_half(tmp_path / "a", KeyboardInterrupt())
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_paths_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path in (
        tmp_path / "missing" / "a",
        tmp_path / "file" / "a",
        tmp_path / "folder",
        tmp_path / ("long" * 100),
        Path("/proc/none/a"),
    ):
        with pytest.raises(InputError, match="cannot be written"):
            write_bytes(path, b"x")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder"]


def make_special(path: Path, kind: str) -> None:
    if kind == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
        server.close()
        return
    pipe = path.with_name("pipe")
    os.mkfifo(pipe)
    if kind == "link":
        path.symlink_to(pipe)
    else:
        pipe.rename(path)


@pytest.mark.parametrize("kind", ["pipe", "link", "socket"])
def test_what_is_no_regular_file_stays_what_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.chdir(tmp_path)  # names of sockets must be short
    path = Path("p.npz")
    make_special(path, kind)
    before = {p.name: stat.S_IFMT(p.lstat().st_mode) for p in tmp_path.iterdir()}
    with pytest.raises(InputError, match=r"^'p.npz' is not a regular file; give the path of a file$") as early:
        given_file(path, "out")
    with pytest.raises(InputError, match=f"is not a regular file; {early.value.fix}"):
        write_bytes(path, b"x")
    assert {p.name: stat.S_IFMT(p.lstat().st_mode) for p in tmp_path.iterdir()} == before


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(Path("folder", "file"))
    for content in (b"new", b"newer"):
        write_bytes(tmp_path / "link", content)
        assert (tmp_path / "folder" / "file").read_bytes() == content
    assert (tmp_path / "link").is_symlink()
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["file"]


def test_a_file_never_finished_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"), written_beside(tmp_path / "a"):
        pass


def test_folders_are_made_with_their_parents(tmp_path: Path) -> None:
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


def test_folders_that_cannot_be_made_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "a", Path("/proc/none")):
        with pytest.raises(InputError, match="cannot be written"):
            make_folder(path)
