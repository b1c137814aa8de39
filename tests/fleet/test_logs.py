"""Log lines: one JSON object each, whoever writes it and whatever it says."""

import json
import logging
from typing import Any

import pytest

from fleet import logs

log = logs.get("tests.of.logs")


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    logs.configure("points", "web")
    capsys.readouterr()
    return lambda: [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_line_names_its_service_process_module_and_request(lines):
    token = logs.request_id.set("request-1")
    log.info("award_made", points=5)
    logs.request_id.reset(token)
    [found] = lines()
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "service": "points",
        "process": "web",
        "event": "award_made",
        "points": 5,
        "logger": "tests.of.logs",
        "level": "info",
        "request_id": "request-1",
    }


def test_a_librarys_line_looks_the_same(lines):
    # Its handler holds on to the standard output it was made with, which is another one in each phase of a test.
    logs.configure("points", "web")
    logging.getLogger("some.library").warning("%d of %d failed", 1, 2)
    [found] = lines()
    assert (found["service"], found["logger"], found["level"], found["event"]) == (
        "points",
        "some.library",
        "warning",
        "1 of 2 failed",
    )


def test_what_is_below_the_level_is_not_written(lines, monkeypatch):
    log.debug("detail_seen")
    logging.getLogger("some.library").debug("detail")
    assert lines() == []


@pytest.mark.parametrize("awkward", ["two\nlines", "half \ud800", 2**70, {1: object()}, b"bytes", float("nan")])
def test_whatever_is_logged_is_one_line(awkward, lines):
    log.warning("odd_thing_seen", what=awkward)
    [found] = lines()
    assert found["event"] == "odd_thing_seen"


def test_an_exception_is_told_with_its_trace(lines):
    try:
        raise ZeroDivisionError("of all things")
    except ZeroDivisionError as error:
        log.exception("work_failed")
        log.error("work_failed", exc_info=error)
    for found in lines():
        assert "ZeroDivisionError: of all things" in found["exception"]
        assert "test_logs.py" in found["exception"]
