"""The supervisor, over small processes of our own."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from deploy.local.children import end_orphans, started, wait_until

ROOT = Path(__file__).resolve().parents[2]
PRELUDE = """
import sys
from pathlib import Path
from deploy.local.supervisor import Process, Supervisor

here = Path(sys.argv[1])
order = here / "order"

def sleeper(name, needs=(), **more):
    # Says when it starts and when it is told to stop.
    code = (
        "import signal, sys, time\\n"
        f"note = lambda what: open({str(order)!r}, 'a').write(f'{{what}} {name}\\\\n')\\n"
        "signal.signal(signal.SIGTERM, lambda *_: (note('stop'), sys.exit(0)))\\n"
        f"note('start'); open({str(here / name)!r}, 'w').close()\\n"
        "time.sleep(300)"
    )
    return Process(name, (sys.executable, "-c", code), needs=needs, ready=(here / name).exists, **more)
"""
CLOSING = """
sys.exit(Supervisor(processes, directory=here, logs=here / "logs", state=here / "state", held=here / "held").run())
"""


@pytest.fixture
def supervise(tmp_path):
    running = []

    def begin(processes: str) -> subprocess.Popen:
        script = PRELUDE + textwrap.dedent(processes) + CLOSING
        running.append(subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT))
        return running[-1]

    yield begin
    for process in running:
        if process.poll() is None:
            process.terminate()
            process.wait(20)


def state(directory: Path) -> dict:
    try:
        return json.loads((directory / "state").read_text())
    except FileNotFoundError:
        return {"phase": "", "processes": []}


def child(directory: Path, name: str) -> dict:
    return next(each for each in state(directory)["processes"] if each["name"] == name)


def await_phase(directory: Path, phase: str) -> None:
    assert wait_until(lambda: state(directory)["phase"] == phase, 20), state(directory)


def test_processes_start_after_what_they_need_and_stop_before_it(supervise, tmp_path):
    supervisor = supervise("""
        once = Process("once", (sys.executable, "-c", "pass"), needs=("base",))
        processes = [sleeper("top", ("once",)), once, sleeper("base")]
    """)
    await_phase(tmp_path, "up")
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert (tmp_path / "order").read_text().splitlines() == ["start base", "start top", "stop top", "stop base"]
    assert state(tmp_path)["phase"] == "down"


def test_a_killed_process_heals_by_itself(supervise, tmp_path):
    supervise("processes = [sleeper('one')]")
    await_phase(tmp_path, "up")
    first = child(tmp_path, "one")["pid"]
    os.kill(first, signal.SIGKILL)
    assert wait_until(lambda: child(tmp_path, "one")["restarts"] == 1, 10)
    assert wait_until(lambda: child(tmp_path, "one")["state"] == "healthy", 10)
    assert child(tmp_path, "one")["pid"] != first


def test_what_is_held_is_stopped_and_stays_so_until_it_is_let_go(supervise, tmp_path):
    supervise("processes = [sleeper('one'), sleeper('two')]")
    await_phase(tmp_path, "up")
    first, other = child(tmp_path, "one")["pid"], child(tmp_path, "two")["pid"]
    (tmp_path / "held").write_text("one\n")
    assert wait_until(lambda: child(tmp_path, "one")["state"] == "held", 10)
    assert started(first) is None
    time.sleep(0.5)
    assert (child(tmp_path, "one")["state"], child(tmp_path, "one")["pid"]) == ("held", None)
    (tmp_path / "held").unlink()
    assert wait_until(lambda: child(tmp_path, "one")["state"] == "healthy", 10)
    assert child(tmp_path, "one")["restarts"] == 0
    assert child(tmp_path, "two")["pid"] == other
    assert (tmp_path / "order").read_text().splitlines().count("stop one") == 1


def test_one_that_does_not_stop_when_it_is_to_be_held_is_killed(supervise, tmp_path):
    supervise("""
        deaf = Process("deaf", ("sh", "-c", "trap '' TERM; while :; do sleep 1; done"), ready=lambda: True, stop_seconds=0.3)
        processes = [deaf]
    """)
    await_phase(tmp_path, "up")
    (tmp_path / "held").write_text("deaf\n")
    assert wait_until(lambda: child(tmp_path, "deaf")["state"] == "held", 10)


def test_what_was_held_when_a_fleet_ended_is_not_when_it_begins_anew(supervise, tmp_path):
    (tmp_path / "held").write_text("one\n")
    supervise("processes = [sleeper('one')]")
    await_phase(tmp_path, "up")


def test_a_start_that_fails_names_the_process_shows_its_last_words_and_stops_the_rest(supervise, tmp_path):
    supervisor = supervise("""
        bad = Process("bad", (sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"), needs=("good",))
        processes = [sleeper("good"), bad]
    """)
    assert supervisor.wait(20) == 1
    found = state(tmp_path)
    assert found["phase"] == "failed"
    assert found["failure"] == {
        "name": "bad",
        "sentence": "bad ended with status 3 while starting",
        "lines": ["no such thing"],
    }
    assert "stop good" in (tmp_path / "order").read_text()


def test_a_process_that_never_gets_ready_is_named(supervise, tmp_path):
    supervisor = supervise("""
        processes = [Process("slow", ("sleep", "300"), ready=lambda: False, start_seconds=0.3)]
    """)
    assert supervisor.wait(20) == 1
    assert state(tmp_path)["failure"]["sentence"] == "slow was not ready after 0 s"


def test_one_that_ignores_the_request_to_stop_is_killed_with_all_it_started(supervise, tmp_path):
    supervisor = supervise("""
        # A grandchild in a session of its own, as PostgreSQL's are.
        deaf = "trap '' TERM; setsid sleep 301 & sleep 302 & while :; do sleep 1; done"
        processes = [Process("deaf", ("sh", "-c", deaf), ready=lambda: True, stop_seconds=0.3)]
    """)
    await_phase(tmp_path, "up")
    below = psutil.Process(supervisor.pid).children(recursive=True)
    assert len(below) >= 3
    supervisor.terminate()
    assert supervisor.wait(20) == 0
    assert not [process for process in below if process.is_running()]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_nothing_survives_a_supervisor_that_is_killed(supervise, tmp_path):
    supervisor = supervise("processes = [sleeper('one'), sleeper('two')]")
    await_phase(tmp_path, "up")
    recorded = {each["pid"]: each["started"] for each in state(tmp_path)["processes"]}
    supervisor.kill()
    supervisor.wait(5)
    assert wait_until(lambda: not any(map(started, recorded)), 10)


def test_orphans_are_ended_by_the_record_and_strangers_with_their_number_are_not():
    orphan, stranger = (subprocess.Popen(["sleep", "300"], start_new_session=True) for _ in range(2))
    try:
        end_orphans({orphan.pid: started(orphan.pid) or "", stranger.pid: "started at another time"}, seconds=5)
        assert wait_until(lambda: orphan.poll() is not None, 5)
        assert stranger.poll() is None
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()
