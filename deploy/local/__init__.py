"""Local mode: the whole fleet on one machine without containers, made of the same real parts.

`bootstrap` makes `.venv`; `python -m deploy.local up|down|status|...` is what the Makefile calls; `fleet.py` is the
fleet on one page; `supervisor.py` keeps it alive; `backends.py` gives the tests their own PostgreSQL and RabbitMQ.
"""
