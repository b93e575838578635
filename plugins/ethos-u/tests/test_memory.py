"""What is in memory at each moment, as parts whose sizes are those at other widths."""

from __future__ import annotations

from reds_ethos_u.memory import Fetched, Kept, MemoryLayout
from reds_ethos_u.vela import Buffer

FULL = (
    Buffer("t0", 0, 1, 0, 100),
    Buffer("WB_single_64_op0", 0, 1, 100, 164),
    Buffer("t1", 0, 3, 200, 300),
    Buffer("t2", 2, 3, 200, 300),  # made in place of t1
)
"""Two operations, of which the second works in place."""


def test_tensors_that_share_memory_are_one_part() -> None:
    layout = MemoryLayout(FULL)
    assert layout.moments[0][:2] == (Kept(("t0",)), Kept(("t1",)))
    assert layout.moments[2][0] == Kept(("t1", "t2"))
    assert Fetched(1, 1) in layout.moments[1], "weights may be fetched while the operation before runs"
    sizes = layout.sizes(FULL)
    assert sizes is not None
    assert sizes[Kept(("t1", "t2"))] == 100
    assert sizes[Fetched(0, 0)] == 64
    totals = [sum(sizes[part] for part in parts) for parts in layout.moments]
    assert totals == [264, 264, 100, 100]


def test_sizes_at_other_widths_are_bounds() -> None:
    layout = MemoryLayout(FULL)
    apart = (
        Buffer("t0", 0, 1, 0, 50),
        Buffer("t1", 0, 3, 64, 96),
        Buffer("WB_double_16_op1", 1, 2, 96, 112),
        Buffer("WB_double2_16_op1", 2, 3, 112, 128),
        Buffer("t2", 2, 3, 0, 32),  # not in place here
    )
    sizes = layout.sizes(apart)
    assert sizes is not None
    assert sizes[Kept(("t1", "t2"))] == 64
    assert [sizes[Fetched(1, moment)] for moment in (1, 2, 3)] == [16, 32, 16]
    assert sizes[Fetched(0, 0)] == 0


def test_another_operation_or_tensor_is_not_alike() -> None:
    layout = MemoryLayout(FULL)
    assert layout.sizes((*FULL, Buffer("t1_act", 2, 3, 300, 310))) is None
    assert layout.sizes((*FULL, Buffer("t9", 4, 5, 0, 1))) is None
    assert layout.sizes((Buffer("WB_single_8_op1", 0, 3, 0, 8), *FULL[:1], *FULL[2:])) is None
