"""Sends notifications: as a signed request to a URL, or on the standard input of a command."""
