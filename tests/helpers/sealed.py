"""Run a program that dies when it opens a network socket.

    python sealed.py PROGRAM [ARGUMENT ...]

A seccomp filter, inherited by every thread and child, kills the process at socket(AF_INET or
AF_INET6, ...): no library, in whatever language, gets past it. Linux on x86-64 and AArch64; needs
no privileges.
"""

import ctypes
import os
import platform
import struct
import sys

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
KILL_PROCESS, ALLOW = 0x8000_0000, 0x7FFF_0000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
SYSTEM_CALL, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
AF_INET, AF_INET6 = 2, 10
SOCKET_CALL = {"x86_64": (0xC000_003E, 41), "aarch64": (0xC000_00B7, 198)}


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def instructions() -> bytes:
    """The filter: kill on socket() of the two internet families, allow the rest."""
    audit, socket_call = SOCKET_CALL[platform.machine()]
    rows = [
        (LOAD, 0, 0, ARCHITECTURE),
        (JUMP_IF_EQUAL, 0, 6, audit),
        (LOAD, 0, 0, SYSTEM_CALL),
        (JUMP_IF_EQUAL, 0, 4, socket_call),
        (LOAD, 0, 0, FIRST_ARGUMENT),
        (JUMP_IF_EQUAL, 1, 0, AF_INET),
        (JUMP_IF_EQUAL, 0, 1, AF_INET6),
        (RETURN, 0, 0, KILL_PROCESS),
        (RETURN, 0, 0, ALLOW),
    ]
    return b"".join(struct.pack("HBBI", *row) for row in rows)


def seal() -> None:
    """Install the filter for this process and all it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = instructions()
    program = Program(len(code) // 8, code)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "the kernel refuses the system-call filter")


if __name__ == "__main__":
    seal()
    os.execvp(sys.argv[1], sys.argv[1:])
