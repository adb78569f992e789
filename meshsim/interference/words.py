"""What one tenant does to another, in a word, and from when on somebody without an objective counts as harmed."""

from __future__ import annotations

from typing import Final, Literal

Word = Literal["harmed", "worse", "not told", "better", "untouched"]
#: From bad to good.
WORDS: Final[tuple[Word, ...]] = ("harmed", "worse", "not told", "better", "untouched")

#: A tenant without an objective is harmed whose p99 grows by this factor (assumed) ...
HARMED_RATIO: Final = 1.1
#: ... or of whose requests so many more fail (assumed; the same as of `meshsim blast`).
HARMED_SHARE: Final = 0.01

AS_WRITTEN: Final = "as written"
