"""A connection to a mail server that says in which phase it broke, and that no answer can keep busy for ever."""

import re
import smtplib
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from campaigns.channels.smtp_codes import Phase

LONGEST_REPLY, MOST_LINES = 2048, 50  # signs of a line, lines of one answer
CRLF_DOT = b".\r\n"
LINE_ENDS = re.compile(rb"\r\n|\r|\n")


class Broken(Exception):
    """The connection broke, timed out or answered what is no answer; the message is a code of ours."""


@dataclass(frozen=True, kw_only=True)
class Login:
    """How an account's mail server is reached."""

    host: str
    port: int
    security: str  # "starttls", "tls" or "none"
    username: str
    password: str
    helo: str
    timeout: float  # seconds to connect and for each answer
    end_timeout: float  # seconds for the answer to a whole message (RFC 5321, section 4.5.3.2.6, gives 10 minutes)


class Refused(Exception):
    """The server's own answer, where it is not the wished one."""

    def __init__(self, phase: Phase, code: int, text: str) -> None:
        super().__init__(code)
        self.phase, self.code, self.text = phase, code, text


class Connection(smtplib.SMTP):
    """An open connection; ``phase`` is how far the present message has come."""

    phase = Phase.OPEN
    used = 0
    idle_since = 0.0

    @property
    def wire(self) -> socket.socket:
        if self.sock is None:
            raise Broken("closed")
        return self.sock

    def getreply(self) -> tuple[int, bytes]:
        """Return the server's next answer; :class:`Broken` where none comes in time, or it is none, or has no end."""
        if self.file is None:
            self.file = self.wire.makefile("rb")
        ends = time.monotonic() + (self.wire.gettimeout() or 60)
        lines: list[bytes] = []
        try:
            while time.monotonic() < ends and len(lines) < MOST_LINES:
                line = self.file.readline(LONGEST_REPLY + 1)
                if not line.endswith(b"\n"):
                    raise Broken("closed" if len(line) <= LONGEST_REPLY else "garbage")
                if not re.match(rb"[2-5]\d\d(?:[ -].*)?\r?\n$", line, re.DOTALL):
                    raise Broken("garbage")
                lines.append(line[4:].strip())
                if line[3:4] != b"-":
                    return int(line[:3]), b"\n".join(lines)
        except TimeoutError as error:
            raise Broken("timeout") from error
        except OSError as error:
            raise Broken("closed") from error
        raise Broken("garbage" if len(lines) >= MOST_LINES else "timeout")

    def put(self, data: bytes) -> None:
        try:
            self.wire.sendall(data)
        except TimeoutError as error:
            raise Broken("timeout") from error
        except OSError as error:
            raise Broken("closed") from error

    def ask(self, command: str, phase: Phase, wanted: int) -> str:
        """Send a command and return the text of the wished answer; :class:`Refused` where it is another."""
        self.phase = phase
        if "\r" in command or "\n" in command:
            raise ValueError("A command is one line.")
        self.put(f"{command}\r\n".encode("utf-8" if self.has_extn("smtputf8") else "ascii"))
        return self.expect(phase, wanted)

    def give(self, sender: str, to: str, mail: bytes, options: str, end_timeout: float) -> str:
        """Give one message for one address to the server; return its answer to the whole."""
        size = f" SIZE={len(mail)}" if self.has_extn("size") else ""
        self.ask(f"MAIL FROM:<{sender}>{size}{options}", Phase.SENDER, 250)
        self.ask(f"RCPT TO:<{to}>", Phase.RECIPIENT, 250)
        self.ask("DATA", Phase.DATA, 354)
        self.put(stuffed(mail))
        # Until this line the server cannot take the message; from it on, only its answer says whether it did.
        self.phase = Phase.END
        before = self.wire.gettimeout()
        self.wire.settimeout(end_timeout)
        self.put(CRLF_DOT)
        answer = self.expect(Phase.END, 250)
        self.wire.settimeout(before)
        return answer

    def expect(self, phase: Phase, wanted: int) -> str:
        code, text = self.getreply()
        said = text.decode("utf-8", "replace")
        if code != wanted and not (wanted == 250 and 250 <= code <= 252):
            raise Refused(phase, code, said)
        return said


def stuffed(mail: bytes) -> bytes:
    r"""Return a message as it goes over the wire: lines end in CRLF, and a dot that begins one is doubled.

    Lone CR and LF become CRLF too: what servers take for the end of a message must be ours alone.

    >>> stuffed(b"a\n.b\r.\r\n")
    b'a\r\n..b\r\n..\r\n'
    """
    lines = LINE_ENDS.sub(b"\r\n", mail)
    lines = lines if lines.endswith(b"\r\n") else lines + b"\r\n"
    return re.sub(rb"(?m)^\.", b"..", lines)


def connect(login: Login, tls: ssl.SSLContext | None = None) -> Connection:
    """Open a connection and log in.

    Raises
    ------
    Broken, Refused
        It is the network's fault, or the server's answer.
    """
    made = Connection(timeout=login.timeout, local_hostname=login.helo)
    try:
        _open(made, login, tls or ssl.create_default_context())
    except (smtplib.SMTPException, OSError) as error:
        made.close()
        raise _named(error) from error
    except (Refused, Broken):
        made.close()
        raise
    made.idle_since = time.monotonic()
    return made


def _open(made: Connection, login: Login, context: ssl.SSLContext) -> None:
    made._host = login.host  # type: ignore[attr-defined]  # whose certificate smtplib's own STARTTLS wants to see
    made.sock = socket.create_connection((login.host, login.port), login.timeout)
    made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if login.security == "tls":
        made.sock = context.wrap_socket(made.sock, server_hostname=login.host)
    made.expect(Phase.OPEN, 220)
    _hello(made)
    if login.security == "starttls":
        made.starttls(context=context)  # raises where the server offers none: never in the open instead
        _hello(made)
    if login.username:
        made.login(login.username, login.password)


def _named(error: Exception) -> Exception:
    """Return what a fault while opening is, as one of ours."""
    match error:
        case smtplib.SMTPResponseException():
            return Refused(Phase.OPEN, error.smtp_code, str(error.smtp_error))
        case smtplib.SMTPException():
            return Refused(Phase.OPEN, 530, type(error).__name__)
        case ssl.SSLError():
            return Broken("tls")
        case TimeoutError():
            return Broken("timeout")
        case _:
            return Broken("unreachable")


def login_of(settings: Mapping[str, Any], secrets: Mapping[str, Any]) -> Login:
    """Return an account's settings and secrets as a log-in."""
    security = str(settings.get("security") or "starttls")
    return Login(
        host=str(settings["host"]),
        port=int(settings.get("port") or {"tls": 465}.get(security, 587)),
        security=security,
        username=str(secrets.get("username") or ""),
        password=str(secrets.get("password") or ""),
        helo=str(settings.get("helo") or str(settings["from_email"]).rpartition("@")[2]),
        timeout=float(settings.get("timeout") or 10),
        end_timeout=float(settings.get("end_timeout") or 60),
    )


def _hello(made: Connection) -> None:
    code, text = made.ehlo()
    if not 200 <= code < 300:
        raise Refused(Phase.OPEN, code, text.decode("utf-8", "replace"))
