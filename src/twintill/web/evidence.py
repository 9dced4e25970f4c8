"""The files that prove a payment by hand: as they were given, and with their hash."""

from typing import Annotated, Any

from fastapi import Path
from starlette.requests import Request
from starlette.responses import Response

from twintill.flows import evidence
from twintill.web.api import Reader, Refunder, api_router
from twintill.web.doors import TheDoors, TheMeans
from twintill.web.hand_shapes import EvidenceShape, evidence_shape

router = api_router("payments by hand")

_BYTES = {"schema": {"type": "string", "format": "binary"}}
_FILES: dict[str, Any] = dict.fromkeys(evidence.KINDS, _BYTES)
Name = Annotated[str, Path(pattern=evidence.NAME)]


@router.put(
    "/v1/hand_payments/{hand_payment}/evidence/{name}",
    summary="File evidence",
    openapi_extra={"requestBody": {"required": True, "content": _FILES}},
)
async def put(
    hand_payment: str, name: Name, request: Request, doors: TheDoors, caller: Refunder
) -> EvidenceShape:
    """The bytes of a PDF, PNG, JPEG or UTF-8 text as the body; at most 5 MiB, 20 files.

    Kept sealed, with the SHA-256 of the bytes. The same file again is the same; another one of that
    name is refused: what was filed is never changed.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    filed = await evidence.file(
        doors.means, caller.scope, hand_payment, name, kind, await request.body(), caller.actor
    )
    return evidence_shape(filed)


@router.get(
    "/v1/hand_payments/{hand_payment}/evidence/{name}",
    summary="Download evidence",
    response_class=Response,
    responses={200: {"description": "The bytes as they were given.", "content": _FILES}},
)
async def get(hand_payment: str, name: Name, means: TheMeans, caller: Reader) -> Response:
    """With the SHA-256 of the bytes as `ETag`."""
    filed, body = await evidence.read(means, caller.scope, hand_payment, name)
    headers = {
        "etag": f'"{filed.sha256}"',
        "content-disposition": f'attachment; filename="{filed.name}"',
    }
    return Response(body, media_type=filed.content_type, headers=headers)
