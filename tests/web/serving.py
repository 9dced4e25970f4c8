"""The whole API on a port of its own, in a thread: for clients that know nothing of our loop."""

import asyncio
import contextlib
import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

from tests.flows import drafting, signing_up
from tests.flows.world import SCOPE, World, running_world
from tests.postgres import Database
from tests.web.conftest import open_test_doors
from twintill.domain.hand import HandKind
from twintill.flows import by_hand, endpoints
from twintill.flows.by_hand import Word
from twintill.flows.outbound import Outbound
from twintill.sandbox.serve import running
from twintill.store import api_keys, methods, outgoing_deliveries
from twintill.store.listing import Page
from twintill.store.tables import payments
from twintill.web.frame import create_app


@dataclass(frozen=True)
class Served:
    """Its address, the headers of a caller who may do everything, and what is there."""

    url: str
    headers: dict[str, str]
    known: dict[str, list[str]]  # by the name of a path's parameter


@contextlib.contextmanager
def serving(database: Database) -> Iterator[Served]:
    """A populated small world behind real HTTP, while the block runs."""
    ready: queue.Queue[Served | BaseException] = queue.Queue()
    over = threading.Event()

    async def serve() -> None:
        async with running_world(database, signing_up.PATIENCE_S) as quiet:
            telling = replace(quiet.means, tells_app=True, outbound=_HERE)
            world = replace(quiet, means=telling)
            app = create_app(open_test_doors(world.means))
            async with running(app) as url:
                async with world.db() as db:
                    _, secret = await api_keys.create(db, SCOPE, "tests", ("admin",))
                headers = {"Authorization": f"Bearer {secret}"}
                ready.put(Served(url, headers, await _populate(world)))
                await asyncio.to_thread(over.wait)

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:  # noqa: BLE001 -- raised where it is waited for
            ready.put(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        served = ready.get()
        if isinstance(served, BaseException):
            raise served
        yield served
    finally:
        over.set()
        thread.join()
    if not ready.empty() and isinstance(error := ready.get(), BaseException):
        raise error


async def _resolve(host: str, port: int) -> tuple[str, ...]:
    return ("93.184.216.34",)


_HERE = Outbound(resolve=_resolve)  # nothing is sent: no worker runs


async def _populate(world: World) -> dict[str, list[str]]:
    """One of everything: signed up, paid, declined, told."""
    endpoint_id = "we_known"
    await endpoints.add(world.means, SCOPE, endpoint_id, url="https://app.example", types=("*",))
    shown = await signing_up.finish(world, await signing_up.sign_up(world, "sgn_known"))
    waiting = await signing_up.sign_up(world, "sgn_waiting")
    its, other = shown.checkout, await signing_up.its_checkout(world, waiting)
    assert its is not None
    await world.collect(await world.customer("card_declined"))
    rule = await drafting.rule(world)
    held = await drafting.subscribed(world, await world.customer())
    await drafting.held_by_hand(world, held)
    review = await drafting.queued(world, held)
    wired = await world.invoice(await world.customer(None))
    word = Word(HandKind.CASH, 5900, "EUR", date(2025, 11, 20), "receipt 7", "person:ada")
    await by_hand.record(world.means, SCOPE, wired, "hp_known", word)
    async with world.db() as db:
        stored = await methods.list_of_customer(db, SCOPE, its.customer_id)
        ids = list((await db.execute(payments.select())).all())
        told, _ = await outgoing_deliveries.page(db, SCOPE, endpoint_id, Page(), None)
    return {
        "signup": ["sgn_known", "sgn_waiting"],
        "hand_payment": ["hp_known"],
        "checkout": [its.id, other.id],
        "customer": [its.customer_id],
        "method": [method.id for method in stored],
        "subscription": [str(its.subscription_id)],
        "invoice": [held, *(row.invoice_id for row in ids)],
        "payment": [row.payment_id for row in ids],
        "processor": ["sandbox"],
        "endpoint": [endpoint_id],
        "rule": [rule.id],
        "review": [review.id, held],
        "event": [row.event_id for row in told],
    }
