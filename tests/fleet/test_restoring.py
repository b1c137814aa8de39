"""A restored service counts on where nobody has been: every number that others see is raised, and none of what others count."""

import importlib
import re

import pytest
from sqlalchemy import Integer

from fleet import restoring
from fleet.topology import SERVICES
from tests.told_anew import raise_all

COUNTED = re.compile(r"version|sequence|position|number")


@pytest.mark.parametrize("service", SERVICES)
def test_every_number_of_a_service_is_raised_or_kept_for_a_reason(service):
    """A new column that counts something needs a place in services/<service>/restoring.py."""
    tables = importlib.import_module(f"services.{service}.models").Base.metadata.sorted_tables
    counted = {
        f"{table.name}.{column.name}"
        for table in tables
        for column in table.columns
        if isinstance(column.type, Integer) and COUNTED.search(column.name)
    }
    module = restoring.of(service)
    assert set(module.RAISED) & set(module.KEPT) == set()
    # The security version that users itself keeps for its own door is a table of the fleet's.
    assert {*module.RAISED, *module.KEPT} - {"auth_state.security_version"} == counted


@pytest.mark.parametrize("service", SERVICES)
def test_the_service_itself_may_raise_them(on, service):
    on(service)
    raise_all(service)


def test_words_that_are_no_instant_are_refused():
    assert restoring._instant("2026-11-27T05:40Z") == restoring._instant("2026-11-27T05:40")
    with pytest.raises(ValueError, match="half past"):
        restoring._instant("half past five")
