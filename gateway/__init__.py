"""The gateway: the one door of the fleet. nginx routes, limits and logs; what it refuses, it refuses as problem+json.

`render.render` turns the templates beside it (`nginx.conf`, `checks.conf`, `proxy.conf`, `part.conf` and one snippet per
service) into a directory that nginx runs from. It holds no business rule and asks nobody who the caller is.
"""
