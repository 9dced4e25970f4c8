"""Filing what proves a payment by hand: a scan of the cheque, a receipt for the cash."""

import hashlib
import re

from twintill.errors import BadRequest, ConflictError, TooLargeError
from twintill.flows.means import Means
from twintill.ids import Scope, derived_id
from twintill.store import evidence, hand_payments, invoice_actions
from twintill.store.evidence import Filed, NewFile
from twintill.store.invoice_actions import Action

LARGEST_BYTES = 5 * 1024 * 1024
FILES_MAX = 20  # of one payment by hand
# What each kind of file begins with; a text is UTF-8.
KINDS = {
    "application/pdf": b"%PDF-",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "image/jpeg": b"\xff\xd8\xff",
    "text/plain": b"",
}
NAME = r"^[A-Za-z0-9][A-Za-z0-9._ -]{0,99}$"


async def file(
    means: Means, scope: Scope, hand_id: str, name: str, content_type: str, body: bytes, by: str
) -> Filed:
    """Kept sealed, with the hash of its bytes. The same again is the same; it is never changed.

    Raises NotFoundError, TooLargeError, BadRequest (not what it says it is) and ConflictError
    (another file of this name is there).
    """
    _require_sense(name, content_type, body)
    sha256 = hashlib.sha256(body).hexdigest()
    async with means.database.begin() as db:
        of = await hand_payments.read(db, scope, hand_id)
        there = await evidence.of_hand(db, scope, hand_id)
        known = next((f for f in there if f.name == name), None)
        if known is None and len(there) >= FILES_MAX:
            raise ConflictError(f"At most {FILES_MAX} files are kept of one payment by hand.")
        new = NewFile(name, content_type, sha256, body, by)
        filed = known or await evidence.add(db, means.vault, scope, hand_id, new)
        if filed.sha256 != sha256:
            raise ConflictError(
                f"{name} is there, with other bytes (sha256 {filed.sha256}): evidence is never "
                "changed. File it under another name.",
                code="evidence_there",
                param="name",
            )
        detail = {"hand_payment": hand_id, "name": name, "sha256": sha256}
        action_id = derived_id("act", scope, "evidence_filed", filed.id)
        action = Action(
            action_id, "evidence_filed", by, of.invoice_id, of.customer_id, None, detail
        )
        await invoice_actions.add(db, scope, action)
    return filed


async def read(means: Means, scope: Scope, hand_id: str, name: str) -> tuple[Filed, bytes]:
    """With its bytes. Raises NotFoundError."""
    async with means.database.connect() as db:
        return await evidence.read(db, means.vault, scope, hand_id, name)


def _require_sense(name: str, content_type: str, body: bytes) -> None:
    if re.match(NAME, name) is None:
        why = "A file's name has letters, digits, spaces, dots, dashes: at most 100."
        raise BadRequest(why, param="name")
    if len(body) > LARGEST_BYTES:
        raise TooLargeError(f"A file is larger than {LARGEST_BYTES // 2**20} MiB.")
    if content_type not in KINDS:
        raise BadRequest(
            f"The content type is one of {', '.join(KINDS)}.",
            code="evidence_invalid",
            param="content-type",
        )
    if not body or not body.startswith(KINDS[content_type]) or not _is_text(content_type, body):
        raise BadRequest(
            f"The bytes are not {content_type}.", code="evidence_invalid", param="content-type"
        )


def _is_text(content_type: str, body: bytes) -> bool:
    if content_type != "text/plain":
        return True
    try:
        return "\x00" not in body.decode()
    except UnicodeDecodeError:
        return False
