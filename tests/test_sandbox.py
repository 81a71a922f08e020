"""The sandbox under attack, one way at a time, and what honest code gets from it. docs/sandbox.md lists the same attacks.

An attack prints GOT when it gets through. Where it can it goes through libc, past the audit hook, so that what is tested is
the kernel's wall. On Linux with Landlock and seccomp everything has to hold; elsewhere a test names what nothing prevents.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen_router.errors import InvalidRequest
from qwen_router.sandbox import Limits, Protection, Run, api, host, kernel, protects, run_python
from qwen_router.sandbox.folder import measured, remove

LIBC = """
import os
try:
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
except ImportError:  # where no kernel's wall stands, the audit hook refuses it
    print('done')
    raise SystemExit
"""
QUICK = Limits(wall_s=0.6)
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="calls of Linux's C library")


def attack(code: str, *, against: str, limits: Limits | None = None) -> Run:
    """Run an attack; where nothing here prevents `against`, the test ends with that sentence instead."""
    here = protects()
    if not getattr(here, against):
        assert not (kernel.landlock_version() and kernel.can_filter()), f"this kernel could prevent {against}: {here}"
        pytest.skip(f"on this system nothing prevents {against.replace('_', ' ')}: {here}")
    done = run_python(code, limits=limits or Limits(wall_s=20))
    assert "GOT" not in done.stdout.text + done.stderr.text + (done.value or ""), done
    return done


@pytest.fixture(autouse=True)
def _nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every run's folder is gone afterwards."""
    here = tmp_path / "temporary"
    here.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(here))
    yield
    assert list(here.iterdir()) == []


def refused(done: Run) -> bool:
    return done.error is not None and ("PermissionError" in done.error or "Operation not permitted" in done.error)


# ── what holds is known ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_linux_with_landlock_and_seccomp_contains_everything() -> None:
    here = protects()
    if kernel.landlock_version() and kernel.can_filter():
        assert here.contained, str(here)
        assert {"Landlock", "seccomp", "resource limits", "no new rights"} <= set(here.walls)
    else:
        assert not here.contained
        assert "NOT CONTAINED" in str(here)


def test_what_no_wall_prevents_is_named() -> None:
    bare = api._protection(("audit hook",), 0, root=False)
    assert bare.missing == (
        "reading_files", "writing_files", "network", "programs", "processes", "signals", "tracing", "memory",
    )  # fmt: skip
    assert str(bare).startswith("NOT CONTAINED: nothing on this system prevents reading files, writing files, network")
    assert not bare.contained


def test_a_wall_that_is_missing_once_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    if "Landlock" not in protects().walls:
        pytest.skip(str(protects()))
    monkeypatch.setitem(host.SWITCHES, "landlock", False)
    with pytest.raises(InvalidRequest, match="Landlock is missing"):
        run_python("print('GOT')")


# ── time, memory, disk, output ──────────────────────────────────────────────────────────────────────────────────────────


def test_attack_a_loop_of_1e9_is_stopped_by_processor_time() -> None:
    done = run_python("for i in range(10**9): pass\nprint('GOT')", limits=Limits(wall_s=30, cpu_s=1))
    assert done.stopped is not None and "computed for more than 1 s" in done.stopped
    assert "GOT" not in done.stdout.text


def test_attack_a_loop_that_ignores_signals_is_stopped() -> None:
    code = "from signal import *\nfor s in (SIGTERM, SIGINT, SIGXCPU): signal(s, SIG_IGN)\nwhile True: pass"
    assert run_python(code, limits=QUICK).stopped == "stopped after 0.6 s"


def test_attack_sleeping_is_stopped_by_the_clock() -> None:
    assert run_python("import time\ntime.sleep(1000)", limits=QUICK).stopped == "stopped after 0.6 s"


@pytest.mark.skipif(os.name == "nt", reason="descriptors as on POSIX")
def test_attack_sleeping_with_closed_output_is_stopped() -> None:
    done = run_python("import os, time\nos.close(1); os.close(2)\ntime.sleep(1000)", limits=QUICK)
    assert done.stopped == "stopped after 0.6 s"


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("b = bytearray(10**10)\nprint('GOT')", id="at-once"),
        pytest.param("b = []\nwhile True: b.append(bytearray(10**7))", id="piece-by-piece"),
        pytest.param("x = 10**10**8\nprint('GOT')", id="a-long-number"),
    ],
)
def test_attack_memory(code: str) -> None:
    done = attack(code, against="memory", limits=Limits(wall_s=1.5, memory_mib=256))
    assert not done.ok
    if "10**10**8" not in code:
        assert done.error is not None and done.error.endswith("MemoryError (the sandbox has 256 MiB)")


@linux
def test_attack_a_bomb_of_threads_ends_at_the_memory_s_limit() -> None:
    code = """
import threading
stop, count = threading.Event(), 0
try:
    while count < 100_000:
        threading.Thread(target=stop.wait, daemon=True).start()
        count += 1
    print("GOT")
except (RuntimeError, MemoryError):
    stop.set()
    print("ended")
"""
    assert attack(code, against="memory").stdout.text == "ended\n"


def test_attack_printing_100_mb_keeps_a_few_kib_here() -> None:
    done = run_python("for _ in range(100): print('x' * 999_999)", limits=Limits(wall_s=20, output_bytes=5000))
    assert done.ok, done
    assert len(done.stdout.text) == 5000
    if os.name != "nt":
        assert done.stdout.more_bytes == 100_000_000 - 5000


def test_attack_printing_without_end_is_stopped() -> None:
    done = run_python("while True: print('x' * 10000)", limits=QUICK)
    assert done.stopped is not None
    assert len(done.stdout.text) <= QUICK.output_bytes


@linux
def test_attack_writing_10_gb_into_one_file_ends_at_the_file_s_limit() -> None:
    code = "with open('big', 'wb', buffering=0) as f:\n    for _ in range(10_000): f.write(bytes(10**6))\nprint('GOT')"
    done = run_python(code, limits=Limits(wall_s=20, file_mib=2))
    assert done.error is not None and "File too large" in done.error
    assert "GOT" not in done.stdout.text


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param(
            "i = 0\nwhile True:\n    open(str(i), 'wb').write(bytes(10**6)); i += 1", "took more than 8 MiB", id="many-files"
        ),
        pytest.param("i = 0\nwhile True:\n    open(str(i), 'w').close(); i += 1", "more than 300 files", id="empty-files"),
        pytest.param(
            "import os, time\nfor _ in range(3000):\n    os.mkdir('d'); os.chdir('d')\ntime.sleep(9)",
            "nested too deep",
            id="deep",
        ),
    ],
)
def test_attack_filling_the_disk_is_stopped_and_cleaned_up(code: str, reason: str) -> None:
    done = run_python(code, limits=Limits(wall_s=20, disk_mib=8, disk_files=300))
    assert done.stopped is not None and reason in done.stopped


@pytest.mark.skipif(os.name == "nt", reason="permissions as on POSIX")
def test_attack_folders_that_resist_removal_are_removed(tmp_path: Path) -> None:
    deep = tmp_path / "work"
    deep.mkdir()
    here = os.getcwd()
    os.chdir(deep)
    try:
        for _ in range(1050):
            os.mkdir("d")
            Path("file").touch()
            os.symlink("/etc", "out")
            os.chdir("d")
    finally:
        os.chdir(here)
    assert measured(deep, most_entries=100_000) is None
    remove(deep)
    assert not deep.exists()
    assert Path("/etc").is_dir()


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_attack_reading_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By Python's open and by the C library's, so past the audit hook."""
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret")
    monkeypatch.setenv("QWEN_ROUTER_SECRET", "hidden")
    home = Path.home()
    paths = [
        secret, tmp_path, home, home / ".bashrc", home / ".ssh", Path(host.__file__), Path(__file__), "/etc/passwd",
        "/etc/shadow",
        "/proc/self/environ", "/proc/self/mem", "/proc/self/maps", f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getpid()}/mem",
        f"/proc/{os.getpid()}/cmdline", "/proc/1/environ", "/proc/1/root/etc/passwd", "/proc/self/root/etc/passwd",
        "/proc/self/cwd/../../secret", "/sys/kernel/notes", "/dev/mem", "/dev/sda", "/dev/shm", "/", "/tmp", "/var/log",
        "../report", "../../secret.txt", "../job",
    ]  # fmt: skip
    code = f"""
import os
paths = {list(map(str, paths))!r}
try:
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
except ImportError:
    libc = None
for path in paths:
    try:
        open(path, 'rb').read(1); print('GOT', path)
    except OSError: pass
    try:
        print('GOT', path, os.listdir(path))
    except OSError: pass
    if libc and libc.open(path.encode(), 0) >= 0: print('GOT by libc', path)
    if libc and libc.openat(-100, path.encode(), 0) >= 0: print('GOT by openat', path)
if any('SECRET' in name or 'hidden' in value for name, value in os.environ.items()): print('GOT environ')
print('done')
"""
    assert attack(code, against="reading_files").stdout.text == "done\n"


def test_attack_an_open_descriptor_of_ours_is_not_inherited(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a secret")
    descriptor = os.open(tmp_path / "secret", os.O_RDONLY)
    try:
        os.set_inheritable(descriptor, True)
        code = """
import os
for fd in range(3, 64):
    try: print('GOT', fd, os.read(fd, 10))
    except OSError: pass
"""
        assert run_python(code).stdout.text == ""
    finally:
        os.close(descriptor)


def test_attack_writing_outside(tmp_path: Path) -> None:
    victim = tmp_path / "victim.txt"
    victim.write_text("whole")
    victim.chmod(0o644)
    before = victim.stat()
    code = f"""
import os
victim, new = {str(victim)!r}, {str(tmp_path / "new.txt")!r}
deeds = [
    lambda: open(victim, 'w'), lambda: open(victim, 'r+'), lambda: open(new, 'w'), lambda: os.truncate(victim, 0),
    lambda: os.unlink(victim), lambda: os.rename(victim, 'mine'), lambda: os.rename('mine', new),
    lambda: os.chmod(victim, 0),
    lambda: os.utime(victim, (0, 0)), lambda: os.link(victim, 'linked'), lambda: os.link('mine', new),
    lambda: os.symlink('x', new), lambda: os.mkdir(new), lambda: os.rmdir(os.path.dirname(victim)),
    lambda: os.mkfifo(new), lambda: os.mknod(new), lambda: os.chown(victim, 1, 1),
    lambda: os.setxattr(victim, 'user.a', b'1'),
    lambda: open('/proc/self/oom_score_adj', 'w'), lambda: open('/dev/shm/x', 'w'), lambda: open('/tmp/x', 'w'),
]
open('mine', 'w').close()
for number, deed in enumerate(deeds):
    try: deed(); print('GOT', number)
    except (OSError, AttributeError): pass
try:
    import ctypes
    libc, v, n = ctypes.CDLL(None, use_errno=True), victim.encode(), new.encode()
    for name, arguments in dict(open=(v, 1), creat=(n, 438), truncate=(v, 0), unlink=(v,), rename=(v, b'mine'), chmod=(v, 0),
                                link=(v, b'linked'), mkdir=(n, 511), symlink=(b'x', n), chown=(v, 1, 1),
                                mknod=(n, 0o100644, 0),
                                utimes=(v, 0), removexattr=(v, b'user.a')).items():
        if getattr(libc, name)(*arguments) >= 0: print('GOT by libc', name)
except ImportError: pass
print('done')
"""
    assert attack(code, against="writing_files").stdout.text == "done\n"
    after = victim.stat()
    assert victim.read_text() == "whole"
    assert (after.st_mode, after.st_mtime_ns, after.st_uid, after.st_nlink) == (
        before.st_mode, before.st_mtime_ns, before.st_uid, 1,
    )  # fmt: skip
    assert not (tmp_path / "new.txt").exists()


@pytest.mark.skipif(os.name == "nt", reason="links as on POSIX")
def test_attack_a_symlink_out_of_the_folder(tmp_path: Path) -> None:
    """It can be made, leads nowhere, and the clean-up does not follow it."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept.txt").write_text("a secret")
    code = f"""
import os
os.symlink({str(outside)!r}, 'way')
os.symlink({str(outside / "kept.txt")!r}, 'file')
for path in ('way/kept.txt', 'file'):
    for mode in ('r', 'r+', 'w', 'a'):
        try: open(path, mode).read(); print('GOT', path)
        except OSError: pass
"""
    attack(code, against="reading_files")
    assert (outside / "kept.txt").read_text() == "a secret"


# ── network ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.loopback
def test_attack_network_tcp_udp_ipv6_and_names() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        for one in (server, datagrams):
            one.settimeout(0.05)
        code = f"""
import socket, urllib.request
tcp, udp = {server.getsockname()[1]}, {datagrams.getsockname()[1]}
def datagram():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s: s.sendto(b'x', ('127.0.0.1', udp))
def listen():
    with socket.socket() as s: s.bind(('127.0.0.1', 0)); s.listen()
for deed in (lambda: socket.create_connection(('127.0.0.1', tcp), 1), datagram, listen,
             lambda: socket.create_connection(('::1', tcp), 1), lambda: socket.getaddrinfo('example.org', 80),
             lambda: urllib.request.urlopen(f'http://127.0.0.1:{{tcp}}/', timeout=1),
             lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW), 
             lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
             lambda: socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)):
    try: deed(); print('GOT')
    except (OSError, AttributeError) as error: pass
print('done')
"""
        assert attack(code, against="network").stdout.text == "done\n"
        with pytest.raises(TimeoutError):
            server.accept()
        with pytest.raises(TimeoutError):
            datagrams.recv(1)


@linux
@pytest.mark.loopback
def test_attack_network_by_the_c_library() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        code = (
            LIBC
            + f"""
import struct
address = struct.pack('=H', 2) + struct.pack('!H', {server.getsockname()[1]}) + bytes([127, 0, 0, 1]) + bytes(8)
for family in (1, 2, 10, 16, 17, 40):
    for kind in (1, 2, 3):
        s = libc.socket(family, kind, 0)
        if s >= 0 and family == 2 and libc.connect(s, address, 16) == 0: print('GOT')
print('done')
"""
        )
        assert attack(code, against="network").stdout.text == "done\n"
        with pytest.raises(TimeoutError):
            server.accept()


@linux
@pytest.mark.loopback
def test_attack_network_unix_sockets_by_name_abstract_and_by_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair of sockets is allowed (asyncio needs one); it must not reach an address."""
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as named, socket.socket(socket.AF_UNIX) as abstract:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as letterbox:
            named.bind("named")
            abstract.bind("\0qwen-router-test")
            letterbox.bind("letterbox")
            for one in (named, abstract):
                one.listen()
            for one in (named, abstract, letterbox):
                one.settimeout(0.05)
            code = (
                LIBC
                + f"""
import socket
box, name = {str(tmp_path / "letterbox")!r}, {str(tmp_path / "named")!r}
for target in (name, '\\0qwen-router-test'):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(target); print('GOT', target)
    except OSError: pass
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
    try: a, b = socket.socketpair(socket.AF_UNIX, kind)
    except OSError: continue
    short = b'\\1\\0' + os.path.relpath(box).encode() + b'\\0'
    if libc.sendto(a.fileno(), b'x', 1, 0, short, len(short)) >= 0: print('GOT by sendto', kind)
    try: a.sendmsg([b'x'], [], 0, os.path.relpath(box)); print('GOT by sendmsg', kind)
    except OSError: pass
print('done')
"""
            )
            assert attack(code, against="network").stdout.text == "done\n"
            for one in (named, abstract):
                with pytest.raises(TimeoutError):
                    one.accept()
            with pytest.raises(TimeoutError):
                letterbox.recv(1)


# ── processes, programs, signals ────────────────────────────────────────────────────────────────────────────────────────


def test_attack_a_fork_bomb_forks_not_once() -> None:
    assert refused(attack("import os\nwhile True: os.fork()", against="processes"))


@linux
def test_attack_a_fork_bomb_by_the_c_library_forks_not_once() -> None:
    code = (
        LIBC
        + """
for call in (libc.fork, libc.vfork, lambda: libc.syscall(56 if os.uname().machine == 'x86_64' else 220, 17, 0, 0, 0, 0),
             lambda: libc.syscall(435, ctypes.create_string_buffer(88), 88)):
    if call() >= 0: print('GOT')
print('done')
"""
    )
    if "seccomp" not in protects().walls:
        pytest.skip(f"without seccomp processes are made, counted and ended: {protects()}")
    assert attack(code, against="processes").stdout.text == "done\n"


@linux
def test_attack_a_daemon_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the filter taken away processes can be made: the namespace, or the hunt for descendants, ends them."""
    monkeypatch.setitem(host.SWITCHES, "seccomp", False)
    monkeypatch.setitem(host.SWITCHES, "audit", False)
    code = (
        LIBC
        + """
import time
for _ in range(20):
    if libc.fork() == 0:
        libc.setsid()
        if libc.fork() == 0:
            while True: time.sleep(1)
        os._exit(0)
print('made')
"""
    )
    for namespaces in (True, False):
        monkeypatch.setitem(host.SWITCHES, "namespaces", namespaces)
        before = children_named(str(tmp_path))
        assert host.run("python", code=code, limits=Limits(wall_s=10)).stdout.text == "made\n"
        assert children_named(str(tmp_path)) <= before


def children_named(text: str) -> set[int]:
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdigit() and text in (folder / "cmdline").read_text():
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def test_attack_running_another_program() -> None:
    code = f"""
import os, subprocess, sys
for deed in (lambda: os.system('echo GOT'), lambda: subprocess.run([{sys.executable!r}, '-c', 'print("GOT")']),
             lambda: os.popen('echo GOT').read(), lambda: os.posix_spawn('/bin/sh', ['sh', '-c', 'echo GOT'], {{}}),
             lambda: __import__('multiprocessing').get_context('spawn').Process(target=print, args=('GOT',)).start(),
             lambda: __import__('pty').spawn(['/bin/sh', '-c', 'echo GOT'])):
    try: deed()
    except (OSError, AttributeError, ImportError): pass
print('done', flush=True)
os.execv({sys.executable!r}, ['python', '-c', 'print("GOT")'])
"""
    done = attack(code, against="programs")
    assert done.stdout.text == "done\n"
    assert refused(done)


@linux
def test_attack_running_another_program_by_the_c_library() -> None:
    code = (
        LIBC
        + """
arguments = (ctypes.c_char_p * 4)(b'sh', b'-c', b'echo GOT', None)
open('mine.sh', 'w').write('#!/bin/sh\\necho GOT')
for path in (b'/bin/sh', b'/usr/bin/env', b'mine.sh'):
    libc.execve(path, arguments, None)
libc.system(b'echo GOT')
print('done')
"""
    )
    assert attack(code, against="programs").stdout.text == "done\n"


@linux
def test_attack_signals_to_the_parent_and_to_everybody() -> None:
    got = []
    before = [pid for pid in (os.getpid(), os.getppid())]
    code = (
        LIBC
        + f"""
for pid in ({before[0]}, {before[1]}, os.getppid(), 0, -1, 1, 2):
    for number in (9, 15, 18):
        if pid == 0 or pid == os.getpid(): continue
        try: os.kill(pid, number); print('GOT', pid)
        except OSError: pass
        if libc.kill(pid, number) == 0: print('GOT by libc', pid)
        if libc.tgkill(pid, pid, number) == 0: print('GOT by tgkill', pid)
print('done')
"""
    )
    done = attack(code, against="signals")
    assert done.stdout.text == "done\n", done
    assert got == []


@linux
def test_attack_tracing_rights_and_namespaces_by_system_calls() -> None:
    """Each call that would gain something is refused: -1, whatever its arguments."""
    names = {
        "x86_64": dict(
            ptrace=101, process_vm_readv=310, process_vm_writev=311, setuid=105, setgid=106, setreuid=113, setresuid=117,
            setgroups=116, capset=126, unshare=272, setns=308, mount=165, umount2=166, pivot_root=155, chroot=161,
            reboot=169,
            sethostname=170, init_module=175, kexec_load=246, add_key=248, keyctl=250, perf_event_open=298, bpf=321,
            seccomp=317,
            userfaultfd=323, memfd_create=319, io_uring_setup=425, pidfd_open=434, pidfd_send_signal=424, pidfd_getfd=438,
            open_by_handle_at=304, name_to_handle_at=303, fsopen=430, move_mount=429, open_tree=428, mount_setattr=442,
            shmget=29, msgget=68, semget=64, mq_open=240, inotify_init1=294, fanotify_init=300, personality=135,
            quotactl=179,
            swapon=167, iopl=172, ioperm=173, settimeofday=164, clock_settime=227, setpriority=141, sched_setscheduler=144,
            setrlimit=160, setsid=112, setpgid=109, acct=163, syslog=103, kcmp=312, ioprio_set=251, openat2=437,
            memfd_secret=447,
            landlock_create_ruleset=444, modify_ldt=154, vhangup=153, chmod=90, fchmod=91, fchmodat=268, chown=92,
            utimensat=280,
            setxattr=188, mknod=133, truncate=76,
        ),
        "aarch64": dict(
            ptrace=117, process_vm_readv=270, process_vm_writev=271, setuid=146, setgid=144, setreuid=145, setresuid=147,
            setgroups=159, capset=91, unshare=97, setns=268, mount=40, umount2=39, pivot_root=41, chroot=51, reboot=142,
            add_key=217, keyctl=219, perf_event_open=241, bpf=280, seccomp=277, userfaultfd=282, memfd_create=279,
            io_uring_setup=425, pidfd_open=434, pidfd_getfd=438, open_by_handle_at=265, shmget=194, setsid=157, setpgid=154,
            fchmod=52, fchmodat=53, fchownat=54, utimensat=88, mknodat=33, truncate=45,
        ),
    }  # fmt: skip
    machine = os.uname().machine
    if machine not in names or "seccomp" not in protects().walls:
        pytest.skip(f"no filter of system calls on {machine}: {protects()}")
    code = (
        LIBC
        + f"""
for name, number in {names[machine]!r}.items():
    for arguments in ((0, 0, 0, 0), (1, 1, 0, 0), (16, {os.getpid()}, 0, 0)):
        ctypes.set_errno(0)
        if libc.syscall(number, *arguments) != -1 or ctypes.get_errno() != 1: print('GOT', name, ctypes.get_errno())
if os.getresuid()[0] != os.getresuid()[1]: print('GOT another user')
print('done')
"""
    )
    assert attack(code, against="tracing").stdout.text == "done\n"


@linux
def test_attack_limits_cannot_be_raised_and_terminals_not_typed_into() -> None:
    code = (
        LIBC
        + """
import fcntl, resource
for kind in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
    try: resource.setrlimit(kind, (resource.RLIM_INFINITY,) * 2); print('GOT', kind)
    except (OSError, ValueError): pass
for request in (0x5412, 0x540E, 0x8912, 0x40049409):  # type into a terminal, take one, list interfaces, clone a file
    try: fcntl.ioctl(0, request, b'x' * 40); print('GOT', request)
    except OSError: pass
for option in (4, 8, 22, 24, 36, 38, 47):
    if libc.prctl(option, 1, 0, 0, 0) == 0: print('GOT', option)
print('done')
"""
    )
    assert attack(code, against="tracing").stdout.text == "done\n"


# ── tricks within Python ────────────────────────────────────────────────────────────────────────────────────────────────


TRICKS = {
    "reload": """
import importlib
open = importlib.reload(importlib.import_module('io')).open
""",
    "builtins": """
open = __builtins__['open'] if isinstance(__builtins__, dict) else __builtins__.open
""",
    "modules-taken-out": """
import sys
for name in ('os', 'io', 'posix', 'ctypes', 'builtins'): sys.modules.pop(name, None)
import os, io
open = io.open
""",
    "subclasses": """
io_base = next(c for c in object.__subclasses__() if c.__name__ == '_IOBase')
raw = next(c for c in io_base.__subclasses__() if c.__name__ == '_RawIOBase')
open = next(c for c in raw.__subclasses__() if c.__name__ == 'FileIO')
""",
    "patched-paths": """
import os, posixpath
posixpath.realpath = os.path.realpath = lambda path, **options: os.getcwd()
""",
    "patched-os": """
import os
os.fsdecode = lambda path: os.getcwd()
os.lstat = os.readlink = lambda *given, **options: 1 / 0
""",
    "the-hook-itself": """
import gc, os, types
for found in gc.get_objects():
    if isinstance(found, types.FunctionType) and found.__closure__:
        for cell in found.__closure__:
            if getattr(cell.cell_contents, '__name__', '') == 'realpath':
                cell.cell_contents = lambda path: os.getcwd()
""",
    "a-loader": """
import importlib.machinery
def open(path, mode='r'): return importlib.machinery.SourceFileLoader('x', path).get_data(path)
""",
    "linecache": """
import linecache
def open(path, mode='r'): return linecache.getlines(path) or 1 / 0
""",
    "sqlite": """
import sqlite3
def open(path, mode='r'):
    connection = sqlite3.connect(':memory:')
    connection.execute(f"attach '{path}' as x")
    return connection.execute('select * from x.sqlite_master').fetchall()
""",
    "mmap": """
import mmap, os
def open(path, mode='r'): return mmap.mmap(os.open(path, os.O_RDONLY), 0, prot=mmap.PROT_READ)
""",
    "numpy": """
import numpy
def open(path, mode='r'): return numpy.fromfile(path, dtype='u1')
""",
    "shutil": """
import shutil
def open(path, mode='r'): return shutil.copy(path, 'mine')
""",
    "a-thread": """
import threading
ours = open
def open(path, mode='r'):
    got = []
    def steal():
        try: got.append(ours(path, mode))
        except OSError: pass
    thread = threading.Thread(target=steal); thread.start(); thread.join()
    return got[0]
""",
}


@pytest.mark.parametrize("trick", TRICKS.values(), ids=TRICKS)
def test_attack_import_tricks_end_at_the_kernel(trick: str, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("a secret")
    code = f"""{trick}
for path in ({str(tmp_path / "secret.txt")!r}, '/etc/passwd'):
    try: open(path, 'rb'); print('GOT')
    except Exception as error: print('refused')
"""
    assert attack(code, against="reading_files").stdout.text == "refused\nrefused\n"


def test_attack_packages_beside_python_are_not_found() -> None:
    code = """
for name in ('pip', 'pytest', 'qwen_router', 'pydantic', 'kernel', 'child', 'testing'):
    try: __import__(name); print('GOT', name)
    except ImportError: pass
"""
    attack(code, against="reading_files")


def test_attack_a_forged_report_shows_and_nothing_else() -> None:
    """The code can write into its own report: a lie about itself, shown as its value; the limits are kept from outside."""
    code = """
import os, time
for fd in range(3, 20):
    try: os.write(fd, b'{"value": "a lie", "done": true}\\n' + b'[' * 100000 + b'\\n\\xff\\n{"error": 5}\\n')
    except OSError: pass
time.sleep(100)
"""
    done = run_python(code, limits=QUICK)
    assert done.stopped == "stopped after 0.6 s"
    assert done.value in ("a lie", None)
    assert done.error is None


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("import ctypes\nctypes.string_at(0)", "crashed|no ctypes", id="a-null-pointer"),
        pytest.param("import os\nos.abort()", "crashed", id="abort"),
        pytest.param("import os\nos._exit(0)", "left with code 0", id="a-silent-exit"),
        pytest.param("x = '(' * 500 + ')' * 500\neval(x)", "too many nested parentheses", id="nested-brackets"),
        pytest.param("def f(): return f()\nf()", "RecursionError", id="recursion"),
        pytest.param(
            "import sys\nsys.setrecursionlimit(10**6)\nx = []\nfor _ in range(10**5): x = [x]\nrepr(x)",
            "",
            id="recursion-in-c",
        ),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")
def test_attack_crashing_the_interpreter_is_a_named_end(code: str, reason: str) -> None:
    done = run_python(code, limits=Limits(wall_s=5))
    assert not done.ok
    assert re.search(reason, f"{done.stopped} {done.error}")


def test_attack_reading_the_input_finds_its_end() -> None:
    done = run_python("import sys\nprint(repr(sys.stdin.read()))\ninput()")
    assert done.stdout.text == "''\n"
    assert done.error is not None and done.error.endswith("EOFError: EOF when reading a line")


# ── one wall less ───────────────────────────────────────────────────────────────────────────────────────────────────────


@linux
@pytest.mark.parametrize("without", ["namespaces", "landlock", "seccomp"])
def test_with_one_wall_less_the_others_hold(without: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said to hold by the remaining walls does hold."""
    monkeypatch.setitem(host.SWITCHES, without, False)
    monkeypatch.setitem(host.SWITCHES, "audit", False)
    probe = host.run("probe")
    version = next(line["landlock_version"] for line in probe.told if "landlock_version" in line)
    left = api._protection(probe.walls, version, root=os.getuid() == 0)
    (tmp_path / "secret").write_text("a secret")
    code = (
        LIBC
        + f"""
if libc.open({str(tmp_path / "secret").encode()!r}, 0) >= 0: print('reading_files')
s = libc.socket(2, 1, 0)
refused = s >= 0 and libc.connect(s, b'\\2\\0\\0\\1\\x7f\\0\\0\\1' + bytes(8), 16) == -1 and ctypes.get_errno() == 111
if refused: print('network')
if libc.ptrace(16, {os.getpid()}, 0, 0) == 0: print('tracing')
if libc.kill({os.getpid()}, 0) == 0: print('signals')
"""
    )
    done = host.run("python", code=code)
    broken = done.stdout.text.split()
    assert done.ok, done
    assert set(broken) <= set(left.missing), (broken, left)
    if without == "landlock":
        assert "reading_files" in broken  # the attack is one


# ── honest code ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "value"),
    [
        pytest.param("x = 6\nx * 7", "42", id="the-last-expression"),
        pytest.param("x = 6", None, id="no-expression"),
        pytest.param("print('a')", None, id="none-is-no-value"),
        pytest.param("'日本' + chr(0x1f600)", "'日本😀'", id="any-script"),
        pytest.param(
            "import json, math, statistics, decimal, fractions, re, sqlite3, csv\nmath.factorial(20)",
            "2432902008176640000",
            id="the-library",
        ),
        pytest.param("import numpy as np\nint(np.arange(10).sum())", "45", id="numpy"),
        pytest.param("import asyncio\nasyncio.run(asyncio.sleep(0, 5))", "5", id="asyncio"),
        pytest.param(
            "from concurrent.futures import ThreadPoolExecutor as P\nlist(P(2).map(abs, [-1, 2]))", "[1, 2]", id="threads"
        ),
        pytest.param(
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(1)", "P(x=1)", id="dataclasses"
        ),
        pytest.param("open('a.txt', 'w').write('hello')\nopen('a.txt').read()", "'hello'", id="files-of-its-own"),
        pytest.param(
            "import tempfile\nwith tempfile.TemporaryDirectory() as d: pass\nd != ''", "True", id="temporary-files"
        ),
        pytest.param(
            "from zoneinfo import ZoneInfo\nimport datetime as d\n"
            "d.datetime(2026, 7, 1, tzinfo=ZoneInfo('Europe/Paris')).utcoffset().seconds",
            "7200",
            id="zones",
        ),
        pytest.param("import os, pathlib\nstr(pathlib.Path.home()) == os.getcwd()", "True", id="a-home-of-its-own"),
        pytest.param("open('m.py', 'w').write('y = 3')\nimport m\nm.y", "3", id="modules-of-its-own"),
        pytest.param("'x' * 20_000", "'" + "x" * 9_999 + "... (20,002 characters)", id="a-long-value"),
        pytest.param("import random\nrandom.seed(1)\nrandom.random()", "0.13436424411240122", id="random"),
        pytest.param("exit()", None, id="a-clean-exit"),
    ],
)
def test_honest_code_runs(code: str, value: str | None) -> None:
    done = run_python(code)
    assert (done.value, done.error, done.stopped) == (value, None, None)


def test_an_error_is_told_with_the_code_s_own_lines_only() -> None:
    done = run_python("def f(x):\n    return 1 / x\n\nprint('before')\nf(0)")
    assert done.stdout.text == "before\n"
    assert done.error is not None
    assert done.error.splitlines()[1:3] == ['  File "code.py", line 5, in <module>', "    f(0)"]
    assert done.error.endswith("ZeroDivisionError: division by zero")
    assert "child.py" not in done.error


@pytest.mark.parametrize("code", [pytest.param("x" * 1_000_001, id="too-long"), pytest.param("a\0b", id="nul")])
def test_what_is_no_code_is_refused(code: str) -> None:
    with pytest.raises(InvalidRequest):
        run_python(code)


def test_limits_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="wall_s is 0"):
        Limits(wall_s=0)


def test_runs_side_by_side_do_not_meet() -> None:
    found: dict[int, str | None] = {}

    def one(number: int) -> None:
        found[number] = run_python(
            f"open('n', 'w').write('{number}')\nimport os\nopen('n').read(), sorted(os.listdir())"
        ).value

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: f"('{number}', ['n'])" for number in range(4)}


def test_a_protection_says_what_it_is_made_of() -> None:
    assert isinstance(protects(), Protection)
    assert protects() is protects()
    print(protects())
