"""API keys at rest: hashes, checksums, scopes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from twintill.errors import BadRequest, NotFoundError
from twintill.ids import Scope
from twintill.store import api_keys

SCOPE = Scope("acct_1", False)


async def test_only_the_hash_is_stored(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        _, secret = await api_keys.create(db, SCOPE, "me", ["read"])
        stored = (await db.exec_driver_sql("SELECT api_keys::text FROM api_keys")).scalar_one()
    assert secret not in stored
    assert secret.encode().hex() not in stored


async def test_a_key_opens_only_its_own_account_and_mode(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        key_id, secret = await api_keys.create(db, SCOPE, "me", ["read"])
        found = await api_keys.find(db, SCOPE, secret)
        assert found is not None
        assert found.id == key_id
        assert await api_keys.find(db, Scope("acct_2", False), secret) is None
        assert await api_keys.find(db, Scope("acct_1", True), secret) is None


async def test_what_is_no_scope_or_no_owner_is_refused(engine: AsyncEngine) -> None:
    async with engine.begin() as db:
        for owner, scopes in (("me", ["write"]), ("me", []), (" ", ["read"])):
            with pytest.raises(BadRequest):
                await api_keys.create(db, SCOPE, owner, scopes)
        with pytest.raises(NotFoundError):
            await api_keys.revoke(db, SCOPE, "key_unknown")


@given(st.integers(8, 56), st.characters(min_codepoint=33, max_codepoint=126))
def test_a_mistyped_key_is_recognised_without_the_database(at: int, typed: str) -> None:
    secret = api_keys._new_secret(SCOPE)
    mistyped = secret[:at] + typed + secret[at + 1 :]
    assert api_keys.looks_right(mistyped, SCOPE) is (mistyped == secret)
