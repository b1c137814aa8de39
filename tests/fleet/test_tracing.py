"""Spans: what begins, goes on and ends where, and that nothing of it is there when nobody collects them."""

import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from fleet import logs, settings, tracing
from fleet.messages import decode
from fleet.problems import NotFound
from tests.conftest import ROOT
from tests.otlp import Collector, Seen

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.endpoint)
    settings.read.cache_clear()
    tracing.start("points", "test")
    yield made
    tracing.stop()
    settings.read.cache_clear()
    made.stop()


def arrived(collector: Collector) -> dict[str, Seen]:
    tracing.stop()
    return {each.name: each for each in collector.spans()}


class TestWithoutCollector:
    def test_nothing_of_opentelemetry_is_imported(self):
        program = (
            "import sys, fleet.worker, services.points.app, services.points.subscriptions, services.bot.__main__\n"
            "from fleet import tracing\n"
            "tracing.start('points', 'test')\n"
            "with tracing.span('x'): pass\n"
            "sys.exit(any(name.startswith('opentelemetry') for name in sys.modules))\n"
        )
        done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, check=False)
        assert done.returncode == 0

    def test_a_trace_that_somebody_began_is_handed_on(self):
        with tracing.span("x", parent=PARENT):
            assert logs.traceparent.get() == PARENT
        assert logs.traceparent.get() is None

    def test_none_is_begun(self):
        with tracing.span("x"):
            assert logs.traceparent.get() is None
        assert tracing.begin("x", "server") is None

    def test_a_block_costs_next_to_nothing(self):
        began = time.perf_counter()
        for _ in range(10_000):
            with tracing.span("x"):
                pass
        assert (time.perf_counter() - began) / 10_000 < 20e-6


class TestSpans:
    def test_they_stand_in_one_another(self, collector):
        with tracing.span("outer", "server", parent=PARENT):
            assert re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", logs.traceparent.get() or "")
            with tracing.span("inner", "client", attributes={"propel.kind": "test"}):
                pass
        found = arrived(collector)
        assert (found["outer"].trace, found["outer"].parent) == (PARENT[3:35], PARENT[36:52])
        assert (found["inner"].trace, found["inner"].parent) == (PARENT[3:35], found["outer"].id)
        assert (found["outer"].kind, found["inner"].kind) == ("server", "client")
        assert "propel.kind" in found["inner"].text
        assert (found["outer"].service, found["outer"].process) == ("points", "test")

    @pytest.mark.parametrize("parent", [None, "nonsense", f"ff-{PARENT[3:]}"])
    def test_without_a_parent_that_can_be_read_a_trace_begins(self, collector, parent):
        with tracing.span("first", parent=parent):
            pass
        assert arrived(collector)["first"].parent == ""

    def test_a_failure_is_told_without_its_words(self, collector):
        with pytest.raises(ValueError, match="what somebody wrote"), tracing.span("fails"):
            raise ValueError("what somebody wrote")
        found = arrived(collector)["fails"]
        assert found.failed
        assert "ValueError" in found.text
        assert "somebody" not in found.text

    def test_a_refusal_is_no_failure(self, collector):
        with pytest.raises(NotFound), tracing.span("refused"):
            raise NotFound("There is no such thing of Ada's.")
        found = arrived(collector)["refused"]
        assert not found.failed
        assert NotFound.slug in found.text
        assert "Ada" not in found.text

    def test_what_is_recorded_inside_goes_on_from_it(self, collector, on):
        from sqlalchemy import text

        from fleet import outbox
        from fleet.contracts.points import GetStreak
        from fleet.database import transaction
        from fleet.messages import new_id

        on("points")
        tracing.stop()
        tracing.start("points", "test")
        with tracing.span("asks"), transaction() as session:
            outbox.record(session, GetStreak(new_id()), source="points", reply_to="points")
        with transaction() as session:
            envelope = decode(bytes(session.execute(text("SELECT body FROM outbox")).scalar_one()))
        found = arrived(collector)["asks"]
        # What follows are flags: sampled, and, as the library pleases, that the id is random.
        assert envelope.traceparent.rpartition("-")[0] == f"00-{found.trace}-{found.id}"

    def test_log_lines_name_the_trace(self, collector, capsys):
        logs.configure("points", "test")
        with tracing.span("logged", parent=PARENT):
            logs.get("test").info("something_happened")
        assert f'"trace_id":"{PARENT[3:35]}"' in capsys.readouterr().out


def test_a_collector_that_is_away_delays_nothing_and_fails_nothing(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    settings.read.cache_clear()
    tracing.start("points", "test")
    began = time.monotonic()
    for _ in range(100):
        with tracing.span("x"):
            pass
    assert time.monotonic() - began < 1
    tracing.stop()
    settings.read.cache_clear()
    assert time.monotonic() - began < 2 * tracing.EXPORT_TIMEOUT_S + 2
