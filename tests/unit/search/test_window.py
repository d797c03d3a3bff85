"""How many requests are in flight at a time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from ingest.search.window import Window

DEADLINE_SECONDS = 10


def after(window: Window, clean: int) -> int:
    for _ in range(clean):
        window.widen()
    return window.size


def test_one_more_after_each_fifty_clean_requests_up_to_four() -> None:
    window = Window()
    assert [after(window, clean) for clean in (49, 1, 49, 1, 50, 50)] == [2, 3, 3, 4, 4, 4]


def test_half_of_them_down_to_one_and_counting_begins_again() -> None:
    window = Window()
    after(window, 149)
    sizes = []
    for _ in range(3):
        window.narrow()
        sizes.append(window.size)
    assert sizes == [2, 1, 1]
    assert [after(window, clean) for clean in (49, 1)] == [1, 2]


@pytest.mark.parametrize("size", [1, 2, 4])
def test_so_many_are_in_flight_and_no_more(size: int) -> None:
    window = Window()
    window.size = size
    together = threading.Barrier(size)
    inside, most = 0, 0
    lock = threading.Lock()

    def request() -> None:
        nonlocal inside, most
        with window.request():
            with lock:
                inside += 1
                most = max(most, inside)
            together.wait(DEADLINE_SECONDS)
            with lock:
                inside -= 1

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(request) for _ in range(8)]:
            done.result(DEADLINE_SECONDS)
    assert most == size


def test_a_request_that_waits_goes_when_the_window_widens() -> None:
    window = Window()
    window.size = 1
    with ThreadPoolExecutor(1) as pool, window.request():
        waiting = pool.submit(lambda: window.request().__enter__())
        after(window, 50)
        assert waiting.result(DEADLINE_SECONDS) is None


def test_a_request_that_fails_makes_room() -> None:
    window = Window()
    window.size = 1
    with pytest.raises(OSError, match="reset"), window.request():
        raise OSError("reset")
    with window.request():
        assert window.size == 1
