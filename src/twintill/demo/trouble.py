"""What ends the demo early: each is told in a sentence, never as a traceback."""

from twintill.errors import TwintillError


class DemoError(TwintillError):
    """The demo did not end as it should."""


class ProcessDied(DemoError):
    """One of the demo's processes ended by itself; the message holds the tail of its log."""


class StoryBroken(DemoError):
    """Something that the story promises did not happen, or not in time."""


class AlreadyRunning(DemoError):
    """Another demo plays in this folder."""


class Interrupted(DemoError):
    """Ctrl-C, or a SIGTERM."""


def expect(held: object, otherwise: str) -> None:
    """What the story promises; raises StoryBroken with what was found instead."""
    if not held:
        raise StoryBroken(otherwise)
