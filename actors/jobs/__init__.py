"""Meaning, pure: what a job is, what may happen to it, who is next, and why. No trio, no I/O, no logging.

``now`` is an argument of everything that decides, so each decision can be tested without a clock, a store or a task.
"""
