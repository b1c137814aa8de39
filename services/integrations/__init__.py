"""integrations: the doors for other systems. It keeps what may be told outside, in one order, and tells it.

Hears every public event and stores it once, with its position (`feed.py`); nothing else is ever told outside.
  the feed       feed, tail: pages by position, waiting for what comes next; the same as a live stream for members
  webhooks       webhooks, deliveries, posting, deliverer: signed requests to addresses of integrators, tried for three days
  again          replay: a window once more, to one webhook or to the queue of one integrator
  who may        keys: API keys of integrators with scopes, an end, and when they were used last
  the dead       desk: messages that a service could not apply, shown with their cause, sent round or thrown away
  people         privacy, letters
Publishes nothing of its own; it may write to `propel.replay` only. `*_api.py` are the HTTP doors, `models.py` the tables.
"""
