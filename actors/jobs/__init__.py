"""The meaning of jobs, as pure code: what a job is, what may happen to it, which is next, and why. No trio, I/O or
logging.

``now`` is an argument of everything that decides, so each decision can be tested without a clock, a store or a task.
"""
