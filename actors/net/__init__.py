"""The network code of both servers: bounded connections and writes, TLS, counts of clients' faults."""
