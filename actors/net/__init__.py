"""What both servers need of a network: bounded connections and writes, TLS, and an account of what clients did wrong."""
