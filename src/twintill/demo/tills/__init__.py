"""The processors that the main story can be played with, by the name of their sandbox."""

from collections.abc import Mapping

from twintill.demo.tills.gocardless import GoCardlessTill
from twintill.demo.tills.paypal import PayPalTill
from twintill.demo.tills.sandbox import SandboxTill
from twintill.demo.tills.till import Till, TillBook, Words
from twintill.demo.trouble import DemoError

SANDBOX = "sandbox"
TILLS: Mapping[str, Till] = {
    till.name: till for till in (SandboxTill(), PayPalTill(), GoCardlessTill())
}


def till_of(processor: str, act: int) -> Till:
    """Raises DemoError where the story cannot be played like that."""
    if processor not in TILLS:
        known = ", ".join(sorted(TILLS))
        raise DemoError(f"There is no processor {processor!r} to play with: choose one of {known}.")
    if act != 1 and processor != SANDBOX:
        raise DemoError(
            f"Act {act} is played with the sandbox processor alone: leave the processor out, "
            f"or play act 1 with {processor}."
        )
    return TILLS[processor]


__all__ = ["SANDBOX", "TILLS", "Till", "TillBook", "Words", "till_of"]
