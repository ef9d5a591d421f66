"""Fetches pinned wheels from the Python package index through pip, and checks them. Used by its neighbours."""

import errno
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
INSTALL_PIP = """\
Debian, Ubuntu: sudo apt install python3-pip    Fedora: sudo dnf install python3-pip"""


class SetupError(Exception):
    """A message for the person in front of the screen."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def main(program, body):
    """Runs `body`; what the user can mend becomes a message, not a trace."""
    try:
        body()
    except SetupError as e:
        say(f"{program}: {e}")
        sys.exit(1)
    except OSError as e:
        if e.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        say(f"{program}: the disk became full while writing below {ROOT}. Make room and run this again.")
        sys.exit(1)
    except KeyboardInterrupt:
        say(f"{program}: interrupted; run it again to go on.")
        sys.exit(130)


def lock():
    """One set-up at a time in this checkout; the system lets go of the lock when the process ends, however it ends."""
    TOOLS.mkdir(exist_ok=True)
    file = open(TOOLS / "lock", "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("another set-up is running in this checkout; waiting for it")
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def pip():
    """The command that runs pip: this python's, or that of a private environment made with ensurepip."""

    def works(command):
        try:
            return subprocess.run([*command, "--version"], capture_output=True).returncode == 0
        except FileNotFoundError:
            return False

    own = [sys.executable, "-m", "pip"]
    if works(own):
        return own
    private = TOOLS / "python"
    command = [str(private / "bin" / "python3"), "-m", "pip"]
    if works(command):
        return command
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", private], capture_output=True)
    if made.returncode == 0 and works(command):
        return command
    shutil.rmtree(private, ignore_errors=True)
    raise SetupError(f"{sys.executable} has neither pip nor ensurepip. Install pip and run this again.\n{INSTALL_PIP}")


def run_pip(arguments, scratch, then):
    """Runs pip with its temporary files in `scratch`. `then` ends the message of a failure: what else could be done."""
    environment = dict(os.environ, TMPDIR=str(scratch), PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_REQUIRE_VIRTUALENV="0",
                       PIP_USER="0", PIP_NO_INPUT="1", PIP_ROOT_USER_ACTION="ignore")
    command = [*pip(), *arguments]
    if sys.stderr.isatty():  # its progress bar is wanted, and its errors are on the screen already
        code, said = subprocess.run(command, env=environment, stdout=sys.stderr).returncode, ""
    else:
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines = done.stdout.strip().splitlines()
        code, said = done.returncode, "".join(f"  | {line}\n" for line in lines[-8:])
        if "No space left on device" in done.stdout:
            raise OSError(errno.ENOSPC, "pip")
    if code != 0:
        raise SetupError(f"pip failed (exit status {code}):\n{said}"
                         "Run this again when the package index can be reached. Behind a proxy set HTTPS_PROXY; "
                         f"for a mirror set PIP_INDEX_URL.\n{then}".rstrip())


def need_space(folder, megabytes):
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < megabytes:
        raise SetupError(f"{folder} has {free} MB free; this needs {megabytes} MB while it works. "
                         "Make room and run this again.")


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def fetch(pin, folder, then=""):
    """The wheel `pin` = (requirement, tags, sha256) as a checked file in `folder`; kept from an earlier, killed try."""
    requirement, tags, wanted = pin
    target = folder / f"{requirement}.whl"
    if target.exists():
        if sha256(target) == wanted:
            return target
        target.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("pip-*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="pip-", dir=folder) as scratch:
        say(f"fetching {requirement}")
        run_pip(["download", "--no-deps", "--no-cache-dir", "--only-binary=:all:", "--dest", f"{scratch}/done",
                 *tags, requirement], scratch, then)
        [wheel] = Path(scratch, "done").iterdir()
        found = sha256(wheel)
        if found != wanted:
            raise SetupError(f"{wheel.name} is not the pinned file: sha256 {found}, expected {wanted}. The package "
                             f"index, or something on the way, gave another file.\n{then}".rstrip())
        os.replace(wheel, target)
    return target


def unpack(wheel, place):
    """Writes the members for which `place(name)` gives a path."""
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            target = None if member.is_dir() else place(member.filename)
            if target is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, open(target, "wb") as file:
                    shutil.copyfileobj(source, file, 1 << 20)
