"""GoCardless, 6 April 2018: an audit table's 32-bit sequence ran out, and payments with it."""

from sqlalchemy import text

from tests.flows.world import World
from tests.web.shop import Shop

NARROW = text(
    "SELECT table_name || '.' || column_name FROM information_schema.columns "
    "WHERE table_schema = 'public' AND data_type IN ('integer', 'smallint') "
    "AND (is_identity = 'YES' OR column_default LIKE 'nextval%' OR column_name LIKE '%_minor')"
)
API_KEYS = text("SELECT api_keys::text, xmin::text FROM api_keys")


async def test_gocardless_2018_no_sequence_and_no_amount_is_narrower_than_64_bits(
    world: World,
) -> None:
    async with world.db() as db:
        assert list((await db.execute(NARROW)).scalars()) == []


async def test_gocardless_2018_who_reads_writes_nothing(shop: Shop) -> None:
    """There, a GET noted when its key was last used: when writing failed, reading did, too."""
    async with shop.world.db() as db:
        before = (await db.execute(API_KEYS)).all()
    await shop.get("/v1/payments")
    async with shop.world.db() as db:
        assert (await db.execute(API_KEYS)).all() == before
