"""Names for what passes over a socket: SQL's first words, an HTTP request's method and path.

Only names: which byte it was does not matter, but a point must be found again in another run.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Protocol


class Line(Protocol):
    """What a socket is used for; it is told of every write, and names it."""

    name: str  # of the last write

    def wrote(self, data: bytes) -> str: ...


@dataclass(slots=True)
class PostgresLine:
    """The frontend's half of PostgreSQL's protocol, as far as a name needs it."""

    statements: dict[str, str] = field(default_factory=dict)
    writing: str = ""  # the last statement of this transaction that changed something
    rest: bytes = b""
    name: str = "connect"

    def wrote(self, data: bytes) -> str:
        names = [name for kind, body in self._messages(data) if (name := self._name(kind, body))]
        # "prepare x" with its execution in one write is the execution.
        executed = [name for name in names if not name.startswith("prepare ")]
        self.name = next(iter(executed or names), self.name)
        return self.name

    def _messages(self, data: bytes) -> list[tuple[str, bytes]]:
        """The whole messages so far; what is left over waits for the next write."""
        found, data = [], self.rest + data
        while len(data) >= 5:
            # Before the connection stands, messages have no letter: their first byte is 0.
            letter = chr(data[0]) if data[0] else ""
            start = len(letter)
            length = int.from_bytes(data[start : start + 4]) + start
            if len(data) < length:
                break
            found.append((letter, data[start + 4 : length]))
            data = data[length:]
        self.rest = data
        return found

    def _name(self, letter: str, body: bytes) -> str | None:
        match letter:
            case "" | "p":
                return "connect"
            case "P":
                statement, sql, *_ = body.split(b"\0")
                self.statements[statement.decode()] = words(sql.decode(errors="replace"))
                return f"prepare {self.statements[statement.decode()]}"
            case "B":
                return self._executed(self.statements.get(body.split(b"\0")[1].decode(), "?"))
            case "Q":
                return self._executed(words(body.rstrip(b"\0").decode(errors="replace")))
            case "X":
                return "disconnect"
        return None

    def _executed(self, name: str) -> str:
        if name in ("BEGIN", "COMMIT", "ROLLBACK"):
            wrote, self.writing = self.writing, ""
            return f"{name} ({wrote})" if wrote and name == "COMMIT" else name
        if not name.startswith(("SELECT", "SET", "SHOW")):
            self.writing = name
        return name


@dataclass(slots=True)
class RequestLine:
    """HTTP requests that go out: head and body are written one after the other."""

    name: str = ""

    def wrote(self, data: bytes) -> str:
        head = re.match(rb"([A-Z]{3,7}) (\S+) HTTP/1", data)
        if head is None:
            return f"{self.name}, its body"
        self.name = f"{head[1].decode()} {path(head[2].decode())}"
        return self.name


@dataclass(slots=True)
class AnswerLine:
    """HTTP requests that come in: what is written are answers to what was read."""

    asked: str = ""
    answers: deque[str] = field(default_factory=deque)
    name: str = ""

    def read(self, data: bytes) -> str | None:
        head = re.match(rb"([A-Z]{3,7}) (\S+) HTTP/1", data)
        if head is not None:
            self.asked = f"{head[1].decode()} {path(head[2].decode())}"
            return self.asked
        return None

    def wrote(self, data: bytes) -> str:
        head = re.match(rb"HTTP/1.1 (\d+)", data)
        if head is None:
            return f"{self.name}, its body"
        self.name = f"{head[1].decode()} to {self.asked}"
        return self.name


_CHANGE = re.compile(
    r"\b(?:(INSERT) INTO (\w+)|(UPDATE) (\w+) SET ([\w]+)|(DELETE) FROM (\w+))", re.IGNORECASE
)
_READ = re.compile(r"\bFROM (\w+)", re.IGNORECASE)


def words(sql: str) -> str:
    """The statement's first words: what it does, and to what.

    >>> words("INSERT INTO attempts (a, b) VALUES ($1, $2)")
    'INSERT attempts'
    """
    text = " ".join(re.sub(r"--[^\n]*", " ", sql).split()).rstrip(";")
    if text.upper().startswith("BEGIN"):
        return "BEGIN"
    if "pg_notify" in text:
        return "NOTIFY"
    change = _CHANGE.search(text)
    if change is not None:
        return " ".join(part for part in change.groups() if part)
    read = _READ.search(text)
    if text.upper().startswith(("SELECT", "WITH")) and read is not None:
        lock = re.search(r"FOR (NO KEY )?(UPDATE|SHARE)\b", text, re.IGNORECASE)
        return f"SELECT {read[1]}{' ' + lock[0].upper() if lock else ''}"
    return text[:40]


def path(target: str) -> str:
    """Without query and ids, which differ from run to run."""
    parts = target.partition("?")[0].split("/")
    return "/".join("…" if re.search(r"_\w{6,}$", part) else part for part in parts)
