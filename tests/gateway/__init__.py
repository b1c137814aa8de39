"""Tests of the gateway: the real nginx in front of small real servers."""
