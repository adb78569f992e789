"""Drives the kernel: makes its tables, lets it run, grows what is full, turns statuses into errors, gives a Record."""

from __future__ import annotations

from copy import copy

import numpy as np
import numpy.typing as npt

from meshsim.engines import arrivals, keyed, order, record
from meshsim.engines.buckets import FINE_BUCKETS
from meshsim.engines.compiled import (
    allocation,
    caches,
    clients,
    counters,
    cpu,
    growth,
    heap,
    loop,
    messages,
    rows,
    state,
)
from meshsim.engines.nesting import circle_text
from meshsim.engines.policies import ring_tables
from meshsim.engines.program import CLOSED, Program
from meshsim.engines.record import BATCHES, Record
from meshsim.engines.running import ABSENT, READY, REFUSING, SERVING, Changeable, Totals, summed
from meshsim.errors import EngineLimit, InternalError


class CompiledRun:
    """One run of the kernel (see `meshsim.engines.running.Run`)."""

    def __init__(
        self,
        program: Program,
        *,
        seed: int,
        replication: int,
        duration_ns: int,
        drain_ns: int,
        record_requests: bool = False,
        sample_share: float = 1.0,
    ) -> None:
        self.program = program
        self.seed, self.replication = seed, replication
        self.kernel = allocation.allocate(program)
        self._given = (self.kernel, state.for_kernel(self.kernel))
        s = self.kernel.scalars[0]
        s["run"] = s["origin"] = keyed.run_key(seed, replication, 0)
        s["duration_ns"] = duration_ns
        s["limit_ns"] = duration_ns + drain_ns
        s["edge_ns"] = duration_ns // BATCHES
        s["budget"] = order.EVENT_BUDGET
        s["culprit"] = rows.NONE
        s["least_bucket"] = FINE_BUCKETS
        s["arrivals"] = 1
        s["record_requests"] = record_requests
        s["sample_share"] = sample_share
        self._name_stores(int(s["run"]))
        self.status = rows.PAUSED
        self._start()

    @property
    def key(self) -> int:
        """Key of the branch that the run is in."""
        return int(self.kernel.scalars["run"][0])

    def _tables(self) -> state.Kernel:
        """The kernel as compiled code takes it, made again when a table was replaced."""
        if self._given[0] is not self.kernel:
            self._given = (self.kernel, state.for_kernel(self.kernel))
        return self._given[1]

    def _name_stores(self, run_key: int) -> None:
        """Give each store what its draws are keyed by."""
        for cache in self.program.caches:
            for number in range(int(cache["stores"])):
                key = keyed.mix(keyed.mix(run_key, int(cache["name"])), number)
                self.kernel.stores["name"][int(cache["first_store"]) + number] = key

    def _start(self) -> None:
        for number, stream in enumerate(self.program.streams):
            if stream["kind"] == CLOSED:
                for user in range(int(stream["users"])):
                    self._make_room_for_a_user()
                    clients.begin_user(self._tables(), number, user)
            else:
                clients.begin(self._tables(), number)

    def _make_room_for_a_user(self) -> None:
        s = self.kernel.scalars[0]
        if s["free_users"] < 1:
            self.kernel = growth.grow(self.kernel, growth.USER_TABLE)
        if s["heap"] + 1 > len(self.kernel.heap):
            self.kernel = growth.grow(self.kernel, growth.HEAP_TABLE)

    def advance(self, until_ns: int) -> bool:
        """Handle all events before `until_ns`; False when the run is over."""
        while True:
            self.status = int(loop.advance(self._tables(), until_ns))
            if self.status == rows.CRASHED:
                self.set_condition(int(self.kernel.scalars[0]["crashed"]), REFUSING)
            elif self.status == rows.GROW:
                self.kernel = growth.grow(self.kernel, int(self.kernel.scalars[0]["full"]))
            else:
                break
        if self.status not in (rows.DONE, rows.PAUSED):
            self._fail()
        return self.status == rows.PAUSED

    # -- control -------------------------------------------------------------------------------------------------

    def over_at(self, at_ns: int) -> bool:
        """Whether nothing that happens at `at_ns` or later belongs to the run any more."""
        s = self.kernel.scalars[0]
        return bool(at_ns > s["limit_ns"] or (at_ns >= s["duration_ns"] and s["pending"] == 0))

    def bring_to(self, at_ns: int) -> None:
        """Bring time and all integrals up to an instant before the next event."""
        counters.bring_to(self._tables(), at_ns)

    def totals(self) -> Totals:
        """Sum up what has been counted so far."""
        k = self.kernel
        counts = k.counts.sum(axis=1)
        return Totals(
            at_ns=int(k.scalars["now_ns"][0]),
            services=summed(k.counters),
            outcomes=counts[:, : len(record.OUTCOMES)],
            latency_ns=counts[:, rows.LATENCY],
            latency_all_ns=counts[:, rows.LATENCY_ALL],
            latencies=k.seen_latencies.astype(np.int64),
        )

    def set_replicas(self, service: int, replicas: int) -> None:
        """From now on send requests to the first `replicas` replicas of a service."""
        row = self.kernel.services[service]
        if row["replicas"] == replicas:
            return
        self._note_scaling(service, int(row["replicas"]), replicas)
        self._start_cold(service, int(row["replicas"]), replicas)
        row["replicas"] = replicas
        self.kernel.versions["replicas"][row["first_version"]] = replicas
        self._build_rings()
        self._count_working(service)

    def _build_rings(self) -> None:
        """Make the tables of consistent hashing for the replicas that get requests now (rule G3)."""
        if not len(self.program.rings):
            return
        k = self.kernel
        rings, at, host = ring_tables(self.program.rings, k.services, k.versions, self.program.replicas)
        shared = {"rings": rings, "ring_at": at, "ring_host": host}
        self.kernel = k._replace(**{name: state.shared(array) for name, array in shared.items()})

    def _start_cold(self, service: int, before: int, after: int) -> None:
        """Replicas that come back, or go down, have nothing in their own caches (rules G3, G10)."""
        for cache in self.program.caches[self.program.caches["service"] == service]:
            for number in range(before, after) if not cache["shared"] else ():
                caches.empty(self._tables(), int(cache["first_store"]) + number)

    def _note_scaling(self, service: int, before: int, after: int) -> None:
        s, number = self.kernel.scalars[0], int(self.kernel.scalars["scalings"][0])
        if number == len(self.kernel.scalings):
            self.kernel = growth.grow(self.kernel, growth.SCALING_TABLE)
        scalings = self.kernel.scalings
        scalings[number] = (before, after, rows.NONE)
        s["scalings"] += 1
        last = int(self.kernel.services["first_scaling"][service])
        if last == rows.NONE:
            self.kernel.services["first_scaling"][service] = number
            return
        while scalings["next"][last] != rows.NONE:
            last = int(scalings["next"][last])
        scalings["next"][last] = number

    def empty_cache(self, cache: int) -> None:
        """Let all entries of all stores of a cache go."""
        row = self.program.caches[cache]
        for number in range(int(row["stores"])):
            caches.empty(self._tables(), int(row["first_store"]) + number)

    def set_load(self, stream: int, load: float) -> None:
        """From now on an open stream runs `load` times as fast as in the topology."""
        s, states = self.kernel.scalars[0], self.kernel.arrival_states
        before_ns = int(states["due_ns"][stream])
        due_ns = int(arrivals.set_load(states, stream, int(s["now_ns"]), load))
        if due_ns == before_ns or due_ns >= order.NEVER_NS:
            return
        if s["heap"] + 1 > len(self.kernel.heap):
            self.kernel = growth.grow(self.kernel, growth.HEAP_TABLE)
        clients.expect_at(self._tables(), stream, due_ns)

    def set_slow(self, replica: int, factor: float) -> None:
        """From now on CPU work that begins at a replica takes `factor` times as much."""
        self.kernel.queues["slow"][self._queues(replica)] = factor

    def set_waits(self, replica: int, factor: float) -> None:
        """From now on waits that begin at a replica take `factor` times as long."""
        self.kernel.scalars["impaired"] = 1
        self.kernel.impairments["slow_waits"][replica] = factor

    def set_network(self, replica: int, delay_ns: int, loss: float) -> None:
        """From now on messages from and to a replica take longer, and a share of packets is lost."""
        self.kernel.scalars["impaired"] = 1
        self.kernel.impairments["delay_ns"][replica] = delay_ns
        self.kernel.impairments["loss"][replica] = loss

    def set_cut(self, zone: int, other: int, cut: bool) -> None:
        """From now on no message gets from one of two zones to the other, or each does again."""
        s = self.kernel.scalars[0]
        s["impaired"] = 1
        for one, another in ((zone, other), (other, zone)):
            self.kernel.cuts[one * int(s["zones"]) + another] = cut

    def condition(self, replica: int) -> int:
        """What a replica does with messages now."""
        return int(self.kernel.stations["condition"][replica])

    def answered(self, replica: int) -> tuple[int, int]:
        """How many messages a replica has answered, and how many of them failed."""
        row = self.kernel.stations[replica]
        return int(row["answered"] + row["failed"]), int(row["failed"])

    def present(self, replica: int) -> int:
        """How many messages, and branches that nobody waits for, a replica has."""
        return int(np.count_nonzero(self._here(replica)))

    def _here(self, replica: int) -> npt.NDArray[np.bool_]:
        """Frames that a replica has, but for branches that somebody waits for."""
        frames = self.kernel.frames
        at_work = (frames["number"] >= 0) & (frames["replica"] == replica) & np.isin(frames["state"], rows.AT_WORK)
        here: npt.NDArray[np.bool_] = at_work & (frames["kind"] != rows.FORKED)
        return here

    def busy_ns(self, replica: int) -> float:
        """Core-nanoseconds that a replica's CPU was busy, up to the instant of the last `bring_to`."""
        return sum(self.kernel.queues["busy_ns"][self._queues(replica)].tolist())

    def set_pod(self, replica: int, pod: int) -> None:
        """From now on a replica is provisioned or not, and among those that can be chosen or not."""
        row = self.kernel.replicas[replica]
        if row["pod"] == ABSENT != pod:
            number = replica - int(self.program.services["first_replica"][row["service"]])
            self._start_cold(int(row["service"]), number, number + 1)
        row["pod"] = pod
        self._list(replica)
        self._count_working(int(row["service"]))

    def _list(self, replica: int) -> None:
        """Let nobody choose a replica that left the endpoints, or whose pod is not ready."""
        row = self.kernel.replicas[replica]
        unlisted = bool(row["withdrawn"]) or row["pod"] != READY
        self.kernel.services["limited"][row["service"]] += int(unlisted) - int(row["unlisted"])
        row["unlisted"] = unlisted

    def set_frozen(self, replica: int, frozen: bool) -> None:
        """From now on the CPU of a replica stands still, or works again."""
        for queue in self._queues(replica):
            if bool(self.kernel.queues["frozen"][queue]) == frozen:
                continue
            if frozen:
                cpu.freeze(self._tables(), queue)
                self._take_out_ends(queue)
            else:
                most = int(self.kernel.queues["jobs"][queue]) + 1
                while self.kernel.scalars[0]["heap"] + most > len(self.kernel.heap):
                    self.kernel = growth.grow(self.kernel, growth.HEAP_TABLE)
                cpu.thaw(self._tables(), queue)
        self._count_working(int(self.program.replicas["service"][replica]))

    def _take_out_ends(self, queue: int) -> None:
        """Take the ends of what a queue's servers do out of the heap, and write down how much was left of each."""
        k, s = self.kernel, self.kernel.scalars[0]
        events = k.heap[: int(s["heap"])]
        works = (k.frames["number"] >= 0) & (k.frames["state"] == rows.ON_CPU) & (k.frames["queue"] == queue)
        ends = np.flatnonzero(events["what"] == heap.WORK_DONE)
        who = events["who"][ends]
        keys = order.event_key(k.frames["number"][who], order.WORK_END, k.frames["serial"][who])
        mine = works[who] & (events["key"][ends] == keys)
        ends, who = ends[mine], who[mine]
        k.frames["due_ns"][who] = events["time"][ends] - s["now_ns"]
        left = np.sort(np.delete(events, ends), order=("time", "key"))  # sorted is in the order of a heap
        k.heap[: len(left)] = left
        s["heap"] = len(left)

    def _queues(self, replica: int) -> range:
        """Rows of a replica's CPU queues."""
        first = int(self.program.replicas["first_queue"][replica])
        threads = int(self.program.services["threads"][self.program.replicas["service"][replica]])
        return range(first, first + max(threads, 1))

    def set_listed(self, replica: int, listed: bool) -> None:
        """From now on a replica is among those that can be chosen, or not."""
        self.kernel.replicas["withdrawn"][replica] = not listed
        self._list(replica)

    def set_condition(self, replica: int, condition: int) -> None:
        """From now on a replica serves messages or not; one that goes down loses all that it does."""
        service = int(self.program.replicas["service"][replica])
        self.kernel.stations["condition"][replica] = condition
        self._count_working(service)
        if condition in SERVING:
            return
        number = replica - int(self.program.services["first_replica"][service])
        self._start_cold(service, number, number + 1)
        frames = self.kernel.frames
        falling = np.flatnonzero(self._here(replica))
        waits = (frames["state"] == rows.IN_LINE) & (frames["pc"] == rows.NONE)  # first: so that no slot is handed on
        falling = falling[np.lexsort((frames["serial"][falling], frames["number"][falling], ~waits[falling]))]
        while self.kernel.scalars[0]["readies"] + len(falling) > len(self.kernel.ready):
            self.kernel = growth.grow(self.kernel, growth.READY_TABLE)
        for frame in falling.tolist():
            messages.falls(self._tables(), frame)

    def _count_working(self, service: int) -> None:
        """Count the replicas that are provisioned, and those ready ones that are up and have a CPU that works."""
        counters.settle_one(self._tables(), service)
        row = self.kernel.services[service]
        mine = slice(int(row["first_replica"]), int(row["first_replica"] + row["replicas"]))
        pods = self.kernel.replicas["pod"][mine]
        self.kernel.meters["replicas"][service] = np.count_nonzero(pods != ABSENT)
        is_up = np.isin(self.kernel.stations["condition"][mine], SERVING)
        stands_still = self.kernel.queues["frozen"][self.program.replicas["first_queue"][mine]] != 0
        self.kernel.meters["working"][service] = np.count_nonzero(is_up & ~stands_still & (pods == READY))

    def set_field(self, table: Changeable, row: int, field: str, value: float) -> None:
        """Change a field of the Program for this run from now on."""
        getattr(self.kernel, table)[field][row] = value

    def branch(self, number: int) -> None:
        """Let `number` enter the keys of all draws that come."""
        self.kernel.scalars["run"] = keyed.run_key(self.seed, self.replication, number)
        self.kernel.arrival_states["old_users"] = self.kernel.arrival_states["users"]

    def copy(self) -> CompiledRun:
        """Copy the run as it stands; both go on independently."""
        other = copy(self)
        other.kernel = state.copy_of(self.kernel)
        return other

    # -- errors --------------------------------------------------------------------------------------------------

    def _fail(self) -> None:
        s = self.kernel.scalars[0]
        now_s = float(s["now_ns"]) / 1e9
        if self.status == rows.TOO_DEEP:
            call = self.program.calls[int(self.kernel.frames["call"][int(s["culprit"])])]
            raise EngineLimit(
                f"calls nest deeper than call_depth: {circle_text(self.program, int(call['endpoint']))}",
                limit=f"call_depth {self.program.depth}",
                station=self.program.service_names[int(call["service"])],
                simulated_time_s=now_s,
            )
        if self.status == rows.TOO_MANY_FRAMES:
            raise EngineLimit(
                "one request made too many calls; look for a loop of calls or a huge `times`",
                limit=f"{order.MAX_SERIAL} frames a request",
                simulated_time_s=now_s,
            )
        if self.status == rows.TOO_MANY_REQUESTS:
            raise EngineLimit(
                "too many requests in one run; shorten run.duration",
                limit=f"{order.MAX_REQUEST} requests",
                simulated_time_s=now_s,
            )
        if self.status == rows.TIME_STANDS_STILL:
            raise EngineLimit(
                order.STANDS_STILL, limit=f"{order.MOST_AT_ONCE} events at one instant", simulated_time_s=now_s
            )
        if self.status == rows.EVENT_BUDGET:
            raise EngineLimit(order.TOO_MANY_EVENTS, limit=f"{int(s['budget'])} events", simulated_time_s=now_s)
        what = "time went back" if self.status == rows.TIME_WENT_BACK else f"status {self.status}"
        raise InternalError(f"the kernel stopped at {now_s} s of simulated time: {what}")

    # -- result --------------------------------------------------------------------------------------------------

    def record(self) -> Record:
        """Close all batches and hand over what was counted."""
        k = self._tables()
        s = self.kernel.scalars[0]
        end_ns = max(int(s["now_ns"]), int(s["duration_ns"])) if s["pending"] == 0 else int(s["limit_ns"])
        while s["batch"] < BATCHES:
            counters.next_batch(k)
        s["now_ns"] = end_ns
        counters.settle_all(k)
        self._count_unfinished()
        k = self.kernel
        requests = np.sort(k.rows[: int(s["rows"])], order="number") if s["record_requests"] else None
        spans = k.spans[: int(s["spans"])]
        # a sampled request was answered if the span of its client's exchange has returned
        sampled = np.sort(spans["request"][(spans["serial"] == 0) & (spans["returned_ns"] >= 0)])
        spans = spans[np.isin(spans["request"], sampled)]
        pairs, used = record.used_pairs(k.account_counters)
        least = int(s["least_bucket"])
        touched = k.histogram[..., least : int(s["most_bucket"]) + 1]
        buckets, (good, failed) = record.in_use(touched[0], touched[1])
        service_buckets, (sojourns,) = record.in_use(np.swapaxes(k.service_histogram, 0, 1))
        return Record(
            duration_ns=int(s["duration_ns"]),
            counts=k.counts[:, :BATCHES, : len(record.OUTCOMES)].copy(),
            latency_sum_ns=k.counts[:, :BATCHES, rows.LATENCY].copy(),
            latency_all_sum_ns=k.counts[:, :BATCHES, rows.LATENCY_ALL].copy(),
            buckets=least + buckets,
            histogram=good,
            histogram_failed=failed,
            tries=k.counts[:, :BATCHES, rows.TRIES].copy(),
            # laid out as the other engine's: numpy adds fractions in the order of memory
            services=np.ascontiguousarray(np.swapaxes(k.counters, 0, 1)),
            account_pairs=pairs,
            accounts=used,
            service_buckets=service_buckets,
            service_histogram=sojourns,
            caches=self._cache_counters(),
            kept=self._kept(),
            occupancy_ns=k.occupancy,
            requests=requests,
            spans=spans[np.lexsort((spans["serial"], spans["request"]))],
            sampled=sampled,
            events=int(s["events"]),
            end_ns=end_ns,
        )

    def _cache_counters(self) -> npt.NDArray[np.void]:
        n = len(self.program.caches)
        streams = len(self.program.streams) if n else 0
        counters = self.kernel.cache_counters[:, : n * streams]
        return np.ascontiguousarray(counters.T).reshape(n, streams, BATCHES + 1)

    def _kept(self) -> npt.NDArray[np.void]:
        """What caches hold now, by cache, store and key."""
        parts = [np.zeros(0, dtype=record.KEPT)]
        for number, cache in enumerate(self.program.caches):
            for store in range(int(cache["stores"])):
                s = self.kernel.stores[int(cache["first_store"]) + store]
                places = self.kernel.places[int(s["first_place"]) : int(s["first_place"]) + int(s["mask"]) + 1]
                entries = self.kernel.kept[int(s["first"]) + places[places != rows.NONE]]
                part = np.zeros(len(entries), dtype=record.KEPT)
                part["cache"], part["store"] = number, store
                for field in ("stream", "key", "object_bytes"):
                    part[field] = entries[field]
                parts.append(np.sort(part, order="key"))
        return np.concatenate(parts)

    def _count_unfinished(self) -> None:
        open_ones = np.flatnonzero((self.kernel.live["number"] >= 0) & (self.kernel.live["end_ns"] < 0))
        s = self.kernel.scalars[0]
        for at in open_ones:
            if s["record_requests"] and s["rows"] == len(self.kernel.rows):
                self.kernel = growth.grow(self.kernel, growth.ROW_TABLE)
            clients.store(self._tables(), int(at), record.UNFINISHED)
