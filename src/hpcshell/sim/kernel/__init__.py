"""The fast scheduler of one pool of processors: rigid jobs, one countable resource, no names.

It is the loop of `policy.decide` for the plain case a workload log describes, on bare numbers, so
that years of a log take less than a second. A law holds it to `decide`: equal starts, whatever the
work. The source is run by the interpreter as it stands, or compiled by numba (`compiled`); so it is
written in the subset of Python that both understand, and calls `primitives` for its lists.

Times are seconds. Jobs are numbered by their place in the log, which is sorted by submit time.
"""
