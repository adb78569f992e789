"""What a request is about, in one dimension of its stream's keys (rule K7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from meshsim.engines import keyed
from meshsim.engines.compiled.draws import draw_whole
from meshsim.engines.compiled.state import Kernel
from meshsim.engines.jit import compiled
from meshsim.engines.keyed import mix, unit

_ONCE: Any = np.uint64(keyed.ONCE)
_TRACED: Any = np.uint64(keyed.TRACED)


@compiled(inline=False)
def about(k: Kernel, request: int, dimension: int) -> int:
    """Hash of the item; the stream has keys of this dimension."""
    r = k.live[request]
    stream, row, name = k.streams[r.stream], k.keys[r.stream, dimension], k.dimensions[dimension]
    place = mix(stream.tenant, name)
    if row.traced:
        return mix(mix(place, _TRACED), k.traced_keys[row.first + r.turn % row.traced])
    key = r.key
    if r.user >= 0 and (row.same or stream.reuse > 0.0):
        user = keyed.user_key(mix(k.scalars[0].run, stream.name), r.user)
        ordinal = r.ordinal
        if row.same:
            ordinal = 0
            key = mix(user, ordinal)
        while ordinal > 0 and unit(key, keyed.REUSE, 0, 0) < stream.reuse:
            ordinal -= 1 + int(unit(key, keyed.REUSE, 0, 1) * min(stream.reuse_window, ordinal))
            key = mix(user, ordinal)
    if row.once > 0.0 and unit(key, keyed.ONCE, name, 0) < row.once:
        return mix(mix(place, _ONCE), key)
    item = mix(place, draw_whole(k, row.number, key, keyed.KEY, name))
    if row.life_ns >= 0:
        lives = int(r.arrival_ns / row.life_ns + unit(item, keyed.LIFE, 0, 0))
        if lives:
            item = mix(item, lives)
    return item
