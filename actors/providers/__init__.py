"""A provider runs jobs: this machine, a cluster, or Replicate.

``base`` says what every provider is to the runtime, ``errors`` how it refuses, ``guard`` how it is called, ``registry``
which kinds there are.
"""
