"""Becomes another program that ends together with its parent, on request under an account without rights.

Run as a script, so that nothing but the standard library is loaded and no lock of the parent is inherited:
``python -I -S lifeline.py SIGNAL PARENT ACCOUNT COMMAND...`` where SIGNAL is sent to the program when the parent
(process id PARENT) dies, ACCOUNT is ``-`` or ``UID:GID``, COMMAND an absolute path with its arguments.

PostgreSQL refuses to run as root. As another account it cannot pass through root's private folders, so it keeps one
capability, the smallest that lets it: reading past permissions (capabilities(7), CAP_DAC_READ_SEARCH; containers often
lack that one and have CAP_DAC_OVERRIDE). No folder is opened to anybody for its sake.
"""

from __future__ import annotations

import ctypes
import os
import sys

NOT_ALLOWED = 97  # exit status: this environment does not let root change to the account

# linux/prctl.h, linux/capability.h
PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 1 << 2
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAP_DAC_READ_SEARCH = 2
CAPABILITY_VERSION_3 = 0x20080522


class CapabilityHeader(ctypes.Structure):
    _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]


class CapabilitySets(ctypes.Structure):
    _fields_ = [("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32)]


def end_with_parent(end_signal: int) -> None:
    """From now on this process gets the signal when its parent dies. Linux only; elsewhere nothing happens."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, end_signal, 0, 0, 0)


def permitted_capabilities(libc: ctypes.CDLL) -> int:
    """Bit set of the first 32 capabilities that this process may use."""
    sets = (CapabilitySets * 2)()
    libc.capget(ctypes.byref(CapabilityHeader(CAPABILITY_VERSION_3, 0)), sets)
    return int(sets[0].permitted)


def keep_capability(libc: ctypes.CDLL, capability: int) -> None:
    """Reduces this process to one capability and hands it on to the program that it becomes."""
    bits = 1 << capability
    sets = (CapabilitySets * 2)(CapabilitySets(bits, bits, bits))
    libc.capset(ctypes.byref(CapabilityHeader(CAPABILITY_VERSION_3, 0)), sets)
    libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def change_account(uid: int, gid: int) -> None:
    """Drops root for good; OSError where the environment forbids it."""
    libc = ctypes.CDLL(None)
    linux = sys.platform == "linux"
    capability = None
    if linux:
        permitted = permitted_capabilities(libc)
        capability = next((c for c in (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE) if permitted >> c & 1), None)
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # Else access(2), by which initdb looks for its programs, would not count the capability.
        libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if capability is not None:
        keep_capability(libc, capability)


def main(arguments: list[str]) -> None:
    """Never returns: becomes the command, or exits with a status."""
    signal, parent, account, command = int(arguments[0]), int(arguments[1]), arguments[2], arguments[3:]
    os.umask(0o077)
    if account != "-":
        uid, gid = map(int, account.split(":"))
        try:
            change_account(uid, gid)
        except OSError as error:
            sys.stderr.write(f"cannot change to account {account}: {error}\n")
            sys.exit(NOT_ALLOWED)
    end_with_parent(signal)  # last, since a change of account clears it
    if os.getppid() != parent:
        sys.exit(0)
    os.execv(command[0], command)  # noqa: S606 - becoming another program is what this one is for


if __name__ == "__main__":
    main(sys.argv[1:])
