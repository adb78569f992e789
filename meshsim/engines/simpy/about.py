"""What a request is about, in one dimension of its stream's keys (rule K7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.engines import keyed
from meshsim.engines.keyed import mix, unit

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant
    from meshsim.engines.simpy.requests import Request


def about(plant: Plant, request: Request, dimension: int) -> int | None:
    """Hash of the item; None if the stream has no keys of this dimension."""
    row = plant.keys[request.stream][dimension]
    if row.number < 0:
        return None
    stream = plant.streams[request.stream]
    name = int(plant.program.dimensions[dimension])
    place = mix(stream.tenant, name)
    if row.traced:
        traced = int(plant.program.traced_keys[row.first + request.turn % row.traced])
        return mix(mix(place, keyed.TRACED), traced)
    key = request.key
    if request.user >= 0 and (row.same or stream.reuse > 0.0):
        user = keyed.user_key(mix(plant.run_key, stream.name), request.user)
        ordinal = request.ordinal
        if row.same:
            ordinal = 0
            key = mix(user, ordinal)
        while ordinal > 0 and unit(key, keyed.REUSE, 0, 0) < stream.reuse:
            ordinal -= 1 + int(unit(key, keyed.REUSE, 0, 1) * min(stream.reuse_window, ordinal))
            key = mix(user, ordinal)
    if row.once > 0.0 and unit(key, keyed.ONCE, name, 0) < row.once:
        return mix(mix(place, keyed.ONCE), key)
    item = mix(place, plant.draws[row.number](key, keyed.KEY, name))
    if row.life_ns >= 0:
        lives = int(request.arrival_ns / row.life_ns + unit(item, keyed.LIFE, 0, 0))
        if lives:
            item = mix(item, lives)
    return item
