"""Webhooks: signed, tried for three days, resent and replayed with the same ids, and never led into our own network."""

import ipaddress
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import text
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from fleet.database import transaction
from fleet.messages import new_id, now
from services.integrations import deliveries, posting
from services.integrations.deliverer import Deliverer
from tests.integrations.conftest import hear, logged


def send_all() -> int:
    """Send what is due until nothing is, as the worker does."""
    count, part = 0, Deliverer(threading.Event())
    with ThreadPoolExecutor(4) as pool:
        while sent := part.send_due(pool):
            count += sent
    return count


def later(**words: float) -> None:
    """Let time pass for every delivery that waits."""
    with transaction() as session:
        session.execute(
            text("UPDATE deliveries SET due_at = due_at - :by, begun_at = begun_at - :by"), {"by": timedelta(**words)}
        )


def deliveries_of(boss, made, query=""):
    return boss("GET", f"/api/webhooks/{made['id']}/deliveries/{query}").get_json()["items"]


def shown(boss, made):
    return boss("GET", f"/api/webhooks/{made['id']}/").get_json()


def test_an_event_is_posted_once_signed_as_the_standard_says(boss, webhook, receiver):
    made = webhook()
    event = logged()
    hear(event)
    assert send_all() == 1
    assert send_all() == 0
    [body] = receiver.verified(made["secret"])
    assert (body["id"], body["type"]) == (str(event.id), "points.activity_logged.v1")
    headers, _body = receiver.requests[0]
    assert headers["webhook-id"] == str(event.id)
    assert headers["content-type"] == "application/cloudevents+json"
    [delivery] = deliveries_of(boss, made)
    assert (delivery["status"], delivery["attempts_made"]) == ("delivered", 1)
    assert delivery["attempts"][0]["status"] == 204
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + "A" * 43 + "=").verify(receiver.requests[0][1], headers)


def test_only_what_was_asked_for_and_only_from_then_on(webhook, receiver):
    hear(logged())
    webhook(types=["rewards.reward_redeemed.v1"])
    webhook(types=["points.activity_logged.v1"])
    event = logged()
    hear(event)
    send_all()
    assert receiver.ids() == [str(event.id)]


def test_what_fails_is_tried_again_later_with_the_same_id_and_a_fresh_signature(boss, webhook, receiver):
    made = webhook()
    receiver.answers = [500, (503, {"Retry-After": "900"})]
    hear(logged())
    assert send_all() == 1
    [delivery] = deliveries_of(boss, made)
    assert (delivery["status"], delivery["attempts"][0]["status"]) == ("waiting", 500)
    assert send_all() == 0
    later(seconds=7)
    assert send_all() == 1
    later(seconds=120)
    assert send_all() == 0, "Retry-After of a quarter of an hour holds"
    later(seconds=900)
    assert send_all() == 1
    assert len(set(receiver.ids())) == 1
    assert len(receiver.verified(made["secret"])) == 3
    assert deliveries_of(boss, made)[0]["status"] == "delivered"


def test_pauses_grow_to_half_a_day_and_last_three_days():
    pauses = [deliveries.pause_s(n) for n in range(1, 20)]
    assert 4 <= pauses[0] <= 6
    assert all(later > earlier for earlier, later in pairwise(pauses[:10]))
    assert max(pauses) <= 43_200 * 1.1


def test_after_three_days_it_is_given_up_and_a_webhook_that_took_nothing_is_switched_off(
    boss, webhook, receiver, row_count
):
    made = webhook()
    receiver.answers = [500] * 50
    hear(logged())
    attempts = 0
    while shown(boss, made)["status"] == "active":
        attempts += send_all()
        later(hours=6)
        assert attempts < 40
    assert 8 <= attempts <= 20
    assert deliveries_of(boss, made)[0]["status"] == "given_up"
    assert "took nothing for 72 hours" in shown(boss, made)["disabled_because"]
    [mail] = rows("SELECT recipient, subject, text_body FROM mail_queue")
    assert mail.recipient == "ops@acme.example"
    assert made["url"] in mail.text_body
    # Nothing is kept for it while it is off.
    hear(logged())
    assert row_count("deliveries") == 1


def rows(statement):
    with transaction() as session:
        return session.execute(text(statement)).all()


def test_one_that_takes_other_events_stays_on(boss, webhook, receiver):
    made = webhook()
    hear(logged())
    receiver.answers = [500]
    send_all()
    hear(logged())
    assert send_all() == 1, "the first one is not due yet"
    later(hours=73)
    receiver.answers = [500]
    send_all()
    statuses = sorted(each["status"] for each in deliveries_of(boss, made))
    assert statuses == ["delivered", "given_up"]
    assert shown(boss, made)["status"] == "active"


def test_an_address_that_is_gone_is_switched_off_at_once_and_can_be_switched_on(boss, webhook, receiver):
    made = webhook()
    receiver.answers = [410]
    event, missed = logged(), logged()
    hear(event)
    send_all()
    off = shown(boss, made)
    assert (off["status"], off["disabled_because"]) == ("disabled", "its address answers that it is gone (410)")
    hear(missed)
    assert boss("POST", f"/api/webhooks/{made['id']}/enable/").get_json()["status"] == "active"
    send_all()
    assert receiver.ids() == [str(event.id)] * 2
    window = {"since": off["disabled_at"]}
    assert boss("POST", f"/api/webhooks/{made['id']}/replay/", json=window).get_json() == {"events": 1}
    send_all()
    assert receiver.ids()[-1] == str(missed.id)


def test_a_redirect_is_a_failure_and_nobody_follows_it(boss, webhook, receiver):
    made = webhook()
    receiver.answers = [(307, {"Location": receiver.url})]
    hear(logged())
    send_all()
    assert len(receiver.requests) == 1
    assert "redirects are not followed" in deliveries_of(boss, made)[0]["attempts"][0]["error"]


def test_a_resend_goes_out_again_whatever_became_of_it(boss, webhook, receiver):
    made = webhook()
    hear(logged())
    send_all()
    [delivery] = deliveries_of(boss, made)
    path = f"/api/webhooks/{made['id']}/deliveries/{delivery['id']}/resend/"
    assert boss("POST", path).status_code == 202
    assert deliveries_of(boss, made, "?status=waiting")[0]["id"] == delivery["id"]
    send_all()
    assert len(receiver.ids()) == 2
    assert len(set(receiver.ids())) == 1
    other = webhook()
    assert boss("POST", path.replace(made["id"], other["id"])).status_code == 404


def test_a_replay_sends_each_event_of_the_window_once_more(boss, webhook, receiver):
    before = logged()
    hear(before)
    made = webhook()
    event = logged()
    hear(event)
    send_all()
    window = {"since": (now() - timedelta(minutes=5)).isoformat()}
    for _twice in range(2):
        assert boss("POST", f"/api/webhooks/{made['id']}/replay/", json=window).get_json() == {"events": 2}
    send_all()
    assert receiver.ids()[0] == str(event.id)
    assert sorted(receiver.ids()[1:]) == sorted([str(before.id), str(event.id)])


def test_a_secret_is_rotated_without_a_gap(boss, webhook, receiver):
    made = webhook()
    new = boss("POST", f"/api/webhooks/{made['id']}/rotate_secret/", json={"overlap_hours": 24}).get_json()
    assert new["secret"] != made["secret"]
    hear(logged())
    send_all()
    assert receiver.verified(made["secret"])
    assert receiver.verified(new["secret"])
    with transaction() as session:
        session.execute(text("UPDATE webhooks SET previous_until = now()"))
    receiver.requests.clear()
    hear(logged())
    send_all()
    assert receiver.verified(new["secret"])
    with pytest.raises(WebhookVerificationError):
        receiver.verified(made["secret"])


def test_nobody_is_shown_a_secret_a_second_time(boss, webhook):
    made = webhook()
    for path in ("/api/webhooks/", f"/api/webhooks/{made['id']}/", f"/api/webhooks/{made['id']}/deliveries/"):
        answer = boss("GET", path)
        assert made["secret"] not in answer.get_data(as_text=True)
    assert made["secret"] not in boss("PATCH", f"/api/webhooks/{made['id']}/", json={"name": "b"}).get_data(
        as_text=True
    )


def test_two_workers_never_send_one_delivery_at_once(webhook, receiver):
    webhook()
    hear(*(logged() for _ in range(40)))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _n: send_all(), range(4)))
    assert sorted(receiver.ids()) == sorted(set(receiver.ids()))
    assert len(receiver.ids()) == 40


def test_who_dies_while_sending_leaves_it_to_be_sent_again(webhook, receiver):
    webhook()
    event = logged()
    hear(event)
    with transaction() as session:
        assert len(deliveries.claim(session, 10)) == 1
    assert send_all() == 0
    later(seconds=deliveries.LEASE_S)
    assert send_all() == 1
    assert receiver.ids() == [str(event.id)]


def test_a_webhook_that_is_deleted_takes_its_deliveries_along_also_those_under_way(boss, webhook, row_count):
    made = webhook()
    hear(logged())
    with transaction() as session:
        [claimed] = deliveries.claim(session, 1)
    assert boss("DELETE", f"/api/webhooks/{made['id']}/").status_code == 204
    with transaction() as session:
        deliveries.settle(session, claimed, now(), posting.Outcome(200, None, 1))
    assert row_count("deliveries") == row_count("attempts") == 0


def test_the_log_keeps_the_last_attempts(boss, webhook, receiver, row_count):
    made = webhook()
    hear(logged())
    for _ in range(33):
        receiver.answers = [500]
        with transaction() as session:
            session.execute(text("UPDATE deliveries SET due_at = now(), begun_at = now()"))
        send_all()
    with transaction() as session:
        assert deliveries.trim(session) == 3
    assert len(deliveries_of(boss, made)[0]["attempts"]) == row_count("attempts") == deliveries.LOG_KEPT


class TestAddresses:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "ff02::1",
            "192.0.2.1",
            "198.18.0.1",
        ],
    )
    def test_private_ones_are_no_public_ones_however_they_are_wrapped(self, address):
        assert not posting.is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"])
    def test_public_ones_are(self, address):
        assert posting.is_public(ipaddress.ip_address(address))

    @pytest.mark.parametrize(
        "url",
        [
            "http://events.example.com/",
            "ftp://events.example.com/",
            "https://user:pass@events.example.com/",
            "https://events.example.com/#part",
            "https:///path",
            "https://10.0.0.1/",
            "https://[::1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://events.example.com:99999/",
            "https://exa mple.com/",
            "https://events.example.com/\r\nX: y",
            "javascript:alert(1)",
            "",
            "x" * 3000,
        ],
    )
    def test_an_address_that_cannot_be_one_is_refused(self, boss, monkeypatch, row_count, url):
        monkeypatch.setenv("INTEGRATIONS_ALLOWED_NETWORKS", "")
        from fleet import settings

        settings.read.cache_clear()
        answer = boss("POST", "/api/webhooks/", json={"name": "a", "url": url, "contact": "ops@acme.example"})
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["pointer"] == "/url"
        assert row_count("webhooks") == 0

    def test_a_name_that_resolves_into_our_network_is_not_asked(self, monkeypatch, receiver):
        monkeypatch.setenv("INTEGRATIONS_ALLOWED_NETWORKS", "")
        from fleet import settings

        settings.read.cache_clear()
        port = receiver.server.server_address[1]
        outcome = posting.post(f"https://localhost:{port}/", ["whsec_" + "A" * 44], str(new_id()), now(), "{}")
        assert (outcome.status, outcome.error) == (None, "leads into a private network")
        assert receiver.requests == []

    def test_of_several_addresses_none_may_be_private(self, monkeypatch):
        def resolve(*_arguments, **_words):
            return [(0, 0, 0, "", ("1.1.1.1", 443)), (0, 0, 0, "", ("10.0.0.1", 443))]

        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        outcome = posting.post("https://rebind.example.com/", ["whsec_" + "A" * 44], str(new_id()), now(), "{}")
        assert outcome.error == "leads into a private network"

    def test_the_connection_goes_to_the_address_that_was_looked_at(self, monkeypatch, receiver):
        """A name that resolves to something else the second time is not resolved a second time."""
        port, asked = receiver.server.server_address[1], []

        def resolve(host, *_arguments, **_words):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

        real = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **w: real(host, *a, **w) if host[0].isdigit() else resolve(host)
        )
        outcome = posting.post(f"http://events.acme.test:{port}/x", ["whsec_" + "A" * 44], str(new_id()), now(), "{}")
        assert (outcome.status, asked) == (204, ["events.acme.test"])
        assert receiver.requests[0][0]["host"] == f"events.acme.test:{port}"

    def test_one_that_trickles_is_cut_off(self):
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            done = threading.Event()

            def trickle() -> None:
                line, _address = listening.accept()
                with line:
                    while not done.wait(0.05):
                        try:
                            line.sendall(b"HTTP/1.1 200 OK\r\n" if not line else b"x")
                        except OSError:
                            return

            thread = threading.Thread(target=trickle)
            thread.start()
            began = time.monotonic()
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
            outcome = posting.post(url, ["whsec_" + "A" * 44], str(new_id()), now(), "{}", limit_s=0.5)
            done.set()
            thread.join(5)
        assert outcome.status is None
        assert outcome.error and outcome.error.startswith("no answer")
        assert time.monotonic() - began < 5

    def test_nobody_listening_is_a_failure_with_words(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        outcome = posting.post(f"http://127.0.0.1:{port}/", ["whsec_" + "A" * 44], str(new_id()), now(), "{}")
        assert outcome.error == "no answer: ConnectionRefusedError"


@pytest.mark.parametrize(
    ("words", "pointer"),
    [
        ({"types": ["points.points_held.v1"]}, "/types"),
        ({"types": []}, "/types"),
        ({"contact": "nobody"}, "/contact"),
        ({"name": "\n"}, "/name"),
        ({"secret": "mine"}, "/secret"),
        ({"status": "disabled"}, "/status"),
    ],
)
def test_a_wrong_webhook_is_not_made(boss, row_count, words, pointer):
    body = {"name": "acme", "url": "https://events.example.com/", "contact": "ops@acme.example", **words}
    answer = boss("POST", "/api/webhooks/", json=body)
    assert answer.status_code == 422
    assert answer.get_json()["errors"][0]["pointer"] == pointer
    assert row_count("webhooks") == 0


def test_there_are_not_too_many(boss, webhook, monkeypatch):
    monkeypatch.setattr("services.integrations.webhooks.MOST", 1)
    webhook()
    body = {"name": "b", "url": "https://events.example.com/", "contact": "ops@acme.example"}
    assert boss("POST", "/api/webhooks/", json=body).get_json()["type"].endswith("/too-many-webhooks")


def test_an_outcome_is_delivered_only_by_a_2xx():
    assert [n for n in (100, 199, 200, 299, 300, 404, 500) if posting.Outcome(n, None, 1).delivered] == [200, 299]
    assert not posting.Outcome(None, "x", 1).delivered
