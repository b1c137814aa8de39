"""The messaging core under faults: killed processes, restarted servers, doubled and shuffled messages."""
