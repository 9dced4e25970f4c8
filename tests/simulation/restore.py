"""Yesterday's database again: what `twintill recover` and the sweeps are for; and webhooks that
nobody ever delivers, so that only what Stripe lists can tell of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.simulation.checks_afterwards import left_to_people
from tests.simulation.faults import GIVES_UP_S, Weather
from tests.simulation.houses import LOST, SCOPE
from tests.simulation.letters import FORGED
from twintill.domain.policy import Policy
from twintill.errors import StripeError
from twintill.flows import catch_up, compare, duties, recover, sweep_invoices
from twintill.flows.duty import Duty
from twintill.flows.find_disputes import find_disputes as find_disputes_duty
from twintill.flows.find_refunds import find_refunds as find_refunds_duty

if TYPE_CHECKING:
    from tests.simulation.world import World

_DAY_S = 86_400.0
_ROUNDS = 8  # of a day: the worker asks more often, and learns the same
_TRIES = 1000  # a storm lasts four days at most
_WITHIN = timedelta(days=400)


_FORGED_BEFORE_THE_ANSWER = f"""
    SELECT payment_id, invoice_id FROM payments JOIN attempts USING (payment_id)
    WHERE processor_payment_id LIKE '%{FORGED}%'"""


def policy(its: Policy, weather: Weather) -> Policy:
    """Where nobody knows of it, methods are dead at once: the next one is charged the same hour."""
    return replace(its, retry_pauses=()) if weather.falls_back else its


async def lose_a_day(world: World, since_s: float, until_s: float) -> None:
    """People know of it: first of all they have the lost time looked for."""
    await _restore_a_backup(world, since_s, until_s)
    await _recover(world)
    await _go_on(world)


async def fall_back(world: World) -> None:
    """Nobody knows of it, until some payment says that there was another database."""
    await _restore_a_backup(world, 1.0, world.rng.uniform(2, 4) * 3600)
    await _go_on(world)
    await asyncio.sleep(world.rng.uniform(1, 6) * 3600)
    await _recover(world)


async def _restore_a_backup(world: World, since_s: float, until_s: float) -> None:
    """At one moment it is made; at a later one it is all that is left."""
    await asyncio.sleep(since_s)
    world.trace.say("operator", "makes a backup")
    world.database.back_up()
    await asyncio.sleep(until_s - since_s)
    world.trace.say("operator", "restores the backup")
    world.restored = True
    world.rules.forgotten_until_s = world.loop.time()
    world.in_operation.clear()
    for house in (*world.workers, world.web, world.office):
        await house.kill()
    world.loop.cut(list(world.loop.lines))
    world.database.restore()
    world.trace.alarm.set()  # what was paused then is paused again
    world.dispatcher.forget()
    world.mirrored.clear()
    world.open_office()


async def _go_on(world: World) -> None:
    await world.restart_web()
    world.in_operation.set()
    await _until_it_ends(world, catch_up.compare_events)
    await _until_it_ends(world, sweep_invoices.sweep_invoices)
    if world.weather.disputes:
        await find_disputes(world)
    if world.weather.deaf_s == GIVES_UP_S:
        await look_for_what_was_not_delivered(world)


async def compare_with_both_sides(world: World) -> None:
    """`twintill verify --remote`, when all are at rest: it finds nothing that no person has."""
    means = world.office.means
    walk = await compare.begin(means, _WITHIN)
    while walk.part is not compare.Part.DONE:
        walk = await compare.step(means, SCOPE, walk)
    theirs = left_to_people(world)
    for row in world.database.fetch(_FORGED_BEFORE_THE_ANSWER):
        if row["invoice_id"] in world.rules.agreed:  # he was told of it, and let it go on
            theirs.add(row["payment_id"])
    for found in walk.differences:
        told = _by_hand_beside_ours(world, found) or _approved_in_the_lost_time(world, found)
        if found["payment_id"] not in theirs and not told:
            world.trace.blame(f"verify --remote: {found['invoice_id']}: {found['says']}")


def _by_hand_beside_ours(world: World, found: Mapping[str, Any]) -> bool:
    """Marked as paid by hand where our reference stood, perhaps because of it: nobody can tell."""
    its = world.stripe.invoices.get(found["invoice_id"] or "")
    return found["kind"] == "reported_there" and its is not None and its.paid_by_hand_minor > 0


def _approved_in_the_lost_time(world: World, found: Mapping[str, Any]) -> bool:
    """After a decline that is known: nobody tells of it again; only this comparison finds it."""
    its = world.rules.of(found["invoice_id"] or "")
    return world.restored and any(charge.id in bank.late for bank, charge in its)


async def _recover(world: World) -> None:
    """As the command does it; people repeat it until both sides could be read."""
    means = world.office.means
    while True:
        incomplete = False
        try:
            await recover.hold(means, SCOPE)
            async for page in recover.pages(means, SCOPE, _WITHIN):
                for found in page.findings:
                    world.trace.say("recover", f"{found.invoice_id} {found.said}")
                incomplete = incomplete or any(f.incomplete for f in page.findings)
            if not incomplete:
                await recover.let_go(means, SCOPE)
                return
        except (StripeError, *LOST) as error:
            world.trace.say("recover", f"{type(error).__name__}: again")
        await asyncio.sleep(600)


async def look_for_what_was_not_delivered(world: World) -> None:
    """The duties, for as long as webhooks are lost and a day more."""
    compares = {"compare_events": catch_up.compare_events}
    await duties.begin(world.office.means, compares)  # it is rung by the other one
    cursor: Mapping[str, Any] = {}
    for n in range(1, 4 * _ROUNDS + 1):
        await asyncio.sleep(_DAY_S / _ROUNDS)
        ran = await _run(world, catch_up.catch_up, cursor)
        cursor = cursor if ran is None else ran
        if n % _ROUNDS == 0:
            await _until_it_ends(world, sweep_invoices.sweep_invoices)


async def find_disputes(world: World) -> None:
    """The day's duty, until it could ask every processor."""
    await asyncio.sleep(world.rng.random() * _DAY_S)
    await _ask_all(world, find_disputes_duty, set(world.banks))


async def find_refunds(world: World, after_s: float) -> None:
    """The same for refunds, at those that can list them."""
    await asyncio.sleep(after_s)
    able = {name for name, bank in world.banks.items() if bank.kind.capabilities().finds_refunds}
    await _ask_all(world, find_refunds_duty, able)


async def _ask_all(world: World, duty: Duty, banks: set[str]) -> None:
    cursor: Mapping[str, Any] = {}
    for _ in range(_TRIES):
        ran = await _run(world, duty, cursor)
        cursor = cursor if ran is None else ran
        if "todo" not in cursor and set(cursor.get("since", {})) == banks:
            return
        await asyncio.sleep(600 if ran is None or "todo" not in cursor else 1)
    raise AssertionError("some processor never listed them")


async def _until_it_ends(world: World, duty: Duty) -> None:
    cursor: Mapping[str, Any] = {}
    for _ in range(_TRIES):
        ran = await _run(world, duty, cursor)
        if ran is None:
            await asyncio.sleep(600)
            continue
        before, cursor = cursor, ran
        if cursor.get("ended_at") or cursor == before or (before and not cursor):
            return
        await asyncio.sleep(60)


async def _run(world: World, duty: Duty, cursor: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Where it goes on; None: it failed, and is tried again."""
    try:
        ran = await duty(world.office.means, SCOPE, cursor)
    except (StripeError, *LOST) as error:
        world.trace.say("duty", f"{type(error).__name__}: later")
        return None
    finally:
        world.dispatcher.stirred()
    return ran.cursor
