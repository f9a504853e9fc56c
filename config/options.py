"""What `bin/run` can be told, and what would stop it at once. Standard library only: nothing may be installed yet."""

from __future__ import annotations

import argparse
import errno
import os
import socket
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class Refused(Exception):  # noqa: N818 - the word for it
    """What stands in the way, as one sentence for the person at the console."""


def port_number(text: str) -> int:
    """A TCP port, 1 to 65535."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def read_options(arguments: list[str]) -> argparse.Namespace:
    """`host`, `port`, `data_dir` (absolute) and `demo`; prints help and exits on --help."""
    parser = argparse.ArgumentParser(
        prog="bin/run",
        allow_abbrev=False,
        description="Starts the whole service: PostgreSQL, Valkey, web server, Celery worker and beat.",
        epilog="DATABASE_URL, REDIS_URL, SECRET_KEY, ALLOWED_HOSTS, PUBLIC_URL, EMAIL_URL and SMS_URL are taken from "
        "the environment where they are set; then nothing of that kind is started here.",
    )
    parser.add_argument("--port", type=port_number, default=8000, metavar="N", help="port of the web server (8000)")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1: this machine only)")
    parser.add_argument(
        "--data-dir",
        type=Path,
        default=ROOT / ".data",
        metavar="DIR",
        help="folder for everything that is kept (.data)",
    )
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="no demo clinic on the first start")
    options = parser.parse_args(arguments)
    options.data_dir = options.data_dir.expanduser().resolve()
    return options


def as_arguments(options: argparse.Namespace) -> list[str]:
    """The command line that `read_options` reads back, whatever the working folder is."""
    words = ["--host", options.host, "--port", str(options.port), "--data-dir", str(options.data_dir)]
    return words if options.demo else [*words, "--no-demo"]


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on the address; Refused where it is taken, forbidden or not this machine's."""
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} is not an address of this machine.") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise Refused(refusal(error, host, port)) from error
    return listener


def refusal(error: OSError, host: str, port: int) -> str:
    """Why an address cannot be listened on."""
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: choose another with --port."
    if error.errno == errno.EACCES:
        return f"Port {port} needs more rights than this account has: choose one above 1023 with --port."
    return f"{host} cannot be listened on ({error.strerror}): choose another with --host."


def prepare_data_folder(folder: Path) -> None:
    """Makes the folder for its owner alone; Refused unless it is missing, empty or one that `bin/run` has made."""
    lock = folder / "lock"
    try:
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise Refused(f"{folder} belongs to another account: choose another folder with --data-dir.")
        if folder.is_dir() and any(folder.iterdir()) and not lock.exists():
            raise Refused(f"{folder} holds other things: choose an empty or a new folder with --data-dir.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        lock.touch(mode=0o600)
    except OSError as error:
        reason = error.strerror
        raise Refused(
            f"Cannot write to the data folder {folder} ({reason}): choose another with --data-dir."
        ) from error
