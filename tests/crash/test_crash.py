"""A slice of `make crash`: the deaths that cost money elsewhere, on real processes."""

import asyncio
from pathlib import Path

import pytest

from tests.crash import points
from tests.crash.cases import CASES
from tests.crash.crew import hired
from tests.crash.victim import AFTER, BEFORE, POSTGRES, READ, SENDER, Point
from tests.postgres import Databases

PAY = "POST /v1/invoices/…/pay"
DEATHS = [
    ("collect", Point(BEFORE, POSTGRES, "COMMIT (INSERT attempts)", 1)),
    ("collect", Point(AFTER, POSTGRES, "COMMIT (INSERT attempts)", 1)),
    ("collect", Point(AFTER, "processor", "POST /v1/charges, its body", 1)),
    ("collect", Point(READ, "processor", "answer to POST /v1/charges", 1)),
    ("collect", Point(AFTER, "Stripe", f"{PAY}, its body", 1)),
    ("collect", Point(READ, "Stripe", f"answer to {PAY}", 1)),
    ("collect-blind", Point(AFTER, "processor", "POST /v1/charges, its body", 1)),
    ("replay", Point(AFTER, "processor", "POST /v1/charges, its body", 1)),
    ("stripe-webhook", Point(BEFORE, SENDER, "200 to POST /webhooks/stripe", 1)),
    ("sign-up", Point(AFTER, "Stripe", "POST /v1/subscriptions, its body", 1)),
]


@pytest.mark.timeout(300)  # twenty processes are started, one after the other or two at a time
async def test_a_death_there_leaves_one_charge_one_report_and_nothing_forgotten(
    databases: Databases, tmp_path: Path
) -> None:
    cases = {case.name: case for case in CASES}
    two = asyncio.Semaphore(2)
    async with hired() as crew:

        async def die(number: int, name: str, point: Point) -> points.Verdict:
            async with two:
                here = tmp_path / str(number)
                return await points.play(databases, crew, cases[name], point, here)

        verdicts = await asyncio.gather(*(die(n, *death) for n, death in enumerate(DEATHS)))
    assert [(v.point, v.reached, v.wrong) for v in verdicts] == [
        (point, True, ()) for _, point in DEATHS
    ]
