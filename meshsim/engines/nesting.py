"""What to say of calls that nest too deeply: the circle that they go round, which the program tells by itself.

Who called whom in the run does not: a caller that gave up, or never waited, may be gone.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from meshsim.engines.program import APP, CALL, FORWARD, Program


def circle_text(program: Program, endpoint: int) -> str:
    """A shortest circle of calls through an endpoint, as ``a.x -> b.y -> a.x``; its name alone if there is none.

    Proxies on the way are left out.
    """
    graph = _calls(program)
    ways = [
        nx.shortest_path(graph, after, endpoint) for after in graph[endpoint] if nx.has_path(graph, after, endpoint)
    ]
    circle = [endpoint, *min(ways, key=len, default=[])]
    roles = program.services["role"][program.endpoints["service"]]
    return " -> ".join(program.endpoint_names[one] for one in circle if roles[one] == APP)


def _calls(program: Program) -> nx.DiGraph:
    """Which endpoint calls which; the code of an endpoint reaches up to the next one's."""
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(program.endpoints)))
    owners = sorted(
        (int(entry), number)
        for number, row in enumerate(program.endpoints)
        for entry in program.entries[row["first_entry"] :][: program.services["versions"][row["service"]]]
    )
    begins = [begin for begin, _ in owners]
    calls = np.flatnonzero((program.instructions["op"] == CALL) | (program.instructions["op"] == FORWARD))
    for at in calls.tolist():
        owner = owners[int(np.searchsorted(begins, at, side="right")) - 1][1]
        graph.add_edge(owner, int(program.calls["endpoint"][program.instructions["a"][at]]))
    return graph
