"""The kernel runs as plain Python where compiling is switched off, with equal outcomes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parents[1]
SCRIPT = """
import builders as b
from meshsim.control import drive
from meshsim.engines import begin

plane = b.plane(
    b.service("a", b.work(b.exp(0.002)),
              b.fork([b.call("b", timeout_s=0.01, retries=1)], [b.call("b", optional=True)]),
              discipline="ps", cores=2.0, bandwidth_bytes_per_s=2e6),
    b.service("b", b.work(b.lognormal(0.004, 1.0)), b.fail(0.05), replicas=2, concurrency=2, queue=2),
    arrivals=b.poisson(150.0),
)
run = begin(plane, engine="compiled", seed=3, duration_ns=2 * 10**9, drain_ns=10**9, record_requests=True,
            active={"b": 1})
run.advance(4 * 10**8)
run = run.copy()
run.branch(1)

def control(c):
    yield c.env.timeout(0.3)
    c.scale("b", 2)
    c.set_load("s", 1.2)
    c.slow("a", 1.1)
    print(c.window().service("b"))
    yield c.env.timeout(0.3)
    c.scale("b", 1)
    c.fail("b", 0.1)

record = drive(run, plane, [control], since_s=0.4)
print(record.counts.sum(axis=(0, 1)).tolist(), record.events, record.end_ns, int(record.requests["path"].sum()))
"""


def printed(**environment: str) -> str:
    clean = {**os.environ, "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}", **environment}
    result = subprocess.run([sys.executable, "-c", SCRIPT], env=clean, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_kernel_is_plain_python_too() -> None:
    compiled = printed()
    assert printed(NUMBA_DISABLE_JIT="1") == compiled
    counts = [int(n) for n in compiled.splitlines()[1].partition("]")[0].strip("[").split(",")]
    assert min(counts[:3]) > 0  # ok, degraded and timed out: nothing was trivial
