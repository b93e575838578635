"""The options of `sparsity`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from reds_core.errors import InputError
from reds_sparsity.patterns import GROUP, Pattern

UNTOUCHED = 100
"""The density of a kernel that stays as it is, in percent."""
_SPARSITIES = {"unstructured": "50,75,90", "block": "50,75,90", "n:4": "50,75", "2:4": "50"}
"""The percentages of zeros that are offered by default, by pattern."""


@dataclass(frozen=True)
class SparsityOptions:
    """Options of `sparsity`.

    Attributes:
        sparsity: the percentages of the weights of a kernel that may be set to zero, joined by commas. A kernel may
            always stay as it is. none means 50,75,90, or those of them that the pattern allows; with scope=global,
            which takes a single one, it means 50. Plans state densities instead: the percentage of weights that stays.
        pattern: "unstructured" if any weights may be zero; "2:4" if 2 of every 4 consecutive inputs of an output
            channel are; "n:4" if 1, 2 or 3 of 4 are, as chosen by layer; "block" if blocks of 4 consecutive inputs are
            zero or not.
        scope: "layer" if the sparsity of each layer is decided, together with its width; "global" if the whole network
            has one sparsity by one threshold for the magnitudes of all kernels, so that there is nothing to decide.
        schedule: "dynamic" if the weights that are zero are chosen anew in each step of a training; "gradual" if
            sparsity also rises during training; "one-shot" if they are chosen once, before training.
        ramp: the share of the training in which sparsity rises, for the schedule "gradual".
        nesting: "rising" if the weights of a smaller member of a family are among those of each larger one; "equal" if
            all members have the same sparsity as well; "free" if each member has a sparsity and weights of its own,
            which fits members in files of their own.
    """

    sparsity: str | None = None
    pattern: Literal["unstructured", "2:4", "n:4", "block"] = "unstructured"
    scope: Literal["layer", "global"] = "layer"
    schedule: Literal["dynamic", "gradual", "one-shot"] = "dynamic"
    ramp: float = 0.75
    nesting: Literal["rising", "equal", "free"] = "rising"

    def __post_init__(self) -> None:
        _ = self.densities
        if not 0 < self.ramp <= 1:
            raise InputError(
                f"option sparsity.ramp={self.ramp} is not above 0 and at most 1", "give a share such as 0.75"
            )
        if self.scope == "global":
            if self.pattern != "unstructured":
                raise InputError(
                    f"option sparsity.scope=global cannot be combined with pattern={self.pattern}",
                    "leave out one of them",
                )
            if len(self.densities) > 1:
                raise InputError(
                    f"option sparsity.scope=global takes one sparsity, not '{self.sparsity}'",
                    "give one, as in sparsity=75",
                )

    @property
    def kind(self) -> Pattern:
        """Which sets of weights may stay."""
        return Pattern.N_OF_FOUR if self.pattern == "2:4" else Pattern(self.pattern)

    @property
    def densities(self) -> tuple[int, ...]:
        """The percentages of weights that may stay in rising order, without that of a kernel that stays as it is.

        Raises:
            InputError: If the sparsities are not percentages that the pattern allows.
        """
        default = "50" if self.scope == "global" else _SPARSITIES[self.pattern]
        text = default if self.sparsity is None else self.sparsity
        parts = [part.strip().removesuffix("%").strip() for part in text.split(",")]
        if not all(part.isdecimal() and len(part) <= 2 and int(part) > 0 for part in parts):
            raise InputError(
                f"option sparsity.sparsity cannot be '{text}'",
                "give the percentages of weights that are zero, as in sparsity=50,75,90",
            )
        sparsities = {*map(int, parts)}
        allowed = {50} if self.pattern == "2:4" else {100 * zeros // GROUP for zeros in range(1, GROUP)}
        if self.kind is Pattern.N_OF_FOUR and not sparsities <= allowed:
            raise InputError(
                f"option sparsity.sparsity cannot be '{text}' with pattern={self.pattern}",
                f"give {' or '.join(map(str, sorted(allowed)))}",
            )
        return tuple(sorted(100 - each for each in sparsities))
