"""How fast, beside what the machine can do: `make bench` or `python -m tests.bench ONLY=P3 MEMBERS=100000`.

Every figure is measured on real servers with fsync on, next to a limit of the same machine measured between its runs, so
that the ratio means something elsewhere too. Works: P1 to P8 and P10 (see `works.py`); P9 is
measured by the tests of reviews.
"""
