"""The commands `leafbench service ...`; whatever they need is imported inside them."""

from __future__ import annotations

import os

import click

_port = click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Where to listen.  [any free port]"
)

NOT_PROTECTED = """
TensorFlow's servers listen on every network interface, whatever address they tell, and ask for no
password: whoever reaches the port can read files as you. Keep it behind a firewall.
"""


@click.group(epilog=NOT_PROTECTED)
def service() -> None:
    """Start the parts of a tf.data service, which decodes images for the variant `service`.

    One dispatcher, and a worker on each machine that is to decode; then, where the model trains:
    leafbench run --variants default,in_model,service --service HOST:PORT
    """


@service.command("dispatcher", epilog=NOT_PROTECTED)
@_port
@click.option(
    "--work", default="", metavar="DIR", help="Keep its state there, to go on after a restart."
)
def dispatcher(port: int, work: str) -> None:
    """Start the dispatcher, which tells workers what to do; Ctrl-C or SIGTERM ends it."""
    _quieten_tensorflow()
    from leafmodel.service import server

    def announce(started: object) -> None:
        address = f"{server.LOCAL}:{server.port_of(started)}"
        click.echo(f"leafbench: the tf.data service's dispatcher is at {address}")
        click.echo(f"its workers: leafbench service worker --dispatcher {address}")
        click.echo(NOT_PROTECTED.strip(), err=True)

    server.serve(lambda: server.dispatcher(port, work), announce)


@service.command("worker", epilog=NOT_PROTECTED)
@click.option(
    "--dispatcher", "of", required=True, metavar="HOST:PORT", help="The dispatcher's address."
)
@click.option(
    "--port",
    default=0,
    type=click.IntRange(0, 65535),
    help="Where to listen; name one to be able to start it again in its place.  [any free port]",
)
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Name or address under which the machine that trains reaches this one.",
)
def worker(of: str, port: int, host: str) -> None:
    """Start a worker, which decodes; Ctrl-C or SIGTERM ends it.

    It reads the images under the paths that they have where the model trains, so these must exist
    on this machine too: on a shared disk, or as copies in the same place.
    """
    _quieten_tensorflow()
    from leafmodel.service import server

    def announce(_started: object) -> None:
        click.echo(f"leafbench: a worker of the tf.data service {of} is ready, as {host}")
        click.echo(NOT_PROTECTED.strip(), err=True)

    server.serve(lambda: server.worker(of, port, host), announce)


def _quieten_tensorflow() -> None:
    """Before its import: what it tells of the processor and of ports is not for users."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
