"""How fast, beside what the machine can do: `make bench` or `python -m tests.bench ONLY=P3 MEMBERS=100000`.

Every figure is measured on real servers with fsync on, next to a limit of the same machine measured between its runs, so
that the ratio means something elsewhere too. Works: P1 to P7 and P10 (see `works.py`); P8 and P9 are
measured by the tests of reviews.
"""
