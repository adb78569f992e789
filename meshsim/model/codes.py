"""The catalogue of diagnostics: what `meshsim explain M104` tells. Codes are stable and never used again."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What a code means: its title, why it matters, and a wrong and a right example."""

    title: str
    explanation: str
    wrong: str
    right: str

    def text(self) -> str:
        """Give the explanation with its examples, as `meshsim explain` shows it."""
        examples = ((label, example) for label, example in (("wrong", self.wrong), ("right", self.right)) if example)
        shown = "".join(f"\n\n{label}:\n    " + example.replace("\n", "\n    ") for label, example in examples)
        return f"{self.title}\n\n{self.explanation}{shown}"


CODES: dict[str, Code] = {
    "M001": Code(
        "The topology cannot be read",
        "There is no such file and no shipped topology of that name, or the file may not be read.",
        "meshsim run bookinfoo",
        "meshsim run bookinfo",
    ),
    "M002": Code(
        "Not YAML",
        "The text breaks the grammar of YAML: a quote or bracket that stays open, a tab as indentation, a colon too "
        "many, an unknown alias, or bytes that are not UTF-8.",
        "services: {shop: {replicas: 2}",
        "services: {shop: {replicas: 2}}",
    ),
    "M003": Code(
        "A key is there twice",
        "Most YAML readers silently keep the last one. Here it is an error that names both lines.",
        "run: {seed: 1, seed: 2}",
        "run: {seed: 2}",
    ),
    "M004": Code(
        "Too large or too deep",
        "A file may have 10 MB, 300,000 keys and values (aliases expanded) and 100 levels. Real topologies stay far "
        "below; files beyond it are broken or hostile.",
        "a: &a [x, x]\nb: &b [*a, *a]   # and so on: each line doubles it",
        "services: {shop: {replicas: 2}}",
    ),
    "M005": Code(
        "Tags are not read",
        "YAML tags such as !!python/object ask the reader to construct something. A topology is plain data.",
        "name: !!str shop",
        "name: shop",
    ),
    "M006": Code(
        "A number with a leading zero",
        "010 is eight for YAML 1.1 readers and ten for YAML 1.2 readers.",
        "replicas: 010",
        "replicas: 10",
    ),
    "M007": Code(
        "More than one document",
        "A file holds one topology. Scenarios that change another one use extends:.",
        "meshsim: 1\n---\nmeshsim: 1",
        "extends: base.yaml",
    ),
    "M008": Code("The file is empty", "A topology needs services and traffic.", "",
                 "meshsim: 1\nservices: …\ntraffic: …"),
    "M009": Code(
        "A key that is no plain name",
        "Keys are text. The merge key << takes a map or a list of maps.",
        "{[a, b]: 1}",
        "{a: 1, b: 1}",
    ),
    "M010": Code(
        "extends: leads nowhere or in a circle",
        "extends: names a file, relative to the one in which it stands, or a shipped topology. The files that extend "
        "each other form a chain with an end.",
        "extends: myself.yaml   # in myself.yaml",
        "extends: bookinfo",
    ),
    "M011": Code(
        "--set does not fit",
        "An override is path=value. The path goes through keys, names of entries (traffic.web) and positions of steps "
        "(endpoints.get.0), as they are in the file. The value null takes a key or an entry out, in extends: too. The "
        "set: of a push has such paths as well.",
        "--set services.shp.replicas=3",
        "--set services.shop.replicas=3",
    ),
    "M012": Code(
        "A file of another format cannot be converted",
        "The file has no meshsim: key and its services are a list, so it is read as an isotope graph (a benchmark "
        "topology of Istio). Something in it is not part of that format.",
        "services: [{name: a, script: [{cal: b}]}, {name: b}]",
        "services: [{name: a, script: [{call: b}]}, {name: b}]",
    ),
    "M101": Code(
        "Unknown key",
        "The language has no such key here. Nothing is ignored silently, so a slip of the pen cannot change a result.",
        "shop: {replica: 2}",
        "shop: {replicas: 2}",
    ),
    "M102": Code("A key is missing", "It has no default, because no default would be right.", "- {entry: shop.get}",
                 "- {name: web, entry: shop.get, arrivals: {poisson: 100/s}}"),
    "M103": Code(
        "Another kind of value is due",
        "A map where a number is due, text where a list is due. YAML 1.2 knows true and false, not yes, no, on, off.",
        'replicas: "2"',
        "replicas: 2",
    ),
    "M104": Code(
        "An unknown name",
        "A service, endpoint, version, cache, tenant, zone, stream, rollout or dimension of keys is named that is not "
        "defined in this topology.",
        "- call: chekout.pay",
        "- call: checkout.pay",
    ),
    "M105": Code(
        "Not supported yet",
        "This part of the language is planned, and this release cannot simulate it. It is an error, since a run that "
        "left it out would answer another question.",
        "discipline: priority",
        "discipline: ps",
    ),
    "M106": Code(
        "A unit is missing",
        "Every duration, size, rate and price carries its unit. Cores, counts, weights and shares may be bare.",
        "timeout: 100",
        "timeout: 100ms",
    ),
    "M107": Code(
        "Not a quantity of this kind",
        "Quantities are a number (0 or more) and a unit. "
        "Durations: ns us ms s m h d. Sizes: B KiB MiB GiB Ki Mi Gi kB MB GB. Rates: /s /m /h /d. CPU: cores or 250m. "
        "Prices: $0.03/core/h, $0.0042/GiB/h, $0.01/GiB, $0.10/h, 0.03 EUR/core/h.",
        "timeout: 100 msec",
        "timeout: 100ms",
    ),
    "M108": Code(
        "Out of range",
        "The value has the right kind, but makes no sense here: not finite, too small, too large, empty, or in "
        "contradiction to its neighbour, or so extreme that a float cannot hold what follows from it.",
        "replicas: 0",
        "replicas: 1",
    ),
    "M109": Code("Not one of the allowed words", "Only certain words, or kinds, are known here.",
                 "discipline: fair", "discipline: ps"),
    "M110": Code(
        "A name with other letters",
        "Names have letters, digits, _ and -, endpoints also /. Dots separate the parts of a path. client, gateway "
        "and ztunnel are reserved.",
        "my.shop: {…}",
        "my-shop: {…}",
    ),
    "M111": Code("A name is used twice", "Names are addresses: two entries of a list cannot share one.",
                 "- {name: web, …}\n- {name: web, …}", "- {name: web, …}\n- {name: app, …}"),
    "M112": Code("A key without a value", "An empty value may be a forgotten one.", "policies:", "policies: []"),
    "M113": Code("Another version of the language", "This release reads version 1.", "meshsim: 2", "meshsim: 1"),
    "M114": Code(
        "Exactly one of several is due",
        "A step is one thing, a distribution has one kind and one set of parameters, an event is a fault or a push.",
        "- {work: 5ms, wait: 2ms}",
        "- {work: 5ms}\n- {wait: 2ms}",
    ),
    "M115": Code("Probabilities or weights that do not add up", "The p of the options of choose add up to 1 at most; "
                 "weights add up to more than 0.", "choose: [{p: 0.7}, {p: 0.7}]", "choose: [{p: 0.5}, {p: 0.5}]"),
    "M116": Code("A quorum that cannot be met", "It is larger than the number of branches.",
                 "{parallel: [{call: a.get}], quorum: 2}", "{parallel: [{call: a.get}, {call: b.get}], quorum: 2}"),
    "M117": Code(
        "Calls that go round for ever",
        "Every request to one of these endpoints surely calls the next, and the last calls the first. A cycle is "
        "possible only where some request can leave it. Nor may what gets something for "
        "a cache ask that cache for the same.",
        "a.get: call b.get;  b.get: call a.get",
        "a.get: call b.get;  b.get: {call: a.get, p: 10%}",
    ),
    "M118": Code("One request causes absurdly many calls", "More than a million on average: a cycle with too high "
                 "a p, or a slip in times.", "{call: db.get, times: 5000000}", "{call: db.get, times: 5}"),
    "M119": Code("No traffic", "Without requests there is nothing to simulate.", "traffic: []",
                 "traffic: [{name: web, entry: shop.get, arrivals: {poisson: 100/s}}]"),
    "M120": Code(
        "A setting that has no meaning here",
        "It would be ignored: a queue without a limit of concurrency, a split without versions, load_balancing_weight "
        "beside a split, sessions of closed arrivals, a fallback of a call that nobody waits for, max_backoff beside a "
        "distribution, max_retries beside a budget, an eviction policy without a capacity, renew or stale without a "
        "ttl, reuse without keys, writes to answers that a cache does not keep, an event that lasts for a time though "
        "it is a push or happens once.",
        "shop: {queue: 10}",
        "shop: {concurrency: 64, queue: 10}",
    ),
    "M121": Code("It is not clear which one is meant", "A service with several endpoints, or a stream where there are "
                 "several tenants, has to be named in full.", "- call: geo", "- call: geo.lookup"),
    "M122": Code("A data file cannot be used", "Files of traces and observations hold one quantity with its unit "
                 "in a line, or in the first column of a CSV file. A trace of keys has time, key and size in a line of "
                 "CSV, ordered by time, or is oracleGeneral.", "trace: {file: nowhere.csv}",
                 "trace: {file: times.csv}"),
    "M123": Code(
        "Policies that contradict each other",
        "The most specific policy wins, field by field (`to: service.endpoint` before `to: service` before none, then "
        "one with `from`). Two that select the same calls cannot both win.",
        "- {name: one, to: geo, in_app: true}\n- {name: two, to: geo, in_app: false}",
        "- {name: one, to: geo, in_app: true}\n- {name: two, to: geo, from: shop, in_app: false}",
    ),
    "M124": Code(
        "A chain of calls longer than call_depth",
        "A request would go deeper than call_depth allows, and the run would end there. The limit is meant for cycles; "
        "a long chain that is meant needs a higher one.",
        "call_depth: 2   # a.get calls b.get, which calls c.get",
        "call_depth: 3",
    ),
    "M125": Code(
        "An automatic warm-up of arrivals or replicas that change with time",
        "warmup: auto finds out when a system has settled. Under a spike, a trace, a rate that changes or an "
        "autoscaler it never settles, so say what is to be left out.",
        "arrivals: {spike: …}   # and no run.warmup",
        "run: {warmup: 10s}",
    ),
    "M126": Code(
        "The warm-up of a run with events",
        "What is left out of a run has to be over before the first event, and it has to be said: warmup: auto finds "
        "out when a system has settled, and under events it never settles.",
        "events: [{name: kill, at: 30s, …}]   # and no run.warmup",
        "run: {warmup: 10s}",
    ),
    "M127": Code(
        "A push that cannot be expressed",
        "A push changes the configuration of proxies: policies, routes and mesh, nothing else. A template leaves its "
        "users few fields, and is of one service, tenant or cell. Policies select calls, not tenants, so that a "
        "mistake in them meets all tenants.",
        "push: {set: {services.shop.replicas: 1}}",
        "push: {set: {policies.geo.timeout: 5ms}}",
    ),
    "M128": Code(
        "An uncertain input that is not low, mid and high",
        "Wherever one value is due, a map of low, mid and high may stand: three plain values, none greater than the "
        "next. Every command takes mid; `meshsim plan` tells what the plan is worth at the others.",
        "arrivals: {poisson: {low: 300/s, mid: 400/s}}",
        "arrivals: {poisson: {low: 300/s, mid: 400/s, high: 600/s}}",
    ),
    "M201": Code(
        "An unbounded queue",
        "With a limit of concurrency and no queue limit, an overload makes requests wait without end instead of "
        "failing fast; clients give up, and the work is done for nobody.",
        "shop: {concurrency: 64}",
        "shop: {concurrency: 64, queue: 256}",
    ),
    "M202": Code(
        "A timeout below what its inner calls may take",
        "The caller gives up while the callee is still within its own timeouts and retries: those last tries are work "
        "for nobody.",
        "caller: timeout: 500ms;  callee: {call: db.get, timeout: 300ms, retries: 1}",
        "caller: timeout: 700ms",
    ),
    "M203": Code(
        "More load than capacity",
        "The mean CPU time that the traffic asks for reaches what the replicas have, or the requests that are inside "
        "at once (rate times mean time, without queueing) reach what concurrency admits: queues only grow, and no run "
        "is long enough. Of rates that change with time the highest in the run counts too. Failures, retries and "
        "proxies are not counted, and neither is what a cache may absorb.",
        "replicas: 1   # 300 requests per second of 5 ms each",
        "replicas: 2",
    ),
    "M204": Code("A service that nobody calls", "It takes part in the cost and in what proxies must know, but serves "
                 "nothing.", "services: {shop: {…}, idle: {…}}   # no call: idle", "services: {shop: {…}}"),
    "M205": Code("An endpoint that nobody calls", "Often a slip in the name of a call, or forgotten traffic.",
                 "endpoints: {get: […], put: […]}   # nobody calls put",
                 "traffic: [{name: put, entry: shop.put, arrivals: {poisson: 1/s}}]"),
    "M206": Code("A tenant without traffic", "Its objectives cannot be judged.",
                 "tenants: {web: {}, app: {}}   # all traffic is of web",
                 "traffic: [{name: app, tenant: app, entry: shop.get, arrivals: {poisson: 1/s}}]"),
    "M207": Code(
        "Retries that multiply",
        "Retries at several levels multiply: three levels of two retries each are 27 tries at the bottom, just when it "
        "is failing (Google, Site Reliability Engineering, chapter 22).",
        "retries: 2 at each of three levels",
        "retries: 2 at one level",
    ),
    "M208": Code(
        "Versions that inherit the number of replicas",
        "A version takes over what it does not say, replicas too: each version is a deployment of its own.",
        "{replicas: 6, versions: {v1: {}, v2: {}}}   # 12 in all",
        "{versions: {v1: {replicas: 5}, v2: {replicas: 1}}}",
    ),
    "M209": Code("A mean that does not exist", "A Pareto distribution with a shape of 1 or less has no mean: no "
                 "capacity is enough, and no average settles.", "pareto: {shape: 1, scale: 1ms}",
                 "pareto: {shape: 1, scale: 1ms, upper: 10s}"),
    "M210": Code("A part of a file of another format has no effect", "The graph is read without it.",
                 "services: [{name: a, cluster: far}]", "services: [{name: a}]"),
    "M211": Code("A trace that begins after the run", "None of its requests is ever sent.",
                 "trace: {times: [90s, 91s]}   # and run.duration is 60s", "trace: {times: [0s, 1s]}"),
    "M212": Code(
        "A timeout that no answer can meet",
        "The smallest work and waits behind the call, which no draw goes below, already take longer.",
        "{call: db.get, timeout: 100ms}   # db.get: [{wait: 200ms}]",
        "{call: db.get, timeout: 300ms}",
    ),
    "M213": Code("A policy or route that selects nothing", "Its to and its from exist, but nobody there makes such a "
                 "call; or no stream is of the tenant, or sends the headers, that a route matches.",
                 "{name: p, from: db, to: shop, timeout: 1s}   # shop calls db",
                 "{name: p, from: shop, to: db, timeout: 1s}"),
    "M214": Code("A run of very many requests", "More than a thousand million: simulating them takes hours to years.",
                 "run: {duration: 1000d}", "run: {duration: 60s}"),
    "M215": Code("Replicas that do not fit their node", "A replica asks for more CPU or memory than a node has, or as "
                 "many as there are on one do together. Kubernetes would not place them.",
                 "nodes: {cpu: 4, pods_per_node: 30}   # of 1 core each", "nodes: {cpu: 4, pods_per_node: 4}"),
    "M216": Code(
        "A route that is never reached",
        "Routes are asked in their order, and the first that fits takes the request. An earlier one fits whatever this "
        "one does.",
        "- {name: all, to: shop, split: v1}\n- {name: beta, to: shop, match: {tenant: beta}, split: v2}",
        "- {name: beta, to: shop, match: {tenant: beta}, split: v2}\n- {name: all, to: shop, split: v1}",
    ),
    "M217": Code(
        "Retries without a brake",
        "When many calls fail, each is tried again, and the callee that fails for its load gets several times the "
        "load: a retry storm, which lasts when its cause is gone. A budget (a share of the requests under way) or a "
        "limit of concurrent retries ends it. Istio sets neither, Envoy alone a limit of 3.",
        "retries: {attempts: 3, on: [5xx]}",
        "retries: {attempts: 3, on: [5xx], budget: 20%}",
    ),
    "M218": Code(
        "A try that may take the whole timeout",
        "timeout is for all tries together, back-off included. With a per_try that is not below it, a try that hangs "
        "uses it up, and there is no other.",
        "timeout: 200ms, retries: {attempts: 2, per_try: 200ms}",
        "timeout: 500ms, retries: {attempts: 2, per_try: 150ms}",
    ),
    "M219": Code(
        "A limit of waiting where nobody waits",
        "max_pending limits the tries that wait for a connection. Without max_connections there is always one, so no "
        "try waits. (Envoy's defaults limit connections to 1024: with policy_defaults: envoy it has an effect.)",
        "circuit_breaker: {max_pending: 10}",
        "circuit_breaker: {max_connections: 100, max_pending: 10}",
    ),
    "M220": Code(
        "Outlier detection that never ejects anybody",
        "A replica is ejected only if the ejected ones are no more than max_ejected of the replicas then. With the "
        "default of 10 %, fewer than ten replicas lose none, in Envoy too (since its PR 27909).",
        "outlier: {consecutive_5xx: 5}   # of 3 replicas",
        "outlier: {consecutive_5xx: 5, always_eject_one_host: on}",
    ),
    "M221": Code(
        "Routing by zones without a choice of zones",
        "zone_aware prefers replicas in the caller's zone. With one zone that is all of them, and with fewer than 6 "
        "replicas of the upstream Envoy does not begin with it (min_cluster_size).",
        "zone_aware: on   # and nodes have one zone",
        "nodes: {zones: [a, b, c]}   # and 6 replicas or more",
    ),
    "M222": Code(
        "Hashing of a key that requests do not have",
        "ring_hash and maglev choose the replica by a key. Requests of a stream without it go to replicas at random, "
        "as in Envoy.",
        "traffic: [{name: web, …}]   # and load_balancer: {maglev: {on: caller}}",
        "traffic: [{name: web, keys: {caller: {uniform: {items: 1000}}}, …}]",
    ),
    "M223": Code(
        "Weights that the load balancer does not heed",
        "random takes any replica, whatever it weighs, as in Envoy; round_robin, least_request, ring_hash and maglev "
        "give a replica of weight 2 twice as much.",
        "policies: [{name: p, to: cart, load_balancer: random}]   # and load_balancing_weight in cart",
        "policies: [{name: p, to: cart, load_balancer: round_robin}]",
    ),
    "M224": Code("A cache that no step looks into", "A cache of a service is used by its steps: - cache: {name, key, "
                 "miss}. This one stays empty.", "caches: {tiles: {capacity: 20000}}   # and no step cache",
                 "- cache: {name: tiles, key: item, miss: [{call: geo.lookup}]}"),
    "M225": Code(
        "Requests that pass a cache by",
        "A cache is asked for a key, which streams declare. A request without it is neither looked up nor kept: it "
        "does the steps of miss, or is passed on by the proxy. A write without it makes nothing outdated.",
        "traffic: [{name: web, …}]   # and - cache: {name: tiles, key: item}",
        "traffic: [{name: web, keys: {item: {zipf: {items: 50000, exponent: 1.0}}}, …}]",
    ),
    "M226": Code("A cache that can hold nothing", "Even the smallest object is larger than the whole cache.",
                 "{capacity: 4KiB, size: 1MiB}", "{capacity: 64MiB, size: 1MiB}"),
    "M227": Code(
        "A trace of keys that is shorter than the run",
        "When all its requests are sent it begins again, with what caches may still hold: hits that the trace itself "
        "does not have.",
        "run: {duration: 60s}   # of 100 requests per second, and a trace of 3000",
        "run: {duration: 30s}",
    ),
    "M228": Code(
        "A proxy that does not hear of writes",
        "It keeps answers made of what a cache behind it holds, and a write makes outdated what that cache holds, not "
        "what the proxy has kept of it. What is outdated there is not known to be, and is not counted.",
        "edit: [{invalidate: {cache: art, key: item}}]   # and mesh.gateway.cache has only: [api.read]",
        "edit: [{invalidate: {cache: art, key: item}}, {invalidate: {cache: gateway, key: item, of: api.read}}]",
    ),
    "M229": Code(
        "A run that goes on when its trace is over",
        "Requests come when those of the trace came, and none behind the last: rates and utilizations are those of a "
        "system that stands still for the rest.",
        "arrivals: {trace: {keys: item}}   # the last at 296s, and run.duration is 1000s",
        "run: {duration: 297s}",
    ),
    "M230": Code(
        "A weight or a priority that nothing looks at",
        "Tenants have shares where a CPU or a line for slots is `fair`, and precedence where it is by `priority`. "
        "Everywhere else it does not matter whose a request is.",
        "tenants: {maps: {weight: 3}}   # and no discipline or line is fair",
        "services: {store: {discipline: fair, …}}",
    ),
}  # fmt: skip


def explain(code: str) -> str:
    """Explain a code such as ``M104``.

    Raises
    ------
    KeyError
        If there is no such code.
    """
    return CODES[code.upper()].text()
