"""What becomes of a run after a trigger, and what may end it: the words for both."""

from __future__ import annotations

from typing import Final, Literal

Word = Literal["stable", "vulnerable", "stuck"]
WORDS: Final[tuple[Word, ...]] = ("stable", "vulnerable", "stuck")  # from good to bad

SHED, RETRIES_OFF, RESTART = "load shed to 50 %", "retries off", "restart"
#: In the order in which they are tried: what harms users least comes first.
REMEDIES: Final = (SHED, RETRIES_OFF, RESTART)
#: Where there is little room.
SHORT: Final = {SHED: "load shed", RETRIES_OFF: "retries off", RESTART: "restart"}
