"""The two errors that the host tells apart from a bug."""


class InputError(Exception):
    """Something the user wrote cannot be used; the message says where, what, and the remedy in one line."""


class Stop(Exception):
    """Raised into a driver when its run has ended; let it pass, or catch it to tidy up and return."""
