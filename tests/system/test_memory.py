"""How much memory a solve may take, and amounts of it as users read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reds_core.system.memory import _container_bytes, amount_text, why_too_much


def write_files(folder: Path, **contents: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in contents.items():
        (folder / f"memory.{name}").write_text(f"{text}\n")


def test_the_file_cache_of_a_container_counts_as_available(tmp_path: Path) -> None:
    """A container that has read much shows its limit as used, though the system gives the cache up when asked."""
    write_files(tmp_path / "two", max="1000", current="990", stat="anon 90\ninactive_file 900\nactive_file 0")
    assert _container_bytes(tmp_path / "two") == 910
    write_files(
        tmp_path / "one" / "memory",
        limit_in_bytes="1000",
        usage_in_bytes="990",
        stat="inactive_file 1\ntotal_inactive_file 900",
    )
    assert _container_bytes(tmp_path / "one") == 910


def test_without_a_limit_a_container_says_nothing(tmp_path: Path) -> None:
    write_files(tmp_path, max="max", current="990", stat="inactive_file 900")
    assert _container_bytes(tmp_path) is None
    assert _container_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1023, "1023 bytes"),
        (1536, "1.5 KiB"),
        (1023 * 1024, "1,023 KiB"),
        (int(999.7 * 1024**2), "1,000 MiB"),
        (2 * 1024**3, "2 GiB"),
        (5000 * 1024**4, "5,000 TiB"),
    ],
)
def test_amounts_are_read_without_exponents(count: int, text: str) -> None:
    assert amount_text(count) == text


def test_only_what_is_above_the_limit_is_too_much() -> None:
    assert why_too_much("it takes", 1024, 1024) is None
    assert why_too_much("it takes", 2048, 1024) == "it takes 2 KiB, more than the memory limit of 1 KiB"
