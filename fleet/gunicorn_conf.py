"""gunicorn for every web process: `gunicorn -c fleet/gunicorn_conf.py "services.points.app:create_app()"`.

An image holds one service and says which in SERVICE: there, `python -m gunicorn -c fleet/gunicorn_conf.py` is enough.
"""

import os
import tempfile

if service := os.environ.get("SERVICE"):
    wsgi_app = f"services.{service}.app:create_app()"
bind = os.environ.get("BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "1"))
threads = int(os.environ.get("WEB_THREADS", "16"))
worker_class = "gthread"
# As long as the gateway lets it be: what is longer is the gateway's to refuse, as a problem.
limit_request_line = 8190
timeout = 30
graceful_timeout = 20
# Longer than nginx keeps an idle upstream connection, or it would send a request into one that is just closing.
keepalive = 75
accesslog = None
logger_class = "fleet.gunicorn_log.JsonLogger"
worker_tmp_dir = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 memory, so that a slow disk cannot look like a dead worker
control_socket_disable = True

if workers > 1:
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="propel-metrics-"))


def post_worker_init(worker: object) -> None:
    """Let answers without an end know when this process is told to stop."""
    from fleet import stopping

    stopping.watch(lambda: not worker.alive)  # type: ignore[attr-defined]


def child_exit(_server: object, worker: object) -> None:
    """Forget the gauges of a worker that ended."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[attr-defined]
