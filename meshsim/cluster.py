"""Where replications are simulated: on other machines, to whose workers a Dask scheduler hands them."""

from __future__ import annotations

import asyncio
import hashlib
import pickle
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module, metadata
from pathlib import Path
from platform import python_version
from typing import Any, Final, TypeAlias

from meshsim.engines import EngineName
from meshsim.errors import EngineLimit, MeshsimError, UsageError

CONNECT_S: Final = 10.0  # until a scheduler that does not answer counts as none (assumed)
WORKERS_S: Final = 60.0  # until a cluster without workers is given up (assumed)
_LOOK_S = 1.0  # between looks at which workers there are (assumed)
INSTALL: Final = "pip install 'meshsim[dask]', or from a checkout: pip install '.[dask]'"
_SCHEDULER_LOST = "the connection to the scheduler was lost"
_SCHEMES = ("tcp", "tls", "ws", "wss", "ucx", "inproc")
#: Versions that numbers depend on besides that of Python: those of `meshsim.results.manifest.versions`.
_PACKAGES = ("meshsim", "numpy", "numba", "simpy")
#: Asked of every worker. A text, because functions of ours cannot be sent to where there is no meshsim, nor may byte
#: code travel between versions of Python.
_ABOUT = "__import__('meshsim.cluster', fromlist=['about']).about({engine!r})"

Client: TypeAlias = Any  # `distributed.Client`, which is imported only by whoever asks for a cluster


class _Lost(Exception):
    """The cluster is gone, and with it all that was on its way; says why."""


@contextmanager
def cluster(scheduler: str, engine: EngineName, *, quiet: bool = True) -> Iterator[Cluster]:
    """Give what submits work to the workers of a scheduler; in the end nothing of it is left there.

    Parameters
    ----------
    scheduler
        Its address, e.g. ``tcp://10.0.0.7:8786``.
    engine
        Who simulates; workers compile the compiled engine once a machine.
    quiet
        Do not even say on stderr that workers compile first.

    Raises
    ------
    UsageError
        ``distributed`` is not installed, nobody answers at the address, there are no workers, or they are others than
        this process in what numbers depend on.
    EngineLimit
        The cluster went away in the middle.
    """
    client = _connected(scheduler)
    try:
        _check(client, scheduler, engine, quiet)
        found = Cluster(client, engine)
        try:
            with _large_work():
                yield found
        except _Lost as error:
            raise EngineLimit(
                f"{error}: when it is there again, repeat the command; a sweep takes finished runs from its store"
            ) from None
        finally:
            found.end()
    finally:
        with suppress(OSError, TimeoutError):  # whoever is gone needs no farewell
            client.close()


@contextmanager
def _large_work() -> Iterator[None]:
    """Traces of keys may be large, and travel with each run: Dask warns above 10 MB that one should not do that."""
    import dask

    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TiB"}):
        yield


def _connected(scheduler: str) -> Client:
    try:
        distributed: Any = import_module("distributed")
    except ImportError as error:
        raise UsageError(f"a cluster needs the package distributed ({error}): {INSTALL}") from None
    scheme = scheduler.partition("://")[0] if "://" in scheduler else "tcp"
    if scheme not in _SCHEMES:  # Dask's own refusal takes it half a minute
        raise UsageError(f"scheduler {scheduler}: write its address as tcp://host:port or tls://host:port")
    try:
        return distributed.Client(scheduler, timeout=CONNECT_S, set_as_default=False, name="meshsim")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {scheduler} ({_brief(error)}): start one with `dask scheduler`, workers "
            f"with `dask worker {scheduler}`, and give the address that the scheduler prints, e.g. tcp://10.0.0.7:8786"
        ) from None


def _brief(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _check(client: Client, scheduler: str, engine: EngineName, quiet: bool) -> None:
    """Wait for the first worker, and refuse workers that would find other numbers.

    Workers that come later are refused by the first piece of work that reaches them.
    """
    try:
        client.wait_for_workers(1, timeout=WORKERS_S)
    except TimeoutError:
        raise UsageError(
            f"the scheduler at {scheduler} has no workers, and none came within {WORKERS_S:g} s: "
            f"start some with `dask worker {scheduler}`"
        ) from None
    found = client.run(eval, _ABOUT.format(engine=engine), on_error="return")
    own = about(engine)
    wrong = {worker: why for worker, one in found.items() if (why := _otherwise(own, one))}
    if wrong:
        worker, why = next(iter(wrong.items()))
        raise UsageError(
            f"{len(wrong)} of {len(found)} workers cannot be used, for their numbers might differ; {worker} {why}: "
            "install on every worker what is installed here"
        )
    if not quiet and any(isinstance(one, dict) and one["compiles"] for one in found.values()):
        print("workers compile the engine first (once a machine, under a minute) …", file=sys.stderr, flush=True)


def about(engine: EngineName) -> dict[str, Any]:
    """What the numbers of this process depend on, and whether it has to compile the engine first."""
    return {
        "python": python_version().rpartition(".")[0],
        **{name: _version(name) for name in _PACKAGES},
        "sources": sources_digest(),
        "compiles": engine == "compiled" and not _is_compiled(),
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


@cache
def sources_digest() -> str:
    """Sha256 of all sources of meshsim: work names functions, and these must be the same ones everywhere."""
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for file in sorted(package.rglob("*.py")):
        digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _otherwise(own: Mapping[str, Any], found: Mapping[str, Any] | Exception) -> str:
    """How a worker differs; empty if it does not, or if it has gone again."""
    if isinstance(found, ImportError | AttributeError):
        return f"has no meshsim that can be imported, or an older one ({_brief(found)})"
    if isinstance(found, OSError):
        return ""
    if isinstance(found, Exception):
        return f"cannot say which meshsim it has ({type(found).__name__}: {_brief(found)})"
    for name in ("python", *_PACKAGES):
        if found[name] != own[name]:
            return f"has {name} {found[name]}, here it is {own[name]}"
    if found["sources"] != own["sources"]:
        return f"has other sources of meshsim (sha256 {found['sources'][:8]}, here {own['sources'][:8]})"
    return ""


class Cluster:
    """Submits work, never more at once than keeps all workers busy: whoever submits more waits.

    Work is a pure function of its arguments, random numbers included. So the scheduler may hand what was lost with its
    worker to another one, and the answer has the same bytes.
    """

    def __init__(self, client: Client, engine: EngineName) -> None:
        self._client = client
        self._engine = engine
        self.threads: int = max(1, sum(client.nthreads().values()))
        self._sent: dict[Future[Any], Any] = {}
        self._lost = ""
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="meshsim-cluster", daemon=True)
        self._watcher.start()

    @property
    def most(self) -> int:
        """As much as is on its way at a time: one more than there are threads, so that none waits for the next."""
        return self.threads + 1

    def __call__(self, work: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Submit; the future counts as running from now on, because nobody here knows when it is begun."""
        packed = pickle.dumps(_Call(sources_digest(), self._engine, work, arguments), pickle.HIGHEST_PROTOCOL)
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        with self._changed:
            self._changed.wait_for(lambda: self._lost or len(self._sent) < self.most)
            if self._lost:
                future.set_exception(_Lost(self._lost))
                return future
        # bytes, and a function of Python's own: the scheduler looks into neither, and needs no meshsim
        key = f"{work.__name__.strip('_')}-{uuid.uuid4().hex}"
        try:
            sent = self._client.submit(pickle.loads, packed, key=key, pure=False)
            answer = asyncio.run_coroutine_threadsafe(
                self._client.gather(sent, asynchronous=True), self._client.loop.asyncio_loop
            )
        except Exception:
            if self._client.status == "running":
                raise
            future.set_exception(_Lost(_SCHEDULER_LOST))
            return future
        with self._changed:
            self._sent[future] = sent
        answer.add_done_callback(partial(self._take, future))
        return future

    def _take(self, future: Future[Any], answer: Future[Any]) -> None:
        """Hand an answer on, and let the cluster forget it."""
        found, error = _unpacked(answer)
        if error is not None and not isinstance(error, MeshsimError) and self._client.status != "running":
            error = _Lost(_SCHEDULER_LOST)  # whatever a client says that is closed
        with self._changed:
            self._sent.pop(future, None)
            if isinstance(error, _Lost):
                self._lost = self._lost or str(error)
                error = _Lost(self._lost)
            self._changed.notify_all()
        if error is None:
            future.set_result(found)
        else:
            future.set_exception(error)

    def _watch(self) -> None:
        """Follow how many threads there are, and give up when there were none for long."""
        without_s = 0.0
        while not self._over.wait(_LOOK_S):
            try:
                threads = sum(self._client.nthreads().values())
            except Exception:  # whatever it is: work that is on its way fails for it too, and says so
                continue
            without_s = 0.0 if threads else without_s + _LOOK_S
            with self._changed:
                self.threads = threads or self.threads
                if without_s > WORKERS_S:
                    self._lost = self._lost or f"the cluster has had no workers for {WORKERS_S:g} s"
                self._changed.notify_all()
            if self._lost:
                self._cancel()

    def end(self) -> None:
        """Cancel whatever is still on its way: workers notice at their next slice of simulated time."""
        self._over.set()
        self._cancel()
        self._watcher.join(_LOOK_S)  # it may be asking somebody who is gone

    def _cancel(self) -> None:
        with self._changed:
            sent = list(self._sent.values())
        if sent:
            with suppress(OSError, TimeoutError):
                self._client.cancel(sent, force=True)


def _unpacked(answer: Future[Any]) -> tuple[Any, Exception | None]:
    """What came back, or why nothing did."""
    from distributed.scheduler import KilledWorker

    try:
        return answer.result().value, None
    except KilledWorker as error:
        return None, EngineLimit(
            f"{error.allowed_failures + 1} workers ended, one after the other, while they simulated this, most likely "
            "because memory ran out: give workers more of it, or fewer threads (`dask worker --nthreads`)"
        )
    except (CancelledError, asyncio.CancelledError, OSError):
        return None, _Lost(_SCHEDULER_LOST)
    except Exception as error:
        return None, error


class _Call:
    """A piece of work in an envelope: it is done when it is unpacked."""

    def __init__(self, *words: Any) -> None:
        self.words = words

    def __reduce__(self) -> tuple[Any, ...]:
        sources, engine, work, arguments = self.words
        return _do, (sources, engine, pickle.dumps((work, arguments), pickle.HIGHEST_PROTOCOL))


class _Answer:
    """What work gave, or None where nobody wants it any more."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _do(sources: str, engine: EngineName, packed: bytes) -> _Answer:
    """Work, on a worker; not unless it has the sources of whoever asks."""
    if sources != sources_digest():
        raise UsageError(
            "a worker that came later has other sources of meshsim: install on every worker what is installed here"
        )
    if engine == "compiled":
        _compile()
    work, arguments = pickle.loads(packed)
    try:
        return _Answer(work(*arguments, stop=_unwanted()))
    except KeyboardInterrupt:
        return _Answer(None)


def _unwanted() -> Callable[[], bool]:
    """Whether the work that this thread does was cancelled, or whoever wanted it has gone."""
    from distributed import get_worker

    worker = get_worker()
    tasks, key = worker.state.tasks, worker.get_current_task()

    def stop() -> bool:
        task = tasks.get(key)
        return task is None or task.state == "cancelled"

    return stop


def _is_compiled() -> bool:
    from meshsim.engines.compiled.warm import is_cached

    return is_cached()


@cache
def _compile() -> None:
    """Compile the engine on this machine unless it is; the workers that it has leave that to one of them."""
    from meshsim.engines.compiled.warm import alone, warm_up

    if not _is_compiled():
        with alone():
            if not _is_compiled():
                warm_up()
