"""The operations of a runtime, by subject, for the command line, the HTTP API and embedding programs."""
