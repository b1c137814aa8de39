"""The ships: one folder a service. They never import one another; they talk by messages."""
