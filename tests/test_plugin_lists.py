"""Lists of plugins with options of their own, as users write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reds_core.errors import InputError
from reds_core.plugin import parse_plugin_list, plugin_text

WORDS = st.text("ab-_.0/é", min_size=1, max_size=5)


def test_a_list_is_split_at_commas_outside_of_brackets() -> None:
    assert parse_plugin_list("dp, cpsat[presolve=false] ,pulp[backend=HiGHS, presolve=no],x[]", "solver") == [
        ("dp", {}),
        ("cpsat", {"presolve": "false"}),
        ("pulp", {"backend": "HiGHS", "presolve": "no"}),
        ("x", {}),
    ]


@pytest.mark.parametrize(
    "text", ["", "dp,", "dp[", "dp]", "dp[a=1", "dp[a=1]b", "dp[a]", "dp[=1]", "a[[b=1]]", "[a=1]"]
)
def test_a_malformed_list_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a list of solvers"):
        parse_plugin_list(text, "solver")


@given(st.lists(st.tuples(WORDS, st.dictionaries(WORDS, WORDS, max_size=3)), min_size=1, max_size=4))
def test_what_is_written_is_read_again(plugins: list[tuple[str, dict[str, str]]]) -> None:
    text = ",".join(plugin_text(name, options) for name, options in plugins)
    assert parse_plugin_list(text, "solver") == plugins
