"""No number of the text is typed by hand: what typst's sources may say, and what they must not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from paper.told import Told

#: Names with a digit in them, which are no numbers.
NAMES: Final = ("p50", "p99", "M/M/1", "M/G/1", "M/M/c", "HTTP/2", "L4", "L7", "v1", "sha256", "SplitMix64")
_CALL = re.compile(r'#(n|w|fact|tab|fig|claim)\("([^"]*)"')
_COMMENT = re.compile(r"^\s*//.*$|(?<=\s)//.*$", re.MULTILINE)
_CODE = re.compile(r"`[^`]*`")
_REFERENCE = re.compile(r"@[\w.:-]+|<[\w.:-]+>")
_DIGIT = re.compile(r"\S*\d\S*")
_SPELLED = re.compile(
    r"\b(one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|fifty|hundred|thousand|half|twice)\s+"
    r"(per cent|percent|times|points|milliseconds|seconds|dollars|cores)\b"
)
_EATEN = re.compile(r'(#(?:n|w|fact)\("[^"]*"\)|\]);')
_KINDS: Final = {"n": "number", "w": "word", "fact": "fact", "tab": "table", "claim": "claim"}


def sources(folder: Path) -> dict[str, str]:
    """Text of the sections by name of the file; the template has no prose."""
    found = sorted((folder / "sections").glob("*.typ"))
    return {path.name: path.read_text(encoding="utf-8") for path in found}


def uses(text: str) -> Iterator[tuple[str, str]]:
    """What the text takes from the runs: kind and key."""
    for match in _CALL.finditer(_COMMENT.sub("", text)):
        yield match[1], match[2]


def typed_numbers(text: str) -> list[str]:
    """Words with a digit, or quantities in words, that no run, fact or reference stands behind.

    Examples
    --------
    >>> typed_numbers('It takes #n("tail.p99") at p99, as @dean2013 says, or 31 ms, two per cent of it.')
    ['31', 'two per cent']
    """
    bare = _COMMENT.sub("", text)
    bare = re.sub(r'#import "[^"]*": \*', "", bare)
    bare = re.sub(r'#(n|w|fact)\("[^"]*"\)', "", bare)
    bare = re.sub(r'#(tab|fig|claim)\("[^"]*"', "", bare)
    bare = _REFERENCE.sub("", _CODE.sub("", bare))
    for name in NAMES:
        bare = re.sub(rf"(?<![\w.]){re.escape(name)}(?![\w])", "", bare)
    spelled = [match[0] for match in _SPELLED.finditer(bare)]
    return [word.strip(".,;:()[]") for word in _DIGIT.findall(bare)] + spelled


def mistakes(told: Told, texts: Mapping[str, str], facts: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Everything in which the text and what stands behind it disagree."""
    known = {"n": told.numbers, "w": told.words, "tab": told.tables, "claim": told.claims, "fact": facts}
    wrong, used = [], set()
    for file, text in texts.items():
        wrong += [f"{file}: '{word}' is typed by hand" for word in typed_numbers(text)]
        wrong += [f"{file}: typst eats the ';' after {match[1]}: write '\\;'" for match in _EATEN.finditer(text)]
        for kind, key in uses(text):
            used.add((kind, key))
            if kind in known and key not in known[kind]:
                wrong.append(f"{file}: there is no {_KINDS[kind]} '{key}'")
    wrong += [f"the claim '{key}' is used nowhere" for key in told.claims if ("claim", key) not in used]
    wrong += [f"the table '{key}' is used nowhere" for key in told.tables if ("tab", key) not in used]
    wrong += [f"the fact '{key}' is used nowhere" for key in facts if ("fact", key) not in used]
    wrong += [f"the fact '{key}' has no origin" for key, fact in facts.items() if not fact.get("origin")]
    return wrong


def cited(texts: Mapping[str, str]) -> set[str]:
    """Keys of all references of the text."""
    return {key.rstrip(".:") for text in texts.values() for key in re.findall(r"@([\w.:-]+)", _COMMENT.sub("", text))}
