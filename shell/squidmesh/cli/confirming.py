"""Asking before something is done that cannot be taken back."""

import click


class Declined(click.Abort):
    """Somebody was asked, and said no."""


def confirm(question: str) -> None:
    """
    Ask, and go on if the answer is yes.

    Raises:
        Declined: It is no.
        click.Abort: There is none.
    """
    if not click.confirm(question):
        raise Declined
