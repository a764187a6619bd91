"""A database with items."""

from contextlib import ExitStack, closing

import pytest

from alkit.annotate.database.store import LabelStore
from tests.annotate.database.stores import fill


@pytest.fixture
def filled(database):
    """Make a store with items, closed in the end."""
    with ExitStack() as stack:

        def make(n=6, overlap=1):
            return fill(stack.enter_context(closing(LabelStore(database))), n, overlap)

        yield make
