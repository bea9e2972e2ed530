"""How a notification leaves: as a signed request to a URL, or on the standard input of a command."""
