"""Who may do what over the network: tokens, sign-in, levels, and the one table of what each route needs.

``policy`` says what a route needs, ``peer`` who asks, ``hosts`` which names and origins are ours, ``access`` keeps
tokens and sessions. The HTTP guard (``actors.api.access``) and the event feed both ask here.
"""
