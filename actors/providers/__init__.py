"""Providers run jobs: this machine, a cluster, or Replicate.

``base`` is the protocol of every provider, ``errors`` are its errors, ``guard`` surrounds its calls, ``registry`` has
the kinds that exist.
"""
