"""The user's app: a listener that believes an event only when its signature is right."""

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twintill.sandbox.serve import running

PATH = "/twintill"
DRAFTS = "/drafts"


@dataclass(slots=True)
class UsersApp:
    """What it was told, in order; and how often somebody else tried to tell it something."""

    secret: str = field(repr=False)
    url: str = ""
    drafts_url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0
    drafts_secret: str = field(default="", repr=False)  # of the hook that is asked about drafts
    asked: list[dict[str, Any]] = field(default_factory=list)

    def about(self, object_id: str, type: str) -> list[dict[str, Any]]:
        """The events of this type about this object; one that came twice counts once."""
        found = {
            event["id"]: event
            for event in self.events
            if event["type"] == type and event["data"]["id"] == object_id
        }
        return list(found.values())

    async def hear(self, request: Request) -> Response:
        body = await request.body()
        try:
            Webhook(self.secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return Response("who are you?", 400)
        self.events.append(json.loads(body))
        return Response(status_code=204)

    async def judge(self, request: Request) -> Response:
        """What becomes of a draft: somebody looks at it first."""
        body = await request.body()
        try:
            Webhook(self.drafts_secret).verify(body, dict(request.headers))
        except WebhookVerificationError:
            self.refused += 1
            return Response("who are you?", 400)
        draft = json.loads(body)["data"]
        self.asked.append(draft)
        why = "three seats: did he mean it?"
        return JSONResponse({"invoice": draft["invoice"], "then": "hold", "why": why})


@contextlib.asynccontextmanager
async def running_app(secret: str) -> AsyncIterator[UsersApp]:
    """The listener on a free port, while the block runs."""
    app = UsersApp(secret)
    routes = [
        Route(PATH, app.hear, methods=["POST"]),
        Route(DRAFTS, app.judge, methods=["POST"]),
    ]
    server = Starlette(routes=routes)
    async with running(server) as base_url:
        app.url = f"{base_url}{PATH}"
        app.drafts_url = f"{base_url}{DRAFTS}"
        yield app
