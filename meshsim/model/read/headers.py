"""Headers of requests: what streams send and what routes match."""

from __future__ import annotations

from meshsim.model.read.cursor import NAME, Cursor


def read_headers(at: Cursor) -> dict[str, str]:
    """Read names and values, sorted by name; case makes no difference in names (RFC 9110, 5.1), it does in values."""
    found: dict[str, str] = {}
    for name, value in at.children("end-user: jason"):
        text = value.text()
        if not value.valid_name(name, NAME, "a header's name", mark=value.key_mark):
            continue
        if name.lower() in found:
            hint = "case makes no difference in names of headers: keep one of them"
            value.error("M111", f"header '{name}' is here twice", hint, value.key_mark)
        found[name.lower()] = text
    return dict(sorted(found.items()))
