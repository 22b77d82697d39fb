"""The errors that the host tells apart from a bug of its own."""


class InputError(Exception):
    """Something the user wrote cannot be used; the message says where, what, and the remedy in one line."""


class Stop(Exception):
    """Raised into a driver when its run has ended; let it pass, or catch it to tidy up and return."""


class PluginError(Exception):
    """A plug-in does what its contract forbids; the message says what, and what it should do instead."""
