"""CPU queues of a replica: processor sharing, first come first served, last come first served (rules C1-C5)."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol

import simpy

from meshsim.engines import order
from meshsim.engines import program as p
from meshsim.engines.sharing import fifo_servers, fifo_time_ns, ps_alone_ns, ps_clock, ps_wait_ns
from meshsim.engines.simpy.environment import Environment, Timed
from meshsim.engines.simpy.lines import Line, make_line

if TYPE_CHECKING:
    from meshsim.engines.simpy.plant import Plant
    from meshsim.engines.simpy.requests import Frame


class Cpu(Protocol):
    """A CPU queue. What is passed as `on_change` is called before `busy` changes."""

    @property
    def busy(self) -> float:
        """Cores at work."""

    def use(self, frame: Frame, demand_ns: int) -> simpy.Event:
        """Place a demand; the event happens when it has been worked off."""

    def leave(self, job: Any) -> None:
        """Take back a demand (the event that `use` returned) that is not worked off."""

    def alone_ns(self, demand_ns: int) -> int:
        """How long a demand takes where nothing else is to be done (rule C6)."""

    def set_frozen(self, frozen: bool) -> None:
        """Stand still, or work again (rule C7)."""


class Job(Timed):
    """A demand: it happens when it has been worked off, which is known once a server has begun with it."""

    def __init__(self, env: Environment, frame: Frame, demand_ns: int, handler: Callable[[Job], None]) -> None:
        super().__init__(env, handler)
        self.demand_ns = demand_ns
        self.key = _work_end(frame)
        self.tenant = frame.request.tenant


class Servers:
    """Jobs that do not share: each ends a known time after it began, unless the cores stand still in between."""

    def __init__(self, env: Environment) -> None:
        self.env = env
        self.frozen = False
        self.left_ns: dict[Job, int] = {}  # jobs that are served; what is left of each while all stand still

    def begin(self, job: Job, time_ns: int) -> None:
        """Serve a job from now on."""
        self.left_ns[job] = time_ns
        if not self.frozen:
            self.env.plan(job, self.env.now_ns + time_ns, job.key)

    def end(self, job: Job) -> None:
        """Serve it no more."""
        del self.left_ns[job]

    def set_frozen(self, frozen: bool) -> None:
        """Stand still, or work again."""
        self.frozen = frozen
        for job in self.left_ns:
            if frozen:
                self.left_ns[job] = self.env.take_back(job) - self.env.now_ns
            else:
                self.env.plan(job, self.env.now_ns + self.left_ns[job], job.key)


class Unlimited:
    """As many cores as there are jobs: work never waits."""

    def __init__(self, env: Environment, on_change: Callable[[], None]) -> None:
        self.env = env
        self.on_change = on_change
        self.servers = Servers(env)

    @property
    def busy(self) -> float:
        """Cores at work."""
        return 0.0 if self.servers.frozen else float(len(self.servers.left_ns))

    def use(self, frame: Frame, demand_ns: int) -> Job:
        """Start at once."""
        self.on_change()
        job = Job(self.env, frame, demand_ns, self._finish)
        self.servers.begin(job, demand_ns)
        return job

    def _finish(self, job: Job) -> None:
        self.on_change()
        self.servers.end(job)

    def alone_ns(self, demand_ns: int) -> int:
        """Just as long as it is."""
        return demand_ns

    def leave(self, job: Job) -> None:
        """Stop."""
        self._finish(job)
        job.cancel()

    def set_frozen(self, frozen: bool) -> None:
        """Stand still, or work again."""
        self.on_change()
        if frozen != self.servers.frozen:
            self.servers.set_frozen(frozen)


class Queueing:
    """Servers with one line, from which they take who is next; nobody is interrupted."""

    def __init__(self, env: Environment, cores: float, line: Line[Job], on_change: Callable[[], None]) -> None:
        self.env = env
        self.cores = cores
        self.n = fifo_servers(cores)
        self.speed = cores / self.n
        self.on_change = on_change
        self.servers = Servers(env)
        self.waiting = line

    @property
    def busy(self) -> float:
        """Cores at work."""
        return 0.0 if self.servers.frozen else len(self.servers.left_ns) * self.speed

    def use(self, frame: Frame, demand_ns: int) -> Job:
        """Start on a free server, or join the line."""
        job = Job(self.env, frame, demand_ns, self._free)
        if len(self.servers.left_ns) < self.n:
            self.on_change()
            self._serve(job)
        else:
            self.waiting.join(job, job.tenant)
        return job

    def _serve(self, job: Job) -> None:
        self.waiting.begins(job.tenant, float(job.demand_ns))
        self.servers.begin(job, fifo_time_ns(job.demand_ns, self.speed))

    def _free(self, job: Job) -> None:
        """The freed server takes the next job; then the finished frame goes on (rule C2)."""
        self.on_change()
        self.servers.end(job)
        if self.waiting:
            self._serve(self.waiting.take())

    def alone_ns(self, demand_ns: int) -> int:
        """At the speed of a server."""
        return fifo_time_ns(demand_ns, self.speed)

    def leave(self, job: Job) -> None:
        """Leave the line, or give the server back."""
        if job in self.waiting:
            self.waiting.remove(job)
        else:
            job.cancel()
            self._free(job)

    def set_frozen(self, frozen: bool) -> None:
        """Stand still, or work again."""
        self.on_change()
        if frozen != self.servers.frozen:
            self.servers.set_frozen(frozen)


class Sharing:
    """Processor sharing: every job gets min(1, cores / jobs) of a core.

    One completion is pending at a time: that of the job with the least (finish on the queue's clock, request, serial).
    """

    def __init__(self, env: Environment, cores: float, on_change: Callable[[], None]) -> None:
        self.env = env
        self.cores = cores
        self.on_change = on_change
        self.clock = 0.0  # virtual time: what each job has been served since the queue was last empty
        self.since_ns = 0  # when the clock was read last
        self.frozen = False
        self.jobs: list[tuple[float, int, int, simpy.Event]] = []  # heap
        self.completion: Timed | None = None

    @property
    def busy(self) -> float:
        """Cores at work."""
        return 0.0 if self.frozen else min(float(len(self.jobs)), self.cores)

    def use(self, frame: Frame, demand_ns: int) -> simpy.Event:
        """Share the cores from now on."""
        job = simpy.Event(self.env)
        self._advance()
        heappush(self.jobs, (self.clock + demand_ns, frame.request.number, frame.serial, job))
        self._expect_next()
        return job

    def _advance(self) -> None:
        """Bring the clock up to now; it begins anew where nobody is served, so that it stays precise."""
        self.on_change()
        now = self.env.now_ns
        if not self.jobs:
            self.clock = 0.0
        elif not self.frozen:
            self.clock = ps_clock(self.clock, now - self.since_ns, len(self.jobs), self.cores)
        self.since_ns = now

    def _expect_next(self) -> None:
        if self.completion is not None:
            self.completion.cancel()
            self.completion = None
        if self.jobs and not self.frozen:
            finish, request, serial, _ = self.jobs[0]
            wait_ns = ps_wait_ns(finish - self.clock, len(self.jobs), self.cores)
            key = order.event_key(request, order.WORK_END, serial)
            self.completion = self.env.at(self.env.now_ns + wait_ns, key, self._finish)

    def _finish(self, _: Timed) -> None:
        self._advance()
        finish, _request, _serial, job = heappop(self.jobs)
        self.clock = max(self.clock, finish)
        self._expect_next()
        job.succeed()

    def alone_ns(self, demand_ns: int) -> int:
        """On a core, or on what there is of one."""
        return ps_alone_ns(demand_ns, self.cores)

    def leave(self, job: simpy.Event) -> None:
        """Share no more."""
        self._advance()
        self.jobs = [entry for entry in self.jobs if entry[3] is not job]
        heapify(self.jobs)
        self._expect_next()

    def set_frozen(self, frozen: bool) -> None:
        """Stand still, or work again."""
        if frozen == self.frozen:
            return
        self._advance()
        self.frozen = frozen
        self._expect_next()


def _work_end(frame: Frame) -> int:
    return order.event_key(frame.request.number, order.WORK_END, frame.serial)


def make_cpu(env: Environment, plant: Plant, discipline: int, cores: float, on_change: Callable[[], None]) -> Cpu:
    """One CPU queue with `cores` cores (0: unlimited)."""
    if cores == 0.0:
        return Unlimited(env, on_change)
    if discipline == p.PS:
        return Sharing(env, cores, on_change)
    return Queueing(env, cores, make_line(plant, discipline), on_change)
