"""A request to the stub, and its answer."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    raw: bytes
    ip: str
    content_type: str = ""


@dataclass(frozen=True)
class Reply:
    """An answer, or how the connection ends without one (`cut`: hold or reset)."""

    body: bytes
    status: int = 200
    content_type: str = "application/json; charset=utf-8"
    cut: str = ""
    seconds: float = 0.0
