"""Both overlays, rendered once."""

import copy

import pytest

from deploy.local.debian import Unavailable
from deploy.manifests.render import OVERLAYS, manifests, overlays


@pytest.fixture(scope="session")
def _rendered():
    try:
        return {name: manifests(OVERLAYS / name) for name in overlays()}
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture
def rendered(_rendered):
    """`rendered("production")`: its manifests, the test's own to change."""
    return lambda overlay: copy.deepcopy(_rendered[overlay])
