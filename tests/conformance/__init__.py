"""One suite for all back ends: which of the behaviours that people rely on hold on which scheduler.

make conformance ON=slurm          the matrix of one back end, tried now
pytest tests/conformance           all that can be started here, against docs/reference/backends
"""
