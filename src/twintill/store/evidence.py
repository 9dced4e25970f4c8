"""What proves a payment by hand: files as they were given, sealed, never changed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from twintill.errors import NotFoundError
from twintill.ids import Scope, derived_id
from twintill.store.clock import NOW
from twintill.store.scoped import key, mine
from twintill.store.tables import hand_evidence
from twintill.store.vault import Vault

_C = hand_evidence.c


@dataclass(frozen=True, slots=True)
class Filed:
    """One file, without its bytes; `sha256` is theirs, in hex."""

    id: str
    hand_payment_id: str
    name: str
    content_type: str
    sha256: str
    size_bytes: int
    added_by: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class NewFile:
    name: str
    content_type: str
    sha256: str
    body: bytes
    by: str


async def add(
    db: AsyncConnection, vault: Vault, scope: Scope, hand_id: str, file: NewFile
) -> Filed:
    """One of that name that is there already stays as it is, and is answered."""
    evidence_id = derived_id("evd", scope, hand_id, file.name)
    row = {
        **key(scope),
        "evidence_id": evidence_id,
        "hand_payment_id": hand_id,
        "name": file.name,
        "content_type": file.content_type,
        "sha256": file.sha256,
        "size_bytes": len(file.body),
        "sealed_body": vault.seal(file.body, scope, evidence_id),
        "added_by": file.by,
        "added_at": NOW,
    }
    await db.execute(insert(hand_evidence).values(row).on_conflict_do_nothing())
    (filed,) = [f for f in await of_hand(db, scope, hand_id) if f.id == evidence_id]
    return filed


async def of_hand(db: AsyncConnection, scope: Scope, *hand_ids: str) -> list[Filed]:
    """The oldest first."""
    found = await db.execute(
        select(*_SHOWN)
        .where(mine(hand_evidence, scope), _C.hand_payment_id.in_(hand_ids))
        .order_by(_C.added_at, _C.evidence_id)
    )
    return [_filed(row) for row in found]


async def read(
    db: AsyncConnection, vault: Vault, scope: Scope, hand_id: str, name: str
) -> tuple[Filed, bytes]:
    """With its bytes as they were given. Raises NotFoundError."""
    evidence_id = derived_id("evd", scope, hand_id, name)
    found = await db.execute(
        select(*_SHOWN, _C.sealed_body).where(
            mine(hand_evidence, scope), _C.evidence_id == evidence_id
        )
    )
    row = found.one_or_none()
    if row is None:
        raise NotFoundError(f"No such evidence: {name:.100}", param="name")
    return _filed(row), vault.open(row.sealed_body, scope, evidence_id)


_SHOWN = [column for column in _C if column.name != "sealed_body"]


def _filed(row: Any) -> Filed:
    return Filed(
        id=row.evidence_id,
        hand_payment_id=row.hand_payment_id,
        name=row.name,
        content_type=row.content_type,
        sha256=row.sha256,
        size_bytes=row.size_bytes,
        added_by=row.added_by,
        added_at=row.added_at,
    )
