"""Doing what was asked for last: who moves a slider asks for a lot on the way, and waits for the end of it only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Generic, TypeVar

Asked = TypeVar("Asked")
Found = TypeVar("Found")

WAIT_S: Final = 0.2  # without a newer wish, until one is fulfilled (assumed: longer than between two moves of a slider)


class Latest(Generic[Asked, Found]):
    """Works on the newest wish beside the event loop, and shows what was found unless there is a newer wish.

    Without a running loop, as in a script, it works and shows at once.

    Parameters
    ----------
    work
        Called in another thread.
    show
        Called with what `work` gave, where the loop runs.
    """

    def __init__(self, work: Callable[[Asked], Found], show: Callable[[Found], None]) -> None:
        self._work, self._show = work, show
        self._newest: tuple[Asked] | None = None
        self._task: asyncio.Task[None] | None = None

    def ask(self, asked: Asked) -> None:
        """Wish for something, and no more for what was wished before."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._show(self._work(asked))
            return
        self._newest = (asked,)
        if self._task is None or self._task.done():
            self._task = loop.create_task(self._serve())

    async def done(self) -> None:
        """Wait until nothing is wished for."""
        if self._task is not None:
            await self._task

    async def _serve(self) -> None:
        while self._newest is not None:
            newest = self._newest
            await asyncio.sleep(WAIT_S)
            if newest is not self._newest:
                continue
            self._newest = None
            found = await asyncio.to_thread(self._work, newest[0])
            if self._newest is None:
                self._show(found)
