"""What every ship of the fleet has: settings, logs, database, messages, web, sign-in checks.

It knows no business word (`contracts` apart, the language the services share) and imports no service.
"""
