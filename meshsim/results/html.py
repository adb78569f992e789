"""How results show themselves in a notebook: small tables, every text escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from meshsim.results import report
from meshsim.results.story import incident_line, story
from meshsim.results.text import amount, duration_interval, number, percent, percent_interval, size

if TYPE_CHECKING:
    from meshsim.results.comparison import Comparison
    from meshsim.results.result import Result


def result(of: Result) -> str:
    """A `Result`: verdict, objectives, latencies, services."""
    objectives = [report.judgement(name, judged) for name, t in of.by_tenant.items() for judged in t.objectives]
    services = [
        [name, s.role, percent(s.utilization.value), number(s.cpu_s), size(s.memory_bytes), f"{s.requests:,}"]
        for name, s in of.by_service.items()
    ]
    latencies = [[name, duration_interval(estimate)] for name, estimate in of.latency_s.items()]
    latencies.append(["availability", percent_interval(of.availability)])
    latencies.append(["proxies", f"{amount(of.proxies.cores.estimate, 'cores')}, {size(of.proxies.memory_bytes)}"])
    return _div(
        f"<b>{escape(report.headline(of.manifest, of.architecture))}</b>",
        _sentences([*_incident(of), f"verdict: {of.outcome}", *of.verdict.notes]),
        _story(of),
        plain_table(["", "objective", "measured"], objectives) if objectives else "",
        plain_table(["quantity", "± interval"], latencies),
        "<details><summary>services</summary>"
        + plain_table(["service", "role", "utilization", "CPU s", "memory", "requests"], services)
        + "</details>",
        f"<code>{escape(of.manifest.command)}</code>",
    )


def _incident(of: Result) -> list[str]:
    return [] if of.timeline is None else [line for line in [incident_line(of.timeline)] if line]


def _story(of: Result) -> str:
    """What happened, as text says it."""
    lines = [] if of.timeline is None else story(of.timeline)
    return f"<pre>{escape(chr(10).join(lines).rstrip())}</pre>" if lines else ""


def comparison(of: Comparison) -> str:
    """A `Comparison`: verdict, a row an architecture, the differences as sentences."""
    return _div(
        f"<b>{escape(of.headline())}</b>",
        _sentences(of.verdict),
        *(plain_table(rows[0], rows[1:]) for rows in of.tables()),
        _sentences(of.sentences()),
    )


def tables(headline: str, parts: Sequence[Sequence[Sequence[str]]], sentences: Sequence[str], command: str) -> str:
    """Tables under a headline, each with the names of its columns first."""
    return _div(
        f"<b>{escape(headline)}</b>",
        *(plain_table(rows[0], rows[1:]) for rows in parts),
        _sentences(sentences),
        f"<code>{escape(command)}</code>",
    )


def _div(*parts: str) -> str:
    return "<div>" + "".join(part for part in parts if part) + "</div>"


def _sentences(texts: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """HTML table of texts."""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
