"""gunicorn's own lines, from the first one on, as every other line of the process: JSON on standard output."""

from typing import Any

from gunicorn.glogging import Logger

from fleet import logs


class JsonLogger(Logger):
    """gunicorn's logger, whose lines go the way of ours."""

    def setup(self, cfg: Any) -> None:
        """Called in the parent before it says anything, and kept by its workers."""
        super().setup(cfg)
        # "services.points.app:create_app()"
        logs.configure((cfg.wsgi_app or cfg.proc_name).split(".")[1], "web")
        self.error_log.handlers.clear()
        self.error_log.propagate = True
