"""Settings of all tests. Hypothesis measures no time here: the machine is shared, and slow is not wrong."""

from hypothesis import settings

settings.register_profile("ferrule", settings.default, deadline=None)
settings.load_profile("ferrule")
