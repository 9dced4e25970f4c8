"""What passes over a socket is named, so that the same point is found in another run."""

import struct

import pytest

from tests.crash.wire import AnswerLine, PostgresLine, RequestLine, path, words


def message(letter: str, body: bytes) -> bytes:
    return letter.encode() + struct.pack(">I", len(body) + 4) + body


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("INSERT INTO attempts (a) VALUES ($1)", "INSERT attempts"),
        ("UPDATE payments SET lease_until=$1, looks=2 WHERE x", "UPDATE payments lease_until"),
        ("WITH a AS (SELECT 1) INSERT INTO deliveries SELECT * FROM a", "INSERT deliveries"),
        ("SELECT * FROM payments WHERE id = $1 FOR UPDATE", "SELECT payments FOR UPDATE"),
        ("SELECT pg_notify('x', 'y')", "NOTIFY"),
        ("BEGIN ISOLATION LEVEL READ COMMITTED;", "BEGIN"),
        ("DELETE FROM pgqueuer WHERE id = ANY($1)", "DELETE pgqueuer"),
    ],
)
def test_a_statement_is_what_it_does_and_to_what(sql: str, name: str) -> None:
    assert words(sql) == name


def test_a_prepared_statement_is_known_by_its_name_when_it_runs() -> None:
    line = PostgresLine()
    assert line.wrote(struct.pack(">I", 8) + b"\0\0\0\3") == "connect"
    parse = message("P", b"s1\0INSERT INTO receipts (a) VALUES ($1)\0\0\0") + message("S", b"")
    assert line.wrote(parse) == "prepare INSERT receipts"
    assert line.wrote(message("B", b"\0s1\0\0\0\0\0") + message("E", b"")) == "INSERT receipts"


def test_a_commit_says_what_it_commits_and_a_half_written_message_waits() -> None:
    line = PostgresLine()
    line.wrote(message("Q", b"BEGIN;\0"))
    line.wrote(message("Q", b"UPDATE payments SET state = 1\0"))
    whole = message("Q", b"COMMIT;\0")
    line.wrote(whole[:4])
    assert line.wrote(whole[4:]) == "COMMIT (UPDATE payments state)"


def test_ids_and_queries_are_left_out_of_a_path() -> None:
    assert path("/v1/invoices/in_1QkPz9abc/pay?expand=x") == "/v1/invoices/…/pay"
    assert path("/v1/charges") == "/v1/charges"


def test_a_request_that_goes_out_is_its_head_then_its_body() -> None:
    line = RequestLine()
    assert line.wrote(b"POST /v1/charges HTTP/1.1\r\nhost: x\r\n\r\n") == "POST /v1/charges"
    assert line.wrote(b'{"amount": 1}') == "POST /v1/charges, its body"


def test_an_answer_is_named_after_what_was_asked() -> None:
    line = AnswerLine()
    assert line.read(b"POST /webhooks/stripe HTTP/1.1\r\n\r\n{") == "POST /webhooks/stripe"
    assert line.read(b"the rest of it") is None
    assert line.wrote(b"HTTP/1.1 200 OK\r\n\r\n") == "200 to POST /webhooks/stripe"
