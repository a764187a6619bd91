"""A session of twenty texts; no server outlives its test."""

import pytest

from alkit.annotate import LabelingSession
from tests.annotate.clients import Server
from tests.annotate.sessions import CLASSES, TEXTS


@pytest.fixture(autouse=True)
def no_server_left():
    yield
    for server in list(Server.running):
        server.kill()


@pytest.fixture
def session(tmp_path):
    with LabelingSession(TEXTS, CLASSES, tmp_path / "labels.db", random_state=0, random_share=0.0) as session:
        yield session
