"""`twintill resolve`: a person says what became of an attempt that nobody answered."""

import asyncio
import getpass
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from twintill.domain.facts import Evidence
    from twintill.flows.person import Resolved, Word
    from twintill.settings import Settings

Payment = Annotated[str, typer.Argument(help="pay_..., as `twintill payments parked` lists it.")]
Charged = Annotated[
    str | None, typer.Option(help="It was charged: the processor's id of that payment.")
]
NotCharged = Annotated[bool, typer.Option("--not-charged", help="It never was, and never will be.")]
Why = Annotated[str, typer.Option(help="What was found, and where; kept in its history.")]
Proof = Annotated[
    str | None,
    typer.Option(
        "--evidence",
        metavar="FILE|URL",
        help="What you go by: a file's name and SHA-256 are kept (not the file), or the address.",
    ),
]
AttemptId = Annotated[
    str | None, typer.Option("--attempt", help="Refuse unless it is this att_... that is open.")
]
WithoutAsking = Annotated[
    bool,
    typer.Option("--without-asking", help="Also if the processor cannot be asked right now."),
]
EvenThough = Annotated[
    bool,
    typer.Option(
        "--even-though-it-may-arrive",
        help="Not charged, although the key's window is open: the next charge waits for its end.",
    ),
]


def resolve(
    payment_id: Payment,
    *,
    why: Why,
    charged: Charged = None,
    not_charged: NotCharged = False,
    evidence: Proof = None,
    attempt: AttemptId = None,
    without_asking: WithoutAsking = False,
    even_though_it_may_arrive: EvenThough = False,
) -> None:
    """Say what became of a charge in doubt, after looking at the processor.

    The processor is asked once more, and what it shows comes before what you say: an id of another
    amount, of another invoice, or unknown there is refused, and so is "not charged" while the
    request may still arrive. After "not charged" the invoice is charged anew, under a new key.
    Who, why and evidence are written into the payment's history. Safe to repeat.

    `twintill payments show pay_...` tells all that is known, and the exact command.

    Example: `twintill resolve pay_4c1e... --charged ch_77ab --why "in their dashboard" --evidence
    export.csv`
    """
    from twintill.cli.embedded import with_database
    from twintill.cli.logs import configure_logs
    from twintill.flows.person import Word
    from twintill.settings import read_settings

    if (charged is not None) == not_charged:
        raise typer.BadParameter("say either --charged ID or --not-charged")
    word = Word(
        charged=charged,
        why=why,
        actor=f"person:{getpass.getuser()}",
        evidence=_evidence(evidence),
        attempt_id=attempt,
        without_asking=without_asking,
        even_though_it_may_arrive=even_though_it_may_arrive,
    )
    given = read_settings()
    configure_logs(given.log_level)
    with with_database(given) as settings:
        print(asyncio.run(_resolve(settings, payment_id, word)))


async def _resolve(settings: "Settings", payment_id: str, word: "Word") -> str:
    from twintill.app import open_means
    from twintill.flows import person

    async with open_means(settings, pool_size=2) as means:
        return _told(await person.resolve(means, means.scope, payment_id, word))


def _told(resolved: "Resolved") -> str:
    attempt, payment = resolved.attempt, resolved.payment
    if resolved.known_before:
        return f"Known before: {attempt.id} is {attempt.outcome}. Nothing was changed."
    if resolved.learned_instead:
        first = f"The processor knows better ({resolved.heard}): {attempt.id} is {attempt.outcome}."
    else:
        first = f"Taken ({resolved.heard}): {attempt.id} is {attempt.outcome}."
    if payment.parked_why is not None:
        rest = f"still waits for a person: {payment.parked_why}"
    elif payment.ended:
        rest = f"has ended ({payment.state})"
    else:
        at = payment.next_look_at
        rest = f"is {payment.state}" + (f", looked at next {at:%Y-%m-%d %H:%M} UTC" if at else "")
    return f"{first} {payment.id} {rest}."


def _evidence(given: str | None) -> "Evidence | None":
    """Raises BadParameter for a file that cannot be read."""
    from twintill.domain.facts import Evidence

    if given is None:
        return None
    if given.startswith(("https://", "http://")):
        return Evidence(given)
    try:
        content = Path(given).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"--evidence {given}: {error.strerror}") from None
    return Evidence(Path(given).name, hashlib.sha256(content).hexdigest())
