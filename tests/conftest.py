"""What all tests share: hypothesis sets no time limit, which would make a test depend on how busy a machine is."""

from hypothesis import settings

settings.register_profile("alkit", deadline=None)
settings.load_profile("alkit")
