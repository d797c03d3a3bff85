"""One rule decides what becomes of each batch, whatever happened between the runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fixtures.records import make_draft, make_totals
from fixtures.replacements import CHAINS, Chain

from ingest.errors import BooksError
from ingest.lake.states import BatchState, decide, exceeds_limit, in_state, successor


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_a_chain_has_its_outcome(chain: Chain) -> None:
    found = decide(chain.records(), set(chain.accepted))

    assert {name: one.replaced_by or one.state for name, one in found.items()} == chain.outcome
    assert {name for name, one in found.items() if one.state == "replaced"} == set(
        chain.named("replaced")
    )


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_a_replaced_batch_has_a_live_successor(chain: Chain) -> None:
    states = decide(chain.records(), set(chain.accepted))

    live = [record.batch_id for record in in_state(chain.records(), states, "live")]

    assert live == chain.named("live")
    assert {successor(name, states) for name in chain.named("replaced")} <= set(live)


@pytest.mark.parametrize("chain", CHAINS, ids=lambda chain: chain.name)
def test_nothing_that_was_replaced_comes_back(chain: Chain) -> None:
    """Whatever is sealed or accepted after it."""
    records = chain.records()
    gone: set[str] = set()
    for known in range(len(records) + 1):
        states = decide(records[:known])
        assert gone <= {name for name, one in states.items() if one.state == "replaced"}
        gone |= {name for name, one in states.items() if one.state == "replaced"}
    states = decide(records, set(chain.accepted))
    assert gone <= set(chain.named("replaced"))
    assert states.keys() == chain.outcome.keys()


def test_a_batch_that_is_sealed_twice_stops_the_reader() -> None:
    one = make_draft("one")
    with pytest.raises(BooksError, match="batch one is sealed twice: 1 and 3"):
        decide([replace(one, number=1), make_draft("two"), replace(one, number=3)])


def test_only_what_needed_it_counts_as_accepted() -> None:
    good, bad = make_draft("good"), make_draft("bad")
    bad = replace(bad, totals=make_totals(read=1_000, reject=11))

    assert decide([good, bad], {"good", "bad"}) == {
        "good": BatchState(state="live"),
        "bad": BatchState(state="live", is_accepted=True),
    }


@pytest.mark.parametrize(
    ("read", "reject", "limit", "exceeds"),
    [
        (999, 999, 0.01, False),
        (1_000, 10, 0.01, False),
        (1_000, 11, 0.01, True),
        (1_000, 11, 0.02, False),
        (1_000, 1, 0.0, True),
        (0, 0, 0.0, False),
    ],
)
def test_the_limit_of_the_record_decides(
    read: int, reject: int, limit: float, exceeds: bool
) -> None:
    totals = make_totals(read=read, reject=reject)
    record = replace(make_draft("a"), totals=totals, reject_limit_ratio=limit)

    assert exceeds_limit(record) is exceeds
