"""What intake says of an event: done, ignored with the reason, or parked for a person."""

from typing import NamedTuple


class Verdict(NamedTuple):
    """`state` as in the inbox table; `note` says why to whoever reads the inbox."""

    state: str
    note: str | None = None


DONE = Verdict("done")


def ignored(why: str) -> Verdict:
    return Verdict("ignored", why)


def parked(why: str) -> Verdict:
    return Verdict("parked", why)
