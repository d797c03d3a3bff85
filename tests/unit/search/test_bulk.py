"""The bulk loop against a client that answers from a script: faults no real server gives on demand.

The scripted server keeps what it took, so each test also sees that nothing was lost.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import permutations
from typing import Any

import pytest
from elastic_transport import (
    ApiResponseMeta,
    ConnectionError,  # noqa: A004
    ConnectionTimeout,
    HttpHeaders,
    NodeConfig,
    TlsError,
)
from elasticsearch import ApiError, UnsupportedProductError

from ingest.errors import BooksError, SearchServerError, SettingsError, WrongMapping
from ingest.search.activity import Activity
from ingest.search.body import DELETE, Body
from ingest.search.bulk import Sender, _raise_first, _Stopped
from ingest.search.outcome import Outcome, outcome_of
from ingest.search.patience import Patience
from ingest.search.work import DeadLetter

DEADLINE = 300.0
SERVER = "Elasticsearch at http://127.0.0.1:9200"
# The answer for one document of a request: status and error type (None without an error).
Answer = tuple[int, str | None]
# What a request meets: a refusal as a whole, or an answer for each document by its id.
Step = Exception | Callable[[str], Answer]

TAKEN: Answer = (201, None)
FULL: Answer = (429, "es_rejected_execution_exception")


def take_all(_: str) -> Answer:
    return TAKEN


def refusal(status: int, kind: str = "error", headers: dict[str, str] | None = None) -> ApiError:
    node = NodeConfig("http", "127.0.0.1", 9200)
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(headers or {}), 0.0, node)
    return ApiError(kind, meta, {"error": {"type": kind, "reason": "secret of the log"}})


def body(count: int, *, first: int = 0) -> Body:
    lines = [f'{{"index":{{"_id":"{i:04}"}}}}\n{{"n":{i}}}\n' for i in range(first, first + count)]
    return Body("".join(lines).encode(), range(first, first + count))


@dataclass
class Server:
    """Follows `script`, one step per request, then takes everything."""

    script: Sequence[Step] = ()
    taken: dict[str, Any] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    limit_bytes: int | None = None
    lose_items: int = 0

    def bulk(self, *, index: str, operations: bytes, filter_path: str) -> dict[str, Any]:
        assert index == "events"
        assert "items.*.status" in filter_path
        lines = operations.decode().splitlines()
        ids = [json.loads(line)["index"]["_id"] for line in lines[::2]]
        self.sizes.append(len(ids))
        position = len(self.sizes) - 1
        step = self.script[position] if position < len(self.script) else take_all
        if isinstance(step, Exception):
            raise step
        if self.limit_bytes is not None and len(operations) > self.limit_bytes:
            raise refusal(413)
        answers = [step(name) for name in ids]
        for name, document, (_, kind) in zip(ids, lines[1::2], answers, strict=True):
            if kind is None:
                self.taken[name] = json.loads(document)
        items = [{"index": item(*answer)} for answer in answers]
        lost, self.lose_items = self.lose_items, 0
        return {"errors": True, "items": items[: len(items) - lost]}


def item(status: int, kind: str | None) -> dict[str, Any]:
    error = {"error": {"type": kind, "reason": "secret of the log"}} if kind else {}
    return {"status": status, **error}


class Clock:
    """A clock that only pausing moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def __call__(self) -> float:
        return self.now

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def sender(
    server: Server, clock: Clock | None = None, dead: list[DeadLetter] | None = None
) -> Sender:
    clock = clock or Clock()
    return Sender(
        client=server,
        index="events",
        url="http://127.0.0.1:9200",
        server=SERVER,
        most_bytes=5 << 20,
        patience=Patience(deadline_seconds=DEADLINE, clock=clock, jitter=lambda _, high: high),
        activity=Activity(SERVER, clock=clock),
        on_dead_letter=(dead if dead is not None else []).append,
        pause=clock.pause,
    )


def everything(count: int) -> dict[str, Any]:
    return {f"{i:04}": {"n": i} for i in range(count)}


def test_all_documents_in_order_of_bodies() -> None:
    server = Server()
    tally = sender(server).send_all([body(3), body(4, first=3), body(1, first=7)])
    assert server.taken == everything(8)
    assert (tally.indexed, tally.created, tally.documents) == (8, 8, 8)
    assert (tally.requests, tally.retries) == (3, 0)


def test_no_bodies() -> None:
    assert sender(Server()).send_all([]).documents == 0


@pytest.mark.parametrize(
    "fault",
    [
        ConnectionError("refused"),
        ConnectionTimeout("no answer"),
        refusal(429, "es_rejected_execution_exception"),
        refusal(502),
        refusal(503),
        refusal(504),
        refusal(500),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_an_unknown_outcome_is_sent_again(fault: Exception) -> None:
    server = Server([fault, fault])
    tally = sender(server).send_all([body(5)])
    assert server.taken == everything(5)
    assert server.sizes == [5, 5, 5]
    assert (tally.indexed, tally.requests, tally.retries) == (5, 3, 2)


def test_a_reply_with_too_few_items_is_sent_again() -> None:
    server = Server(lose_items=2)
    tally = sender(server).send_all([body(5)])
    assert server.sizes == [5, 5]
    assert tally.indexed == 5


@pytest.mark.parametrize(
    "answer",
    [
        None,
        {},
        "text",
        {"items": None},
        {"items": "x"},
        {"items": [1]},
        {"items": [None]},
        {"items": [{}]},
        {"items": [{"index": None}]},
        {"items": [{"index": {"status": "201"}}]},
        {"items": [{"index": {"status": 500}}]},
        {"items": [{"index": {"status": 400, "error": "text"}}]},
        {"items": [{"index": {"status": 201}, "create": {"status": 201}}]},
    ],
)
def test_a_reply_that_is_none_is_sent_again(answer: object) -> None:
    class Odd(Server):
        def bulk(self, **request: Any) -> Any:
            found = super().bulk(**request)
            return answer if len(self.sizes) == 1 else found

    server = Odd()
    assert sender(server).send_all([body(1)]).indexed == 1
    assert server.sizes == [1, 1]


def test_only_refused_documents_are_sent_again() -> None:
    server = Server([lambda name: FULL if name in ("0001", "0003") else TAKEN])
    tally = sender(server).send_all([body(5)])
    assert server.sizes == [5, 2]
    assert server.taken == everything(5)
    assert tally.indexed == 5


def test_backoff_grows_to_half_a_minute_and_obeys_the_server() -> None:
    clock = Clock()
    asked = refusal(503, headers={"retry-after": "45"})
    server = Server([refusal(503)] * 7 + [asked])
    sender(server, clock).send_all([body(1)])
    assert clock.pauses == [1, 2, 4, 8, 16, 30, 30, 45]


def test_gives_up_after_the_deadline_without_an_accepted_document() -> None:
    clock = Clock()
    server = Server([refusal(503, "unavailable")] * 1_000)
    with pytest.raises(
        SearchServerError, match=f"^{SERVER} accepted no documents for 300 s"
    ) as raised:
        sender(server, clock).send_all([body(1)])
    assert "unavailable" in str(raised.value)
    assert "nothing is lost" in str(raised.value)
    assert "secret" not in str(raised.value)
    assert clock.now == DEADLINE


def test_a_wait_and_its_end_are_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    server = Server([refusal(503, "unavailable")] * 5)
    sender(server, Clock()).send_all([body(1), body(1, first=1)])
    waits, ends = caplog.messages
    assert re.fullmatch(
        rf"{SERVER} accepts no documents \(last error: 503 unavailable\); nothing is lost: trying "
        r"again until \d\d:\d\d:\d\d UTC",
        waits,
    )
    assert re.fullmatch(rf"{SERVER} accepts documents again, after \d+ s", ends)


def test_a_short_wait_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    sender(Server([refusal(503)] * 2)).send_all([body(1)])
    assert caplog.messages == []


@pytest.mark.parametrize("gone_after", [1, 3])
def test_a_local_server_that_has_died_is_not_waited_for(gone_after: int) -> None:
    server = Server([ConnectionError("refused")] * 99)
    clock = Clock()
    mine = sender(server, clock)
    mine.is_gone = lambda: len(server.sizes) >= gone_after
    with pytest.raises(SearchServerError, match="has died; nothing is lost: run `clickstream exp"):
        mine.send(body(2))
    assert len(server.sizes) == gone_after
    assert len(clock.pauses) == gone_after - 1


def test_a_local_server_that_refuses_a_document_has_not_died() -> None:
    server = Server([refusal(503), lambda _: FULL])
    mine = sender(server)
    mine.is_gone = lambda: True
    mine.send(body(2))
    assert len(server.taken) == 2


def test_an_accepted_document_moves_the_deadline() -> None:
    clock = Clock()
    one_by_one: list[Step] = []
    for i in range(40):
        one_by_one += [lambda name, i=i: TAKEN if name == f"{i:04}" else FULL]  # type: ignore[misc]
    server = Server(one_by_one)
    sender(server, clock).send_all([body(40)])
    assert server.taken == everything(40)
    assert clock.now > DEADLINE


def test_a_full_disk_is_waited_for_and_named() -> None:
    clock = Clock()
    server = Server([lambda _: (429, "cluster_block_exception")] * 1_000)
    with pytest.raises(SearchServerError, match="disk is full"):
        sender(server, clock).send_all([body(1)])


def test_a_body_refused_three_times_in_a_row_is_halved() -> None:
    server = Server([refusal(429)] * 3)
    sender(server).send_all([body(8)])
    assert server.sizes == [8, 8, 8, 4, 4]
    assert server.taken == everything(8)


@pytest.mark.parametrize("between", [refusal(503), lambda _: FULL])
def test_other_failures_in_between_do_not_count_towards_halving(between: Step) -> None:
    server = Server([refusal(429), refusal(429), between, refusal(429)])
    sender(server).send_all([body(8)])
    assert server.sizes == [8] * 5


def test_the_halves_of_a_refused_body_begin_with_a_short_pause() -> None:
    clock = Clock()
    server = Server([refusal(429)] * 9)
    sender(server, clock).send_all([body(8)])
    assert server.sizes == [8, 8, 8, 4, 4, 4, 2, 2, 2, 1, 1, 2, 4]
    assert clock.pauses == [1, 2, 4] * 3
    assert server.taken == everything(8)


def test_too_large_is_halved_until_it_fits_and_remembered() -> None:
    server = Server(limit_bytes=len(body(2).data))
    loop = sender(server)
    loop.send_all([body(8)])
    assert server.taken == everything(8)
    assert server.sizes == [8, 4, 2, 2, 4, 2, 2]
    assert loop.most_bytes == len(body(4).data) // 2


def test_a_single_document_too_large_is_a_dead_letter() -> None:
    dead: list[DeadLetter] = []
    server = Server([refusal(413)])
    tally = sender(server, dead=dead).send_all([body(1, first=7)])
    assert (tally.indexed, tally.dead) == (0, 1)
    assert [(d.id, d.row, d.status, d.type, d.doc) for d in dead] == [
        ("0007", 7, 413, "too_large", {"n": 7})
    ]


def test_a_document_the_mapping_refuses_is_a_dead_letter_with_its_content() -> None:
    dead: list[DeadLetter] = []
    server = Server([lambda n: (400, "document_parsing_exception") if n == "0002" else TAKEN])
    tally = sender(server, dead=dead).send_all([body(4)])
    assert (tally.indexed, tally.dead, tally.documents) == (3, 1, 4)
    assert dead == [
        DeadLetter(
            id="0002",
            row=2,
            status=400,
            type="document_parsing_exception",
            reason="secret of the log",
            attempts=1,
            doc={"n": 2},
        )
    ]


def test_a_row_keeps_its_number_through_retries() -> None:
    dead: list[DeadLetter] = []
    server = Server([lambda n: FULL if n in ("0011", "0013") else TAKEN, lambda _: (400, "bad")])
    sender(server, dead=dead).send_all([body(5, first=10)])
    assert [(d.row, d.attempts) for d in dead] == [(11, 2), (13, 2)]


def test_a_server_error_is_retried_five_times() -> None:
    dead: list[DeadLetter] = []
    server = Server([lambda n: (500, "broken") if n == "0000" else TAKEN] * 10)
    tally = sender(server, dead=dead).send_all([body(2)])
    assert server.sizes == [2, 1, 1, 1, 1, 1]
    assert (tally.indexed, tally.dead) == (1, 1)
    assert dead[0].attempts == 6


def test_a_full_server_is_no_server_error() -> None:
    dead: list[DeadLetter] = []
    server = Server([lambda _: FULL] * 9 + [lambda _: (500, "broken")])
    tally = sender(server, dead=dead).send_all([body(2)])
    assert (tally.indexed, dead) == (2, [])


def test_each_document_has_its_own_server_errors() -> None:
    dead: list[DeadLetter] = []

    def answer(name: str) -> Answer:
        return (500, "broken") if name == "0000" else FULL

    server = Server([answer, *[lambda _: (500, "broken")] * 5])
    tally = sender(server, dead=dead).send_all([body(2)])
    assert server.sizes == [2, 1, 1, 1, 1, 1, 1, 1]
    assert (tally.indexed, tally.dead) == (2, 0)


def test_a_document_of_a_later_batch_is_newer() -> None:
    server = Server([lambda _: (409, "version_conflict_engine_exception")])
    tally = sender(server).send_all([body(3)])
    assert (tally.indexed, tally.newer, tally.documents) == (0, 3, 3)


def test_many_dead_letters_pull_the_brake() -> None:
    server = Server([lambda _: (400, "strict_dynamic_mapping_exception")])
    with pytest.raises(WrongMapping, match="the mapping of events is wrong, not the data"):
        sender(server).send_all([body(5_000)])


def test_few_dead_letters_among_many_do_not() -> None:
    dead: list[DeadLetter] = []
    server = Server([lambda n: (400, "bad") if int(n) >= 9_100 else TAKEN])
    tally = sender(server, dead=dead).send_all([body(9_999)])
    assert (tally.dead, len(dead)) == (899, 899)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((400, "index_closed_exception"), "index events is closed"),
        ((403, "cluster_block_exception"), "index events is blocked"),
        ((403, "security_exception"), "index events refuses the key"),
        ((404, "index_not_found_exception"), "index events is gone"),
    ],
)
def test_what_concerns_the_index_stops_without_dead_letters(answer: Answer, message: str) -> None:
    dead: list[DeadLetter] = []
    with pytest.raises(SearchServerError, match=message):
        sender(Server([lambda _: answer]), dead=dead).send_all([body(3)])
    assert dead == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (refusal(401, "security_exception"), "requires credentials"),
        (refusal(403, "security_exception"), "lacks a privilege"),
        (refusal(400, "media_type_header_exception"), "install elasticsearch 8.19"),
        (TlsError("certificate verify failed"), "certificate"),
        (TlsError("WRONG_VERSION_NUMBER"), "does not speak TLS"),
        (
            UnsupportedProductError("x", meta=refusal(200).meta, body=None),
            "not Elasticsearch",
        ),
    ],
)
def test_errors_that_no_retry_fixes_stop_at_once(fault: Exception, message: str) -> None:
    clock = Clock()
    with pytest.raises(SettingsError, match=message):
        sender(Server([fault]), clock).send_all([body(3)])
    assert clock.pauses == []


@pytest.mark.parametrize("status", [400, 404, 405])
def test_a_refused_request_names_rows_but_no_content(status: int) -> None:
    with pytest.raises(SearchServerError, match="rows 10 to 12") as raised:
        sender(Server([refusal(status, "illegal")])).send_all([body(3, first=10)])
    assert "secret" not in str(raised.value)


def test_a_sender_that_is_told_to_stop_sends_nothing() -> None:
    server = Server()
    mine = sender(server)
    mine.stop.set()
    with pytest.raises(_Stopped):
        mine.send_all([body(1)])
    assert server.sizes == []


def test_the_cause_of_a_stop_is_raised_rather_than_its_consequence() -> None:
    cause: Future[None] = Future()
    consequence: Future[None] = Future()
    cause.set_exception(SearchServerError("the index is gone"))
    consequence.set_exception(_Stopped())
    for done in permutations([cause, consequence]):
        with pytest.raises(SearchServerError, match="is gone"):
            _raise_first(done)


def test_a_stop_ends_the_other_request_and_the_rendering() -> None:
    rendered = []

    def bodies() -> Iterator[Body]:
        for i in range(1_000):
            rendered.append(i)
            yield body(1, first=i)

    server = Server([lambda _: (404, "index_not_found_exception")] * 5)
    with pytest.raises(SearchServerError, match="is gone"):
        sender(server).send_all(bodies())
    assert len(rendered) < 10


@pytest.mark.parametrize(
    ("step", "size"),
    [
        (refusal(429), 1),
        (ConnectionTimeout("no answer"), 1),
        (lambda _: FULL, 1),
        (lambda _: (429, "cluster_block_exception"), 2),  # its disk is full, it is not busy
        (lambda _: (503, "unavailable_shards_exception"), 2),
        (refusal(503), 2),
        (ConnectionError("reset"), 2),
    ],
)
def test_only_an_overloaded_server_gets_fewer_requests_at_a_time(step: Step, size: int) -> None:
    loop = sender(Server([step]))
    loop.send_all([body(2)])
    assert loop.window.size == size


def test_a_server_that_keeps_up_gets_more_requests_at_a_time() -> None:
    loop = sender(Server())
    loop.send_all(body(1, first=i) for i in range(51))
    assert loop.window.size == 3


def test_rendering_is_one_body_ahead() -> None:
    rendered, let_go = [], threading.Event()

    class Slow(Server):
        def bulk(self, **request: Any) -> Any:
            assert let_go.wait(10)
            return super().bulk(**request)

    def bodies() -> Iterator[Body]:
        for i in range(10):
            rendered.append(i)
            if len(rendered) == 3:  # two are in flight
                threading.Timer(0.05, let_go.set).start()
            assert let_go.is_set() or i < 3
            yield body(1, first=i)

    assert sender(Slow()).send_all(bodies()).indexed == 10


def test_an_error_of_the_rendering_comes_through() -> None:
    def bodies() -> Iterator[Body]:
        yield body(1)
        raise BooksError("a wrong row")

    with pytest.raises(BooksError, match="a wrong row"):
        sender(Server()).send_all(bodies())


@pytest.mark.parametrize(
    ("data", "rows"),
    [(b'{"index":{}}\n{}', 1), (b'{"index":{}}\n{}\n', 2), (b"", 1), (b"\n\n\n", 1)],
)
def test_a_body_of_the_wrong_shape_cannot_be_made(data: bytes, rows: int) -> None:
    with pytest.raises(BooksError, match="it was not sent"):
        Body(data, range(rows))


def test_deletions_have_one_line_each() -> None:
    lines = b'{"delete":{"_id":"a"}}\n{"delete":{"_id":"b"}}\n{"delete":{"_id":"c"}}\n'
    deletions = Body(lines, range(3), DELETE)
    assert deletions.pick([2, 0]).data == b'{"delete":{"_id":"c"}}\n{"delete":{"_id":"a"}}\n'
    assert deletions.documents([1]) == [("b", {})]


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (200, None, Outcome.INDEXED),
        (404, None, Outcome.INDEXED),  # the deletion of what is gone already
        (409, "version_conflict_engine_exception", Outcome.VERSION_CONFLICT),
        (429, "circuit_breaking_exception", Outcome.RETRY),
        (503, "unavailable_shards_exception", Outcome.RETRY),
        (500, "anything", Outcome.SERVER_ERROR),
        (400, "mapper_parsing_exception", Outcome.DEAD),
        (400, "strict_dynamic_mapping_exception", Outcome.DEAD),
        (403, "anything_else", Outcome.DEAD),
    ],
)
def test_outcomes(status: int, kind: str | None, expected: Outcome) -> None:
    assert outcome_of(status, kind) is expected
