"""What all tests share: hypothesis sets no time limit, which would make a test depend on how busy a machine is."""

import os

import torch
from hypothesis import settings

settings.register_profile("alkit", deadline=None)
settings.load_profile("alkit")

if "PYTEST_XDIST_WORKER" in os.environ:
    # each worker has a core to itself
    torch.set_num_threads(1)
