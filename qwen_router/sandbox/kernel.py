"""The kernel's own walls, put around the process that calls: namespaces, Landlock, seccomp, limits, no capabilities.

Runs inside the sandbox's child, on the standard library alone (ctypes for the calls that Python lacks). Each function
returns whether the wall stands; the child refuses to run code when one is missing that was there at the first try
(`host.protects`). On systems other than Linux all but the resource limits return False.

    python -c "from qwen_router.sandbox import kernel; print(kernel.landlock_version(), kernel.can_filter())"
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Iterable
from contextlib import suppress

if __package__:
    from qwen_router.sandbox.syscalls import ALLOWED, ARCHITECTURES, ARGUED
else:  # the child runs this file on its own
    from syscalls import ALLOWED, ARCHITECTURES, ARGUED  # type: ignore[import-not-found,no-redef]

LINUX = sys.platform.startswith("linux")
_SECCOMP = {"x86_64": 317, "aarch64": 277}
_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # the same number on every architecture
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NAME, _PR_GET_NAME = 1, 4, 15, 16
_PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 22, 24, 36, 38
_EPERM, _ENOSYS = 1, 38


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(*arguments: object) -> int:
    """A system call by its number: what it returns, -1 for an error."""
    function = _libc().syscall
    function.restype = ctypes.c_long
    return int(function(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments)))


def _prctl(option: int, value: int = 0) -> bool:
    function = _libc().prctl
    return int(function(ctypes.c_int(option), *(ctypes.c_ulong(v) for v in (value, 0, 0, 0)))) == 0


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def limit(*, memory_mib: int, cpu_s: int, file_mib: int, files: int, processes: int | None) -> bool:
    """Resource limits of this process and what it starts. `processes` counts all of the user's (None: left alone)."""
    try:
        import resource
    except ImportError:  # Windows
        return False
    mib = 1024**2
    wanted = {
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_MEMLOCK": (0, 0),
        "RLIMIT_CPU": (cpu_s, cpu_s + 1),
        "RLIMIT_FSIZE": (file_mib * mib,) * 2,
        "RLIMIT_NOFILE": (files,) * 2,
    }
    if processes is not None:
        wanted["RLIMIT_NPROC"] = (processes,) * 2
    if LINUX:
        wanted["RLIMIT_MSGQUEUE"] = (0, 0)
        wanted["RLIMIT_AS"] = (memory_mib * mib,) * 2
    held = True
    for name, (soft, hard) in wanted.items():
        try:
            kind = getattr(resource, name)
            most = resource.getrlimit(kind)[1]
            if most != resource.RLIM_INFINITY:
                soft, hard = min(soft, most), min(hard, most)
            resource.setrlimit(kind, (soft, hard))
        except (AttributeError, ValueError, OSError):
            held = False
    return held and LINUX  # elsewhere memory is watched from outside


# ── processes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def die_with_parent() -> None:
    """This process is killed when the thread that started it ends, and children of children that die become its own."""
    if LINUX:
        _prctl(_PR_SET_PDEATHSIG, 9)
        _prctl(_PR_SET_SUBREAPER, 1)


def namespaces() -> tuple[str, ...]:
    """Leave the machine's processes, network and shared memory: the names of what was left, none where it is not allowed.

    The process ids of the next child are its own; the network is an empty one, with not even a loopback that is up.
    """
    if not LINUX:
        return ()
    flags = {"user": 0x10000000, "pid": 0x20000000, "network": 0x40000000, "ipc": 0x08000000, "host name": 0x04000000}
    uid, gid = os.getuid(), os.getgid()
    if _libc().unshare(ctypes.c_int(sum(flags.values()))) == 0:
        with suppress(OSError):
            for file, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
                with open(f"/proc/self/{file}", "w") as out:
                    out.write(text)
        return tuple(flags)
    del flags["user"]  # root in a container may be allowed the others
    return tuple(flags) if _libc().unshare(ctypes.c_int(sum(flags.values()))) == 0 else ()


def no_new_rights() -> bool:
    """No program run from here on gains rights (setuid), and other processes of the user cannot trace this one."""
    return LINUX and _prctl(_PR_SET_NO_NEW_PRIVS, 1) and _prctl(_PR_SET_DUMPABLE, 0)


def no_capabilities() -> bool:
    """Give up what root may do, for good."""
    if not LINUX:
        return False
    for capability in range(64):
        _prctl(_PR_CAPBSET_DROP, capability)
    header = ctypes.create_string_buffer(struct.pack("=Ii", 0x20080522, 0))
    return int(_libc().capset(header, ctypes.create_string_buffer(24))) == 0


# ── files: Landlock ─────────────────────────────────────────────────────────────────────────────────────────────────────

_READ_FILE, _READ_FOLDER = 1 << 2, 1 << 3
_EXECUTE, _DEVICES_AND_SOCKETS = 1 << 0, 1 << 6 | 1 << 9 | 1 << 11
_ON_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15


def landlock_version() -> int:
    """The version that the kernel speaks, 0 for none."""
    return max(0, _call(_LANDLOCK_CREATE, 0, 0, 1)) if LINUX else 0


def _file_rights(version: int) -> int:
    """Every right over files that this version can withhold: 13 in the first, then moving, truncating, device calls."""
    bits = 13 + (version >= 2) + (version >= 3) + (version >= 5)
    return int((1 << bits) - 1)


def landlock(readable: Iterable[str], listable: Iterable[str], writable: Iterable[str]) -> int:
    """From here on: read only what lies at or below `readable`, list also `listable`, write only below `writable`, run no
    program, open no TCP connection (version 4 on), signal nobody outside (6 on). What is open already stays open. The
    version that stands, 0 for none.
    """
    version = landlock_version()
    if not version:
        return 0
    handled = _file_rights(version)
    network = 3 if version >= 4 else 0
    scoped = 3 if version >= 6 else 0
    attributes = struct.pack("=QQQ", handled, network, scoped)[: 24 if version >= 6 else 16 if version >= 4 else 8]
    rules = _call(_LANDLOCK_CREATE, ctypes.create_string_buffer(attributes, len(attributes)), len(attributes), 0)
    if rules < 0:
        return 0
    try:
        write = handled & ~_EXECUTE & ~_DEVICES_AND_SOCKETS
        allowed = all([_allow(rules, path, _READ_FILE | _READ_FOLDER) for path in readable])
        allowed = all([_allow(rules, path, _READ_FOLDER) for path in listable]) and allowed
        allowed = all([_allow(rules, path, write) for path in writable]) and allowed
        return version if allowed and _call(_LANDLOCK_RESTRICT, rules, 0) == 0 else 0
    finally:
        os.close(rules)


def _allow(rules: int, path: str, rights: int) -> bool:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return True  # what is not there needs no permission
    try:
        if not os.path.isdir(path):
            rights &= _ON_FILES
        attributes = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        return _call(_LANDLOCK_ADD, rules, 1, attributes, 0) == 0
    finally:
        os.close(place)


# ── system calls: seccomp ───────────────────────────────────────────────────────────────────────────────────────────────

_LOAD, _EQUAL, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x45, 0x54, 0x06
_PASS, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_Instruction = tuple[int, int, int, int]


def can_filter() -> bool:
    """Whether this kernel filters system calls and the numbers of this architecture are known here."""
    if not LINUX or platform.machine() not in ARCHITECTURES or sys.maxsize < 2**32:
        return False
    action = ctypes.c_uint32(_ERROR)
    return _call(_SECCOMP[platform.machine()], 2, 0, ctypes.byref(action)) == 0


def _low(argument: int) -> int:
    """Where the lower half of an argument lies in what a filter sees (struct seccomp_data, little-endian)."""
    return 16 + 8 * argument


def filter_program(machine: str, pid: int) -> list[_Instruction]:
    """The filter: which calls pass, by number and, where the number is not enough, by arguments. The rest is EPERM.

    Threads pass and processes do not; signals only to `pid`; a pair of connected sockets (asyncio needs one) and data to
    the other end of it, not to an address; limits are read, not set.
    """
    column, architecture = ARCHITECTURES[machine]
    refuse, let = (_RETURN, 0, 0, _ERROR | _EPERM), (_RETURN, 0, 0, _PASS)

    def only(argument: int, *values: int) -> list[_Instruction]:
        """Passes when the low half of the argument is one of the values (arguments that the kernel reads as an int)."""
        tests = [(_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values)]
        return [(_LOAD, 0, 0, _low(argument)), *tests, refuse, let]

    def null(argument: int) -> list[_Instruction]:
        halves = [(_LOAD, 0, 0, _low(argument)), (_EQUAL, 0, 2, 0), (_LOAD, 0, 0, _low(argument) + 4), (_EQUAL, 1, 0, 0)]
        return [*halves, refuse, let]

    thread, new_namespace, unix, stream = 0x00010000, 0x7E020080, 1, 1
    argued: dict[str, list[_Instruction]] = {
        "clone": [(_LOAD, 0, 0, _low(0)), (_ANY_BIT, 0, 1, thread), (_ANY_BIT, 0, 1, new_namespace), refuse, let],
        "clone3": [(_RETURN, 0, 0, _ERROR | _ENOSYS)],  # its flags lie in memory; the C library goes on with clone
        "kill": only(0, pid),
        "tgkill": only(0, pid),
        "prctl": only(0, _PR_SET_NAME, _PR_GET_NAME),
        "prlimit64": null(2),
        "ioctl": only(1, 0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451),  # sizes, blocking and closing: no terminal input
        "socketpair": [
            *((_LOAD, 0, 0, _low(0)), (_EQUAL, 0, 3, unix), (_LOAD, 0, 0, _low(1)), (_AND, 0, 0, 0xF)),
            *((_EQUAL, 1, 0, stream), refuse, let),
        ],
        "sendto": null(4),
    }
    assert set(argued) == set(ARGUED)
    program: list[_Instruction] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    for numbers in ALLOWED.values():
        if numbers[column] >= 0:
            program += [(_EQUAL, 0, 1, numbers[column]), let]
    for name, test in argued.items():
        program += [(_EQUAL, 0, len(test), ARGUED[name][column]), *test]
    return [*program, refuse]


def filter_calls() -> bool:
    """From here on this process makes only the calls of `filter_program`. It cannot be undone."""
    if not can_filter():
        return False
    program = filter_program(platform.machine(), os.getpid())
    packed = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    code = ctypes.create_string_buffer(packed, len(packed))
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(code)))
    function = _libc().prctl
    return int(function(ctypes.c_int(_PR_SET_SECCOMP), ctypes.c_ulong(2), header, ctypes.c_ulong(0), ctypes.c_ulong(0))) == 0
