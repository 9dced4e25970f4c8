"""What must be true after a crash: one charge, one report, books that agree, nothing forgotten."""

from collections import Counter
from typing import Any

from tests.crash.cases import Case
from tests.crash.stage import Stage
from tests.flows.world import SCOPE
from twintill.flows.verify import verify_books

AMOUNT_MINOR = 4900


async def at_death(stage: Stage) -> list[str]:
    """Law 1, before anybody mends anything: what the processor has, our books know was meant."""
    meant = {row[0] for row in await stage.ask("SELECT reference FROM attempts")}
    return [
        f"the processor charged {charge['reference']}, and no intent was committed before"
        for charge in await _charges(stage)
        if charge["reference"] not in meant
    ]


async def at_the_end(stage: Stage, case: Case) -> list[str]:
    """Everything that is wrong; nothing, when the crash was boring."""
    return [
        *await _the_processor(stage, case),
        *await _stripe(stage, case),
        *await _our_books(stage, case),
        *await _the_rules(stage),
        *(f"left over: {row}" for row in await stage.unfinished()),
        *_the_app(stage, case),
    ]


async def deliveries_kept(stage: Stage) -> list[str]:
    """What a door has answered 2xx to is in the inbox, whatever happened after that."""
    told = (await stage.world.stripe.get("/_sandbox/deliveries")).json()["data"]
    heard = {row[0] for row in await stage.ask("SELECT dedupe_key FROM inbox")}
    return [
        f"{d['event_id']} was answered 2xx, and is lost"
        for d in told
        if d["state"] == "delivered" and d["event_id"] not in heard
    ]


async def _the_processor(stage: Stage, case: Case) -> list[str]:
    made = [c for c in await _charges(stage) if c["status"] == "succeeded"]
    amounts = [charge["amount"] for charge in made]
    if amounts != [AMOUNT_MINOR] * case.charges:
        return [f"the processor charged {amounts}, and not {case.charges} x {AMOUNT_MINOR}"]
    state = (await stage.world.processor.get("/_sandbox/state")).json()
    returned = [refund["amount"] for refund in state["refunds"] if refund["status"] != "failed"]
    if returned != [AMOUNT_MINOR] * case.refunded:
        return [f"the processor gave back {returned}, and not {case.refunded} x {AMOUNT_MINOR}"]
    return []


async def _stripe(stage: Stage, case: Case) -> list[str]:
    calls = (await stage.world.stripe.get("/_sandbox/requests")).json()["data"]
    pays = [c for c in calls if c["path"].endswith("/pay") and c["status"] == 200]
    objects = (await stage.world.stripe.get("/_sandbox/state")).json()["objects"]
    paid = [i for i in objects.get("invoice", ()) if i["status"] == "paid"]
    wrong = []
    if len(pays) != case.reported:
        wrong.append(f"Stripe was told {len(pays)} times that an invoice is paid")
    if len(paid) != case.reported:
        wrong.append(f"Stripe shows {len(paid)} invoices as paid, and not {case.reported}")
    for kind in ("customer", "subscription", "invoice"):
        made = len(objects.get(kind, ()))
        if made > max(1, case.charges):
            wrong.append(f"Stripe has {made} of {kind}")
    return wrong


async def _our_books(stage: Stage, case: Case) -> list[str]:
    states = [row[0] for row in await stage.ask("SELECT state FROM payments")]
    reported = case.reported * AMOUNT_MINOR
    collected = (case.charges - case.refunded) * AMOUNT_MINOR
    wrong = []
    ends = (states.count("reported"), states.count("refunded"))
    if ends != (case.reported, case.refunded):
        wrong.append(f"the payments are {states}")
    balances = {k: v for k, v in (await stage.world.balances()).items() if v}
    expected = {"processor:acct_sandbox:clearing": collected, "stripe:reported": -reported}
    if balances != {k: v for k, v in expected.items() if v}:
        wrong.append(f"the ledger says {balances}")
    return wrong


async def _the_rules(stage: Stage) -> list[str]:
    """What `twintill verify` checks."""
    means = stage.world.means
    report, _ = await verify_books(means.database, SCOPE, means.policy)
    return [
        f"{name}: {finding.object_id} {finding.detail}"
        for name, broken in report.items()
        for finding in broken.findings
    ]


def _the_app(stage: Stage, case: Case) -> list[str]:
    """It drops by id what comes twice; the same thing under two ids would be acted on twice."""
    heard = stage.users_app.events
    ids = {event["id"]: (event["type"], event["data"]["id"]) for event in heard}
    counted = Counter(ids.values())
    twice = [f"the user's app heard {n} different {t}" for t, n in counted.items() if n > 1]
    if case.reported and not counted:
        return ["the user's app was told nothing"]
    return twice


async def _charges(stage: Stage) -> list[dict[str, Any]]:
    state = (await stage.world.processor.get("/_sandbox/state")).json()
    charges: list[dict[str, Any]] = state["charges"]
    return charges
