"""A folder for the PYTHONPATH of processes that the tests start."""
