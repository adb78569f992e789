"""The derived statistics of Twitter's clusters: attributed, and with the quartiles that their header tells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

FILE = Path(__file__).parents[2] / "topologies" / "data" / "twitter-2020-clusters.csv"
LINES = FILE.read_text(encoding="utf-8").splitlines()
HEADER = " ".join(line.lstrip("# ") for line in LINES if line.startswith("#"))
ROWS = list(csv.DictReader(line for line in LINES if not line.startswith("#")))
COLUMNS = ("zipf_exponent", "object_bytes", "write_share")


def test_it_says_whose_it_is_and_what_was_changed() -> None:
    for words in ("github.com/twitter/cache-trace", "CC BY 4.0", "Yang", "OSDI 2020", "Changed:"):
        assert words in HEADER


def test_rows_are_those_of_the_source() -> None:
    """Copied by hand from stat/2020Mar.md: key and value size, operations, Zipf alpha."""
    rows = {row["cluster"]: tuple(float(row[name]) for name in COLUMNS) for row in ROWS}
    assert len(rows) == 51 and not {"5", "43", "46"} & set(rows)
    assert rows["52"] == (1.2117, 20 + 273, 0.0606)  # get:0.91 add:0.04 gets:0.02 cas:0.02, of 0.99
    assert rows["14"] == (1.2959, 96 + 414, 0.35)  # get:0.65 delete:0.22 set:0.13
    assert rows["47"] == (2.0637, 44 + 267, 0.0)


def _quartiles(rows: list[dict[str, str]]) -> str:
    """As the header tells them."""
    exponent, size, share = (np.quantile([float(row[name]) for row in rows], [0.25, 0.5, 0.75]) for name in COLUMNS)
    told = [f"{x:.3f}" for x in exponent], [f"{x:.1f}" for x in size], [f"{x:.1%}" for x in share]
    return "exponent {}; bytes {}; writes {}.".format(*(", ".join(numbers) for numbers in told))


def test_the_header_tells_the_quartiles() -> None:
    assert f"of the 51: {_quartiles(ROWS)}" in HEADER
    above = [row for row in ROWS if float(row["zipf_exponent"]) > 0]
    assert f"of the {len(above)} with an exponent above 0: {_quartiles(above)}" in HEADER
