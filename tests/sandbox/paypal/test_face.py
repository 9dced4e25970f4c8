"""The face without HTTP, as a simulation calls it: the same answers, and nothing else moves."""

import json
from datetime import timedelta

from tests.sandbox.paypal.merchant import CLIENT, SECRET, START, Json, capture_in, order
from twintill.sandbox.paypal import PayPalFace, PayPalSandboxSettings
from twintill.sandbox.processor import agenda, setups
from twintill.sandbox.processor.face import Call, Reply
from twintill.sandbox.processor.world import World

HEADERS = {"prefer": "return=representation"}


class Game:
    """A world with one clock that we turn."""

    def __init__(self, seed: int) -> None:
        settings = PayPalSandboxSettings(api_key=SECRET, client_id=CLIENT, seed=seed)
        self.face = PayPalFace(settings)
        self.world = World(settings, self.face)
        self.now = START
        basic = {"authorization": "Basic YS1jbGllbnQ6YS1zZWNyZXQ="}
        call = Call("POST", "/v1/oauth2/token", "", basic, b"grant_type=client_credentials")
        granted = self.face.serve(self.world, call, self.now).body
        assert isinstance(granted, dict)
        self.token = granted["access_token"]

    def ask(self, method: str, path: str, body: Json | None = None, key: str = "") -> Reply:
        agenda.catch_up(self.world, self.now)
        headers = HEADERS | {"authorization": f"Bearer {self.token}", "paypal-request-id": key}
        raw = json.dumps(body).encode() if body is not None else b""
        return self.face.serve(self.world, Call(method, path, "", headers, raw), self.now)

    def play(self) -> list[tuple[int, Json]]:
        wallet = setups.create_method(self.world, "4029352050", "debit_ok", self.now).token
        answers = [self.ask("POST", "/v2/checkout/orders", order(wallet), key="k")]
        assert isinstance(answers[0].body, dict)
        capture = capture_in(answers[0].body)
        self.now += timedelta(days=3)
        answers.append(self.ask("GET", f"/v2/payments/captures/{capture['id']}"))
        return [(one.status, one.body) for one in answers if isinstance(one.body, dict)]


def test_a_charge_and_its_end_without_a_server() -> None:
    game = Game(seed=1)
    (first, _), (second, shown) = game.play()
    assert (first, second, shown["status"]) == (201, 200, "COMPLETED")
    told = [event.type for event in game.world.events]
    assert told == ["PAYMENT.CAPTURE.PENDING", "PAYMENT.CAPTURE.COMPLETED"]


def test_the_same_seed_plays_the_same_game() -> None:
    assert Game(seed=7).play() == Game(seed=7).play()
    assert Game(seed=7).play() != Game(seed=8).play()
