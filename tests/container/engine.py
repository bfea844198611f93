"""Runs the services of a compose.yaml without a container engine: what one does with namespaces, mounts and rights.

Each service gets a network namespace with an address on one bridge, a process and a mount namespace, a root made of
its image's files (read-only where it says so), its volumes, secrets and memory file systems, the names of the others,
its user, and no capability. Limits of memory and processor are not set. Everything ends with the process that started
it: the namespaces hold what runs in them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from tests.container.compose_file import Health, Service
from tests.container.image import Image, needs
from tests.support.replica_set import die_with_parent

NETWORK: Final = "10.99.0"
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
START_SECONDS: Final = 60.0

# In namespaces of its own, before the service's program: $1 its folder, $2 the image's files, the rest the program.
SETUP: Final = r"""
set -euo pipefail
folder=$1 image=$2; shift 2
mount -t tmpfs tmpfs "$folder/layers"
mkdir "$folder"/layers/{upper,work,root}
root=$folder/layers/root
mount -t overlay overlay -o "lowerdir=$image,upperdir=$folder/layers/upper,workdir=$folder/layers/work" "$root"
mkdir -p "$root"/{proc,dev,tmp}
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
. "$folder/mounts"
# As an engine's init does: this process stays, hands SIGTERM on, and takes everything with it when it is killed.
chroot "$root" "$@" & child=$!
trap 'asked=1; kill -TERM "$child"' TERM
while :; do
    asked=; code=0; wait "$child" || code=$?
    [ -n "$asked" ] || exit "$code"
done
"""


@dataclass(frozen=True, slots=True)
class StandIn:
    """Programs of this machine in the place of an image that cannot be had: by name, and where each is."""

    programs: Mapping[str, Path]


@dataclass
class Running:
    """A service that was started: the namespaces' outer process, and its log."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def init(self) -> int:
        """The first process of its namespace, as this machine numbers it."""
        return _child(self.process.pid)

    @property
    def inner(self) -> int:
        """The service's own process; it sees the service's files."""
        return _child(self.init)

    def told(self) -> str:
        """What it has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@dataclass
class Engine:
    """A context manager. `images` gives the files for each image, by the image's name without tag."""

    services: Mapping[str, Service]
    images: Mapping[str, Image | StandIn]
    folder: Path
    running: dict[str, Running] = field(default_factory=dict)
    completed: set[str] = field(default_factory=set)
    _networks: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        needs("unshare", "nsenter", "setpriv", "ip", "wget")
        self.folder.mkdir(parents=True, exist_ok=True)
        names = [name for name, service in self.services.items() if service.network_of is None]
        self._addresses = {name: f"{NETWORK}.{number}" for number, name in enumerate(names, 1)}
        hosts = "".join(f"{address} {name}\n" for name, address in self._addresses.items())
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}", encoding="utf-8")
        self._bridge = self._namespace()
        self._ip(self._bridge, "link add bridge0 type bridge", "link set bridge0 up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            # In turn, and each whatever becomes of the others.
            for process in [self._bridge, *self._networks.values()]:
                stack.callback(process.wait)
                stack.callback(process.kill)
            for running in self.running.values():
                stack.callback(self._end, running, signal.SIGKILL)

    def up(self, *names: str) -> None:
        """Start services, each when what it depends on is as it wants it."""
        for name in names:
            if name in self.running or name in self.completed:
                continue
            service = self.services[name]
            self._until_ready(service)
            self.running[name] = self._start(service, None)

    def run(self, name: str, *command: str, seconds: float = 120.0, entrypoint: str | None = None) -> tuple[int, str]:
        """A service once, with a command of its own; its exit code and what it printed."""
        service = self.services[name]
        self._until_ready(service)
        running = self._start(service, command or None, entrypoint)
        try:
            code = running.process.wait(seconds)
        finally:
            self._end(running, signal.SIGKILL)
        return code, running.told()

    def stop(self, name: str) -> int:
        """SIGTERM, as an engine asks; the exit code. SIGKILL when its time is over."""
        running = self.running.pop(name)
        return self._end(running, signal.SIGTERM)

    def kill(self, name: str) -> None:
        """SIGKILL, as the loss of it."""
        self._end(self.running.pop(name), signal.SIGKILL)

    def inside(self, name: str, *words: str, seconds: float = 30.0) -> tuple[int, str]:
        """A command inside of a running service, as its user; its exit code and what it printed."""
        running = self.running[name]
        if running.process.poll() is not None:
            return -1, f"{name} has ended with {running.process.returncode}"
        try:
            inner = running.inner
        except (FileNotFoundError, IndexError):
            return -1, f"{name} has not started yet"
        prefix = ["nsenter", f"--target={inner}", "--mount", "--net", "--pid", "--root", "--wd=/"]
        words = (*prefix, *self._as_user(running.service), *words)
        try:
            done = subprocess.run(words, capture_output=True, text=True, timeout=seconds, check=False)
        except subprocess.TimeoutExpired:
            return -1, f"{name}: {' '.join(words)} took more than {seconds:.0f} s"
        return done.returncode, done.stdout + done.stderr

    def until_healthy(self, name: str, health: Health | None = None) -> None:
        """Wait for it, within its start period."""
        check = health or self.services[name].health
        assert check is not None, f"{name} has no health check"
        deadline = time.monotonic() + check.start_period
        while self.inside(name, *check.test, seconds=check.timeout)[0]:
            running = self.running[name]
            assert running.process.poll() is None, f"{name} has ended:\n{running.told()[-3000:]}"
            assert time.monotonic() < deadline, f"{name} is not healthy:\n{running.told()[-3000:]}"
            time.sleep(0.2)

    def _until_ready(self, service: Service) -> None:
        """Start what a service depends on, and wait until each is as it wants it."""
        for other, condition in service.depends_on.items():
            self.up(other)
            if condition == "service_completed_successfully":
                self._until_completed(other)
            elif condition == "service_healthy":
                self.until_healthy(other)

    def _until_completed(self, name: str) -> None:
        if name in self.completed:
            return
        running = self.running.pop(name)
        code = running.process.wait(2 * START_SECONDS)
        assert code == 0, f"{name} has ended with {code}:\n{running.told()[-3000:]}"
        self.completed.add(name)

    def _start(self, service: Service, command: Sequence[str] | None, entrypoint: str | None = None) -> Running:
        folder = self.folder / f"{service.name}-{time.monotonic_ns()}"
        (folder / "layers").mkdir(parents=True)
        image = self._image(service)
        (folder / "mounts").write_text(self._mounts(service, image), encoding="utf-8")
        given = [entrypoint] if entrypoint else None
        words = [*(given or self._entrypoint(service)), *(command or ([] if entrypoint else self._command(service)))]
        network = self._network(service.network_of or service.name)
        log = folder / "log"
        with log.open("wb") as output:
            rootfs = image.rootfs if isinstance(image, Image) else Path("/")
            process = self._popen(
                *("nsenter", f"--net=/proc/{network.pid}/ns/net", "unshare", "--mount", "--pid", "--fork"),
                *("--kill-child", "bash", "-c", SETUP, "setup", str(folder), str(rootfs)),
                *self._as_user(service),
                *("sh", "-c", 'cd "$1"; shift; exec "$@"', "sh", service.working_dir or self._workdir(image), *words),
                output=output,
            )
        return Running(service, process, log)

    def _mounts(self, service: Service, image: Image | StandIn) -> str:
        """Shell: what is mounted into its root, before that becomes read-only."""
        lines = [_mount(["--bind", str(self.folder / "hosts")], "/etc/hosts", file=True)]
        tmpfs = [text.partition(":") for text in service.tmpfs]
        lines += [_mount(["-t", "tmpfs", "-o", options or "mode=1777", "tmpfs"], path) for path, _, options in tmpfs]
        if isinstance(image, StandIn):
            # This machine's own /usr/local/bin holds what no image has; and the programs must be there for any user.
            lines.append(_mount(["-t", "tmpfs", "-o", "mode=0755", "tmpfs"], "/usr/local/bin"))
            for name, path in image.programs.items():
                lines.append(_mount(["--bind", str(path)], f"/usr/local/bin/{name}", file=True))
        for source, target, read_only in service.mounts:
            path = Path(source) if source.startswith("/") else self._volume(source, service)
            if not path.exists():
                path.mkdir(parents=True)
            lines.append(_mount(["--bind", str(path)], target, file=path.is_file()))
            if read_only:
                lines.append(f'mount -o remount,bind,ro "$root"{shlex.quote(target)}')
        if service.read_only:
            lines.append('mount -o remount,ro "$root"')
        return "\n".join(lines) + "\n"

    def _volume(self, name: str, service: Service) -> Path:
        """A named volume; an engine gives a new one the owner that its folder has in the image: the image's user."""
        path = self.folder / "volumes" / name
        if not path.exists():
            path.mkdir(parents=True)
            uid, gid = map(int, self._user(service).split(":"))
            os.chown(path, uid, gid)
        return path

    def _image(self, service: Service) -> Image | StandIn:
        return self.images[service.image.rpartition("/")[2].partition(":")[0]]

    def _entrypoint(self, service: Service) -> Sequence[str]:
        if service.entrypoint is not None:
            return service.entrypoint
        image = self._image(service)
        assert isinstance(image, Image), f"{service.name} needs an entrypoint"
        found: list[str] = image.config["Entrypoint"]
        return found

    def _command(self, service: Service) -> Sequence[str]:
        if service.command is not None or service.entrypoint is not None:
            return service.command or ()
        image = self._image(service)
        assert isinstance(image, Image)
        found: list[str] = image.config["Cmd"]
        return found

    def _user(self, service: Service) -> str:
        image = self._image(service)
        found = service.user or (image.config["User"] if isinstance(image, Image) else None)
        assert found, f"{service.name} runs as root"
        return str(found)

    def _workdir(self, image: Image | StandIn) -> str:
        return str(image.config["WorkingDir"]) if isinstance(image, Image) else "/"

    def _as_user(self, service: Service) -> list[str]:
        """The words before a program: its user, no capability, and its environment alone."""
        image = self._image(service)
        uid, gid = self._user(service).split(":")
        environment = {"PATH": PATH, "HOME": "/tmp"}
        environment |= image.environment if isinstance(image, Image) else {}
        environment |= {name: str(value) for name, value in service.environment.items()}
        return [
            *("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--no-new-privs"),
            *("--bounding-set=-all", "--inh-caps=-all", "env", "-i"),
            *(f"{name}={value}" for name, value in environment.items()),
        ]

    def _network(self, name: str) -> subprocess.Popen[bytes]:
        """A network namespace with the service's address, by a process that does nothing in it."""
        if name not in self._networks:
            process = self._namespace()
            number = self._addresses[name].rpartition(".")[2]
            self._ip(
                self._bridge,
                f"link add veth{number} type veth peer name eth0 netns {process.pid}",
                f"link set veth{number} master bridge0 up",
            )
            self._ip(process, f"addr add {self._addresses[name]}/24 dev eth0", "link set eth0 up", "link set lo up")
            self._networks[name] = process
        return self._networks[name]

    def _namespace(self) -> subprocess.Popen[bytes]:
        process = self._popen("unshare", "--net", "sleep", "infinity")
        ours = Path("/proc/self/ns/net").readlink()
        deadline = time.monotonic() + START_SECONDS
        while Path(f"/proc/{process.pid}/ns/net").readlink() == ours:
            assert process.poll() is None, "no network namespace can be made here"
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return process

    @staticmethod
    def _ip(where: subprocess.Popen[bytes], *commands: str) -> None:
        for command in commands:
            words = ["nsenter", f"--net=/proc/{where.pid}/ns/net", "ip", *command.split()]
            subprocess.run(words, check=True, capture_output=True)

    @staticmethod
    def _popen(*words: str, output: IO[bytes] | int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, no lock that a thread could hold
        )

    @staticmethod
    def _end(running: Running, how: signal.Signals) -> int:
        process = running.process
        # It may end by itself between two of these steps.
        with suppress(ProcessLookupError, FileNotFoundError, IndexError):
            os.kill(running.init, how)
        try:
            process.wait(running.service.stop_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        code = process.wait()
        shutil.rmtree(running.log.parent / "layers", ignore_errors=True)
        return code


def _child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()[0])


def _mount(words: Sequence[str], target: str, *, file: bool = False) -> str:
    place = f'"$root"{shlex.quote(target)}'
    parent = f'"$root"{shlex.quote(str(Path(target).parent))}'
    make = f"mkdir -p {parent}; [ -e {place} ] || touch {place}" if file else f"mkdir -p {place}"
    return f"{make}; mount {shlex.join(words)} {place}"
