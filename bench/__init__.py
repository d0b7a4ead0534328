"""The harness: plans trials, runs each in a fresh process, compares them, reports.

Only `bench.worker`, `bench.timing` and `bench.profiling` import TensorFlow, and none of the
others imports them.
"""
