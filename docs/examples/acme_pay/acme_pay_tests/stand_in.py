"""A stand-in for Acme Pay, written from its documents: a real HTTP server that tests drive."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from twintill.processors import WebhookRequest
from twintill.sandbox.processor.fault_middleware import FaultMiddleware, Receive, Scope, Send
from twintill.sandbox.processor.faults import Faults

API_KEY, SECRETS = "acme_key", {"new": "sign_new", "old": "sign_old"}
DECLINES = {"soft": "no_funds", "hard": "never", "stolen": "stolen", "expired": "expired"}


class StandIn:
    """Acme's whole memory, and its API as an ASGI app."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        self.forget()
        api = FastAPI()
        api.add_api_route("/charges", self._charge, methods=["POST"])
        api.add_api_route("/charges", self._list)
        api.add_api_route("/charges/{charge_id}", self._get)
        api.add_api_route("/sessions", self._start, methods=["POST"])
        api.add_api_route("/sessions/{session_id}", self._session)
        api.add_api_route("/methods/{token}", self._method, methods=["GET", "DELETE"])
        api.middleware("http")(self._check_key)
        self._line = FaultMiddleware(api, self.faults)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Counts what arrives, and lets the ordered fault play."""
        if scope["type"] == "http":
            self.charge_requests += (scope["method"], scope["path"]) == ("POST", "/charges")
        await self._line(scope, receive, send)

    def forget(self) -> None:
        self.faults.clear()
        self.charges: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, dict[str, Any]] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.keys: dict[str, tuple[datetime, bytes, dict[str, Any]]] = {}
        self.sent: list[WebhookRequest] = []
        self.silent = False
        self.charge_requests = 0

    def add_method(self, behaviour: str) -> str:
        token = f"tok_{len(self.methods)}"
        self.methods[token] = {
            "token": token,
            "status": "active",
            "last4": "4242",
            "behaviour": behaviour,
        }
        return token

    def revoke(self, token: str) -> None:
        if self.methods[token]["status"] == "active":
            self.methods[token]["status"] = "revoked"
            self._tell("method.revoked", {"token": token})

    def charge(self, order: Mapping[str, Any]) -> dict[str, Any]:
        method = self.methods[order["token"]]
        code = DECLINES.get(method["behaviour"])
        if method["behaviour"] == "declines_once":
            code, method["behaviour"] = "no_funds", "approved"
        if method["status"] == "revoked":
            code = "revoked"
        charge = {
            "id": f"ch_{len(self.charges)}",
            "reference": order["reference"],
            "amount": order["amount"],
            "currency": order["currency"],
            "status": "declined" if code else "approved",
            "code": code,
        }
        self.charges[charge["id"]] = charge
        self._tell(f"charge.{charge['status']}", {"charge": charge})
        return charge

    def sign(self, body: bytes, at: datetime, secret: str) -> WebhookRequest:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        return WebhookRequest({"acme-signature": signature}, body, at)

    def _tell(self, its_type: str, content: Mapping[str, Any]) -> None:
        event = {"id": f"ev_{len(self.sent)}", "type": its_type, "at": self.now.isoformat()}
        body = json.dumps({**event, **content}).encode()
        if not self.silent:
            self.sent.append(self.sign(body, self.now, SECRETS["new"]))

    async def _check_key(self, request: Request, proceed: Any) -> Response:
        if request.headers.get("authorization") != f"Bearer {API_KEY}":
            return JSONResponse({"error": "unauthorized"}, 401)
        answer: Response = await proceed(request)
        return answer

    async def _charge(self, request: Request) -> Response:
        key, body = request.headers["idempotency-key"], await request.body()
        if key in self.keys and self.now - self.keys[key][0] < timedelta(days=1):
            _, first, charge = self.keys[key]
            same = first == body
            return JSONResponse(charge if same else {"error": "key_reused"}, 201 if same else 409)
        order = json.loads(body)
        of_it = [c for c in self.charges.values() if c["reference"] == order["reference"]]
        if any(c["status"] == "approved" for c in of_it):
            return JSONResponse({"error": "reference_used"}, 409)
        charge = self.charge(order)
        self.keys[key] = (self.now, body, charge)
        return JSONResponse(charge, 201)

    async def _list(self, reference: str) -> Response:
        return JSONResponse(
            {"charges": [c for c in self.charges.values() if c["reference"] == reference]}
        )

    async def _get(self, charge_id: str) -> Response:
        charge = self.charges.get(charge_id)
        return JSONResponse(charge or {"error": "no_such_charge"}, 200 if charge else 404)

    async def _start(self, request: Request) -> Response:
        its_id = f"ses_{request.headers['idempotency-key']}"
        order = await request.json()
        session = {
            "id": its_id,
            "url": f"{request.base_url}pay/{its_id}",
            "status": "open",
            "customer": order["customer"],
        }
        return JSONResponse(self.sessions.setdefault(its_id, session), 201)

    async def _session(self, session_id: str) -> Response:
        session = self.sessions.get(session_id)
        return JSONResponse(session or {"error": "no_such_session"}, 200 if session else 404)

    async def _method(self, request: Request, token: str) -> Response:
        if token not in self.methods:
            return JSONResponse({"error": "no_such_method"}, 404)
        if request.method == "DELETE":
            self.revoke(token)
            return Response(status_code=204)
        return JSONResponse(self.methods[token])
