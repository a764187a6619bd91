"""Ctrl-C, sent to a real process at random moments of a fit and of a query, leaves learner and torch as they were."""

import subprocess
import sys

import pytest

from tests.interrupted import NETWORKS


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_ctrl_c_at_random_moments(network):
    command = [sys.executable, "-m", "tests.interrupted", network, "15", "0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 10  # interrupts that fell into a fit or a query
