"""A session of twenty texts, on either kind of database; no server outlives its test."""

import pytest

from alkit.annotate import LabelingSession
from alkit.annotate.database.places import as_place
from tests.annotate.clients import Server
from tests.annotate.sessions import CLASSES, TEXTS


@pytest.fixture(autouse=True)
def no_server_left():
    yield
    for server in list(Server.running):
        server.kill()


@pytest.fixture(scope="session")
def cluster():
    """A PostgreSQL server, started by the first test that needs one; fast, and careless unless told otherwise."""
    postgres = pytest.importorskip("tests.annotate.postgres", reason="psycopg is not installed", exc_type=ImportError)
    if reason := postgres.reason_to_skip():
        pytest.skip(reason)
    cluster = postgres.Cluster("fsync=off", "synchronous_commit=off", "full_page_writes=off")
    yield cluster
    cluster.remove()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request, tmp_path):
    """Where a database is to be made, of either kind."""
    return as_place(tmp_path / "labels.db" if request.param == "sqlite" else request.getfixturevalue("cluster").url())


@pytest.fixture
def session(database):
    with LabelingSession(TEXTS, CLASSES, database, random_state=0, random_share=0.0) as session:
        yield session
