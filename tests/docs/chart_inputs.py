"""Files that the commands of docs/charts.md draw: of sweeps, of points of caches, and a topology with an incident."""

from __future__ import annotations

from pathlib import Path

HEAD = "architecture,run.load,services.ratings.replicas,verdict,p99_s,p99_s_low,p99_s_high"
TABLE = f"{HEAD},goodput_per_s,goodput_per_s_low,goodput_per_s_high\nnone,1,1,ok,0.1,0.09,0.12,9,8,10\n"
CURVE = """capacity,architecture,cache,verdict,hit_ratio,hit_ratio_low,hit_ratio_high,mean_s,mean_s_low,mean_s_high,\
step_from,point_cost,entries_per_point,entries_per_point_low,entries_per_point_high,cores_per_point
100,gateway,gateway.gateway,ok,0.2,0.19,0.21,0.01,0.009,0.011,,,,,,
300,gateway,gateway.gateway,ok,0.4,0.39,0.41,0.009,0.008,0.011,100,bounded,10,9,12,0.02
"""
INCIDENT = """\
meshsim: 1
services: {web: {endpoints: {get: [{work: 1ms}]}}}
traffic: [{name: web, entry: web.get, arrivals: {poisson: 100/s}}]
run: {warmup: 100ms}
events: [{name: down, at: 500ms, for: 200ms, fault: {dependency_down: {service: web}}}]
"""


def write(folder: Path) -> None:
    """Write all of them into a folder."""
    import pandas as pd

    (folder / "sweep.csv").write_text(TABLE, encoding="utf-8")
    (folder / "curve.csv").write_text(CURVE, encoding="utf-8")
    (folder / "incident.yaml").write_text(INCIDENT, encoding="utf-8")
    table, curve = pd.read_csv(folder / "sweep.csv"), pd.read_csv(folder / "curve.csv")
    table.to_parquet(folder / "grid.parquet")
    pd.concat([table, table.assign(**{"run.load": 2})]).to_parquet(folder / "drawn.parquet")
    by_replicas = pd.concat([curve.assign(replicas=n) for n in (1, 2)])
    by_replicas[["replicas", *curve.columns]].to_csv(folder / "grid.csv", index=False)
