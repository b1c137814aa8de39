"""How the fleet is put on a machine: images and Compose for Docker, `local/` for a machine without it."""
