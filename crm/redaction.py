"""Log lines, errors and tracebacks without personal data.

What people typed reaches a log in more ways than its author thought of: in a path, in an exception's text, in the
database's description of a row. So every text is searched, and of exceptions, where values stand between quotes, only
what looks like a word of a program is kept.
"""

import re
from traceback import format_exception
from types import TracebackType
from urllib.parse import unquote

from crm.finder import masked_text
from crm.masks import HIDDEN

ExceptionInfo = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]

LONGEST = 64 * 1024  # characters of one record; nobody reads more, and an attacker would fill the disk
UNBROKEN = re.compile(r"[^\s\"'<>]+")
ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
QUERY = re.compile(r"(?<=[?&])(?P<name>[\w.\[\]-]{1,64})=(?P<value>[^&\s\"'<>#]{1,4096})")
# What PostgreSQL tells of rows: DETAIL of a unique or a check constraint, CONTEXT of COPY and of JSON.
ROW = re.compile(r"(?<=Failing row contains \()(?s:.*)(?=\))")
KEY = re.compile(r"(?<=\)=\().*(?=\))")
EXCERPT = re.compile(r"(?<=^LINE )(\d{1,12}): .*", re.MULTILINE)  # of a statement, cut in the middle of a value
INPUT = re.compile(r"(?<=, line )(\d{1,12}(?:, column \w{1,64})?):.*")
QUOTED = re.compile(r"(?<!\w)(?P<quote>[\"'`])(?P<value>(?:(?!(?P=quote)).){1,4000})(?P=quote)(?!\w)")
CODE = re.compile(r"(?=(?:\D*\d){0,3}\D*\Z)[A-Za-z_][\w.]{0,79}", re.ASCII)
FRAME = re.compile(r"[\s|+]*File \"[^\"]{1,400}\", line \d{1,7}")


def redacted(text: str) -> str:
    """Return a log message as it may be kept: personal data masked, the values of query strings hidden.

    >>> redacted("Not Found: /people/?q=Anna&page=2")
    'Not Found: /people/?q=***&page=2'
    >>> redacted("GET /%E5%BC%A0/%2B8613800138000/ 404")
    'GET /张/+86138****8000/ 404'
    """
    text = QUERY.sub(_hidden_value, text[:LONGEST])
    return masked_text(UNBROKEN.sub(_unescaped, text))


def _unescaped(found: re.Match[str]) -> str:
    """Return a run without spaces as its reader sees it; two patterns, since one would try each place anew."""
    return " ".join(unquote(found[0]).split()) if ESCAPE.search(found[0]) else found[0]


def _hidden_value(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0] if value.isdecimal() and len(value) < 5 else f"{found['name']}={HIDDEN}"


def redacted_error(text: str) -> str:
    """Return an exception's text without the values in it.

    >>> redacted_error("KeyError: '张小明'"), redacted_error("module 'crm.rights' has no attribute 'due'")
    ("KeyError: '***'", "module 'crm.rights' has no attribute 'due'")
    >>> redacted_error("DETAIL:  Key (type, value)=(phone, x-17) already exists.")
    'DETAIL:  Key (type, value)=(***) already exists.'
    """
    text = EXCERPT.sub(rf"\1: {HIDDEN}", KEY.sub(HIDDEN, ROW.sub(HIDDEN, text[:LONGEST])))
    return redacted(QUOTED.sub(_code_only, INPUT.sub(rf"\1: {HIDDEN}", text)))


def _code_only(found: re.Match[str]) -> str:
    quote = found["quote"]
    return found[0] if CODE.fullmatch(found["value"]) else f"{quote}{HIDDEN}{quote}"


def redacted_traceback(error: ExceptionInfo) -> str:
    """Return a traceback: the frames as they are, the texts of all exceptions in the chain redacted."""
    lines = "".join(format_exception(*error)).rstrip("\n")
    parts: list[tuple[bool, list[str]]] = []  # (whether these lines are of frames, the lines)
    inside = False
    for line in ROW.sub(HIDDEN, lines[: 4 * LONGEST]).split("\n"):
        # Below each frame's first line stand its source, indented further, and the marks under it.
        inside = bool(FRAME.match(line)) or (inside and line.startswith("    "))
        if not parts or parts[-1][0] != inside:
            parts.append((inside, []))
        parts[-1][1].append(line)
    return "\n".join((masked_text if frames else redacted_error)("\n".join(some)) for frames, some in parts)
