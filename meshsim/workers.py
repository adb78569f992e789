"""Where replications are simulated: here, in threads (compiled code releases the GIL) or processes, or on a cluster."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any, TypeVar

from meshsim.cluster import Cluster, cluster
from meshsim.engines import EngineName
from meshsim.errors import EngineLimit, UsageError

Found = TypeVar("Found")
#: Asked now and then by whoever works, who gives up when it says so.
Stop = Callable[[], bool]
#: Called with a function and its arguments; the function gets ``stop`` besides.
Submit = Callable[..., "Future[Any]"]


@contextmanager
def workers(jobs: int, engine: EngineName, scheduler: str | None = None, *, quiet: bool = True) -> Iterator[Submit]:
    """Give a function that submits work; at the end all of it is done.

    Parameters
    ----------
    jobs
        Threads (compiled engine) or processes; 1: none, the work is done by whoever submits it.
    scheduler
        Address of a Dask scheduler, on whose workers it is done instead (`meshsim.cluster`).
    quiet
        Do not say on stderr that workers of a cluster compile first.

    Raises
    ------
    UsageError
        When `jobs` is less than 1, or given with `scheduler`; when there is no such cluster, or it has another meshsim.
    EngineLimit
        When somebody else ended a worker process, as systems do when memory runs out.
    """
    if jobs < 1:
        raise UsageError(f"jobs must be at least 1, not {jobs}")
    if scheduler is not None:
        if jobs != 1:
            raise UsageError(f"jobs {jobs} and scheduler {scheduler}: a cluster has its own workers, leave jobs out")
        with cluster(scheduler, engine, quiet=quiet) as submit:
            yield submit
        return
    if jobs == 1:
        yield here(None)
        return
    with _threads(jobs) if engine == "compiled" else _processes(jobs) as submit:
        yield submit


def threads_of(jobs: int, engine: EngineName, scheduler: str | None = None) -> int:
    """How many pieces of work are done at a time."""
    if scheduler is None:
        return jobs
    with workers(jobs, engine, scheduler) as submit:
        assert isinstance(submit, Cluster)
        return submit.threads


def most_at_once(submit: Submit, jobs: int) -> int:
    """How much to submit before taking answers: one more than there are workers, so that none of them waits."""
    if isinstance(submit, Cluster):
        return submit.most
    return 1 if jobs == 1 else jobs + 1


def here(stop: Stop | None) -> Submit:
    """Submit to nobody: the work is done at once, by whoever submits it."""

    def submit(work: Callable[..., Found], *arguments: Any) -> Future[Found]:
        future: Future[Found] = Future()
        try:
            future.set_result(work(*arguments, stop=stop))
        except Exception as error:  # Ctrl-C is none: it stops whoever works
            future.set_exception(error)
        return future

    return submit


@contextmanager
def _threads(jobs: int) -> Iterator[Submit]:
    """Compiled code runs beside other threads; who gives up asks the threads to stop at their next slice of time."""
    stop = threading.Event()
    executor: Executor = ThreadPoolExecutor(jobs)
    try:
        yield lambda work, *arguments: executor.submit(work, *arguments, stop=stop.is_set)
    except BaseException:
        stop.set()
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()


@contextmanager
def _processes(jobs: int) -> Iterator[Submit]:
    # Ctrl-C reaches the whole process group: only this process is to react to it.
    executor = ProcessPoolExecutor(jobs, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN))
    try:
        yield lambda work, *arguments: executor.submit(work, *arguments, stop=None)
    except BrokenProcessPool:
        _abandon(executor)
        raise EngineLimit(
            f"one of {jobs} worker processes was ended from outside, most likely because memory ran out: "
            "use fewer --jobs, or the compiled engine, which needs no processes",
            limit=f"jobs {jobs}",
        ) from None
    except BaseException:
        _abandon(executor)
        raise
    executor.shutdown()


def _abandon(executor: ProcessPoolExecutor) -> None:
    """End the workers in the middle of their replication: whoever gave up waits for nothing."""
    processes = list((executor._processes or {}).values())  # `terminate_workers` is new in Python 3.14
    executor.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
