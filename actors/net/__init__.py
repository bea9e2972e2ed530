"""What both servers need of a network: bounded connections and writes, TLS, an account of what clients do wrong."""
