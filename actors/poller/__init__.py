"""The poller: observes, cancels and settles submitted jobs until they end."""
