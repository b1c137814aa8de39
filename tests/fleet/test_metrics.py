"""What a process tells of itself to Prometheus: counted in real databases, real queues and a real gunicorn."""

import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pika
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text

from deploy.local.backends import free_ports
from deploy.local.children import wait_until
from deploy.local.probes import http_ok
from fleet import metrics, outbox, topology
from fleet.contracts.points import ActivityLogged
from fleet.database import after_commit, transaction
from fleet.depths import Depths, watched
from fleet.messages import new_id, now
from fleet.outbox import Entry
from fleet.prepared import run
from fleet.subscriptions import Subscriptions
from fleet.survey import Survey
from services.bot.models import PendingAnswer
from services.bot.notice_models import Notice
from services.points.correction_models import Hold
from services.rewards.models import Incentive, Redemption
from services.users.models import Member
from services.users.privacy_models import Erasure
from tests.conftest import ROOT, SERVICES


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def survey(service: str) -> None:
    Survey(service, threading.Event()).count()


def record(number: int) -> None:
    logged = ActivityLogged(new_id(), new_id(), "discord_activity", "community", 5, 1, now(), 5, 5)
    with transaction() as session:
        run(session, outbox.recording(session, [Entry(logged, new_id(), 1)] * number, source="points"))


class TestSurvey:
    def test_what_the_outbox_owes_is_counted_without_a_broker(self, on):
        on("points")
        record(3)
        with transaction() as session:
            session.execute(text("UPDATE outbox SET recorded_at = now() - interval '90 s' WHERE id % 3 = 0"))
            session.execute(text("UPDATE outbox SET retry_at = now() WHERE id % 3 = 1"))
        survey("points")
        assert value("outbox_messages") == 3
        assert value("outbox_put_off_messages") == 1
        assert 90 <= value("outbox_oldest_seconds") < 120
        assert now().timestamp() - value("survey_last_success_timestamp_seconds") < 30

    @pytest.mark.parametrize("service", SERVICES)
    def test_an_empty_database_owes_nothing(self, service, on):
        on(service)
        survey(service)
        found = [sample for family in REGISTRY.collect() for sample in family.samples]
        late = {sample.name: sample.value for sample in found if sample.name.endswith("_seconds")}
        assert late["outbox_oldest_seconds"] == 0

    def test_points(self, on):
        on("points")
        with transaction() as session:
            for hours, state in ((3, "held"), (1, "held"), (9, "captured")):
                made = now() - timedelta(hours=hours)
                session.add(
                    Hold(
                        redemption_id=new_id(),
                        member_id=new_id(),
                        points=40,
                        state=state,
                        created_at=made,
                        changed_at=made,
                    )
                )
        survey("points")
        assert (value("holds_open"), value("points_held")) == (2, 80)
        assert 10_800 <= value("holds_oldest_open_seconds") < 10_900
        assert (value("submissions_pending"), value("submissions_oldest_pending_seconds")) == (0, 0)

    def test_rewards(self, on):
        on("rewards")
        with transaction() as session:
            incentive = session.query(Incentive).first()
            for status, settling in (("requested", "hold"), ("declined", None), ("declined", None)):
                at = now() - timedelta(minutes=5)
                session.add(
                    Redemption(
                        id=new_id(),
                        member_id=new_id(),
                        incentive_id=incentive.id,
                        points_spent=1,
                        status=status,
                        settling=settling,
                        has_item=False,
                        version=1,
                        requested_at=at,
                        changed_at=at,
                        resend_at=now() if settling else None,
                        reason="too few points" if status == "declined" else None,
                    )
                )
        survey("rewards")
        assert value("redemptions", status="declined") == 2
        assert value("redemptions", status="pending") == 0
        assert value("redemptions_settling") == 1
        assert 300 <= value("redemptions_oldest_settling_seconds") < 330

    def test_users(self, on):
        on("users")
        with transaction() as session:
            member = Member(id=new_id(), role="student", status="erased")
            session.add(member)
            session.flush()
            session.add(
                Erasure(
                    id=new_id(),
                    member_id=member.id,
                    member_ids=[member.id],
                    pseudonym=new_id(),
                    receipt_hash=b"1",
                    requested_at=now() - timedelta(days=2),
                )
            )
            session.execute(
                text(
                    "INSERT INTO mail_queue (id, recipient, subject, text_body, html_body, recorded_at, failed_at) VALUES"
                    " (gen_random_uuid(), 'a@example.org', '', '', '', now() - interval '1 h', NULL),"
                    " (gen_random_uuid(), 'a@example.org', '', '', '', now() - interval '9 h', now())"
                )
            )
        survey("users")
        assert (value("members"), value("erasures_unfinished")) == (1, 1)
        assert 172_800 <= value("erasures_oldest_unfinished_seconds") < 172_900
        assert (value("mails_waiting"), value("mails_given_up")) == (1, 1)
        assert 3600 <= value("mails_oldest_seconds") < 3700

    def test_bot(self, on):
        on("bot")
        with transaction() as session:
            for number, (minutes, state) in enumerate(((4, "due"), (-4, "due"), (60, "told"))):
                session.add(
                    Notice(
                        id=new_id(),
                        event_id=new_id(),
                        recipient=f"discord:{number}",
                        kind="test",
                        data={},
                        state=state,
                        due_at=now() - timedelta(minutes=minutes),
                        channel_id="1" if state == "told" else None,
                        message_id="1" if state == "told" else None,
                    )
                )
            session.add(
                PendingAnswer(
                    message_id=new_id(),
                    kind="question",
                    type="points.get_standing.v1",
                    presenter="points",
                    arguments={},
                    discord_id="1",
                    due_at=now() - timedelta(seconds=1),
                )
            )
        survey("bot")
        assert (value("notices_owed"), value("answers_owed")) == (2, 1)
        assert 240 <= value("notices_oldest_due_seconds") < 300


class TestQueues:
    def test_a_service_may_count_its_own_queues_and_sees_its_dead(self, broker):
        connection = pika.BlockingConnection(pika.URLParameters(broker.url("topology")))
        connection.channel().basic_publish(topology.DEAD, "points.dead", b"{}")
        connection.close()
        stop = threading.Event()
        part = Depths("points", broker.url("points"), stop)
        thread = threading.Thread(target=part.run, daemon=True)
        thread.start()
        assert wait_until(lambda: value("queue_messages", queue="points.dead") == 1, 10), "the dead message is counted"
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
        assert {name: value("queue_messages", queue=name) for name in watched("points")} == {
            "points.commands": 0,
            "points.dead": 1,
            "points.events": 0,
            "points.questions": 0,
        }

    def test_without_a_broker_nothing_is_claimed(self, monkeypatch):
        metrics.depth.labels("points.dead").set(7)
        stop = threading.Event()
        part = Depths("points", "amqp://nobody:x@127.0.0.1:1/propel", stop)
        thread = threading.Thread(target=part.run, daemon=True)
        thread.start()
        assert wait_until(lambda: value("queue_messages", queue="points.dead") is None, 10), "the old number is gone"
        stop.set()
        thread.join(10)


class TestAfterCommit:
    def test_it_is_called_once_it_is_committed(self, on):
        on("points")
        called = []
        with transaction() as session:
            after_commit(session, lambda: called.append(1))
            assert called == []
        assert called == [1]

    def test_it_is_not_called_when_it_is_not(self, on):
        on("points")
        called = []
        with pytest.raises(ZeroDivisionError), transaction() as session:
            after_commit(session, lambda: called.append(1))
            raise ZeroDivisionError
        assert called == []


@pytest.fixture
def two_workers(on: Callable[[str], Any], tmp_path: Any) -> Iterator[str]:
    """Rewards in a gunicorn of two processes; its address."""
    entered = on("rewards")
    [port] = free_ports(1)
    values = {
        **os.environ,
        "DATABASE_URL": entered.url,
        "BIND": f"127.0.0.1:{port}",
        "WEB_WORKERS": "2",
        "WEB_THREADS": "1",
        "JWKS_URL": "http://127.0.0.1:1/jwks.json",
    }
    values.pop("PROMETHEUS_MULTIPROC_DIR", None)
    command = [sys.executable, "-m", "gunicorn", "-c", "fleet/gunicorn_conf.py", "services.rewards.app:create_app()"]
    with (tmp_path / "gunicorn.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=values, stdout=log, stderr=log)
    try:
        assert wait_until(http_ok(f"http://127.0.0.1:{port}/readyz"), 30), "gunicorn answers"
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def test_several_processes_are_one_in_what_they_tell(two_workers):
    def refused() -> None:
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{two_workers}/api/redemptions/{new_id()}/", timeout=10)

    threads = [threading.Thread(target=refused) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with urllib.request.urlopen(f"{two_workers}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    line = 'http_request_duration_seconds_count{method="GET",route="/api/redemptions/<uuid:redemption_id>/",status="401"} 20.0'
    assert line in page.splitlines(), [row for row in page.splitlines() if row.startswith("http_request")][:5]


def test_a_path_that_is_no_route_makes_no_label(two_workers):
    for path in ("/wp-login.php", f"/api/{new_id()}/"):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(two_workers + path, timeout=10)
    with urllib.request.urlopen(f"{two_workers}/metrics", timeout=10) as answer:
        page = answer.read().decode()
    routes = {row.split('route="')[1].split('"')[0] for row in page.splitlines() if 'route="' in row}
    assert routes == {"unknown"}


def test_a_message_that_waited_shows_how_long(on):
    from types import SimpleNamespace

    from fleet.contracts.points import GetStreak
    from fleet.messages import encode, envelope_for
    from fleet.queue_worker import Delivery, QueueWorker

    subscriptions = Subscriptions("points")
    subscriptions.handles(GetStreak)(lambda _session, _question: None)
    worker = QueueWorker(SimpleNamespace(service="points", subscriptions=subscriptions), "questions", 1)
    envelope = envelope_for(GetStreak(new_id()), source="bot")
    object.__setattr__(envelope, "time", now() - timedelta(seconds=40))
    before = value("message_wait_seconds_sum", queue="points.questions") or 0
    delivery = Delivery(None, 1, False, pika.BasicProperties(user_id="bot"), encode(envelope))
    assert worker._read(delivery)
    assert 40 <= value("message_wait_seconds_sum", queue="points.questions") - before < 60
