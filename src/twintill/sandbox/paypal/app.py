"""The stand-in PayPal as one ASGI app, with what only it has behind the stage."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import Response

from twintill.sandbox.clock import Clock
from twintill.sandbox.paypal.face import PayPalFace
from twintill.sandbox.paypal.settings import PayPalSandboxSettings
from twintill.sandbox.processor.app import create_face_app
from twintill.sandbox.processor.fault_middleware import App, Receive, Scope, Send
from twintill.sandbox.processor.objects import Json


def create_app(clock: Clock, settings: PayPalSandboxSettings) -> App:
    """State lives in the app: another call makes another PayPal."""
    face = PayPalFace(settings)
    app = create_face_app(clock, settings, face, _stage(face))
    return _learning_its_address(app, face)


def _stage(face: PayPalFace) -> APIRouter:
    router = APIRouter(prefix="/_sandbox")

    @router.get("/ca")
    async def get_root() -> Response:
        """The root that signs this stand-in's webhook certificate, as PEM."""
        return Response(face.root_pem, media_type="application/x-pem-file")

    @router.post("/expire_tokens", status_code=204)
    async def expire_tokens() -> None:
        """Every access token runs out now."""
        face.state.access.forget()

    @router.post("/account")
    async def change_account(order: Json) -> Json:
        """{"may_store": false}: an account that PayPal has not enabled for stored wallets."""
        face.state.may_store = order.get("may_store") is True
        return {"may_store": face.state.may_store}

    return router


def _learning_its_address(app: App, face: PayPalFace) -> App:
    """A webhook names where its certificate lies: as the API's callers reach this server."""

    async def listen(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            host = dict(scope["headers"]).get(b"host", b"").decode("latin-1")
            is_api = scope["path"].startswith(("/v1/", "/v2/", "/v3/"))
            if host and (is_api or not face.is_reached):
                face.base_url, face.is_reached = f"{scope['scheme']}://{host}", is_api
        await app(scope, receive, send)

    return listen
