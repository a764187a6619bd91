"""No server outlives its test."""

import pytest

from tests.annotate.clients import Server


@pytest.fixture(autouse=True)
def no_server_left():
    yield
    for server in list(Server.running):
        server.kill()
