"""Runs the commands in the documentation, as they are printed, in a fresh clone with the built programs.

    make test-docs

The endpoints are the printed ones, because everything that fetches no packages runs in a network namespace of its own.
Commands that are not run are listed with the reason. PROGRAMS names another folder of programs, and IMAGE another image
than Debian's portrait.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pages
from pages import Step
from support.images import portrait
from support.processes import Process
from support.programs import ROOT, built
from support.waiting import wait_for

# Time limits in seconds: for a command, for a program's start (the first one compiles models), and for its end.
PATIENCE, START, END = 60, 90, 30
IMAGES = (
    "grace_hopper.jpg",
    "face.jpg",
    "one.jpg",
    "two.png",
    "Examples/python/portrait.jpg",
    "Examples/python/photographs/face.jpg",
)


class Failure(Exception):
    pass


def clone(folder: Path) -> None:
    """Makes a clone, with the built programs in their usual place, and with the images that the reader provides."""
    for name in pages.files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    (folder / ".build").mkdir()
    (folder / ".build/release").symlink_to(built())
    image = Path(os.environ.get("IMAGE") or portrait())
    for name in IMAGES:
        (folder / name).parent.mkdir(exist_ok=True)
        # The service does not care about a file's extension.
        shutil.copy2(image, folder / name)


class Scene:
    """Commands in their order, with the variables that they have assigned, and programs in the background."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.assignments: list[str] = []
        self.found: dict[str, str] = {}
        self.programs: list[tuple[str, Process]] = []
        # Commands use Debian's own Python, and only the settings for package downloads of the caller's environment.
        way = re.compile(r"PIP_.*|SSL_CERT_.*|.*_proxy", re.IGNORECASE)
        self.environment = {name: value for name, value in os.environ.items() if way.fullmatch(name)} | {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": os.environ.get("HOME", "/"),
            "LANG": "C.UTF-8",
            # The documentation mentions this setting, and the durable jobs in docs/http.md need it.
            "BIFRONS_JOURNAL": str(folder / "journal.sqlite"),
        }

    def command(self, step: Step) -> str:
        if isinstance(step.what, int):
            text = pages.python_blocks(step.page)[step.what]
            for printed, real in step.replace.items():
                text = text.replace(printed, real)
            (self.folder / "block.py").write_text(text)
            return " ".join([".venv/bin/python", "block.py", *step.arguments])
        text = step.what
        for printed, real in step.replace.items():
            text = text.replace(printed, real.format(**self.found))
        return text

    def run(self, step: Step) -> None:
        text = self.command(step)
        print(f"  {step.page}: {text}", flush=True)
        if re.match(r"export |[a-z]+=", text):
            # `$PWD` means the clone's folder, but later commands may run elsewhere.
            self.assignments.append(text.replace("$PWD", str(self.folder)))
        script = "\n".join(["set -e", *self.assignments, ("exec " if step.ready else "") + text])
        if step.ready:
            self.start(step, script)
            return
        result = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.folder / step.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
        output = result.stdout.decode(errors="replace")
        match = re.search(step.expect, output.replace("\r\n", "\n"))
        if result.returncode != step.status or not match:
            raise Failure(f"'{text}' of {step.page} ended with {result.returncode} and said:\n{output}")
        self.found |= match.groupdict()
        # A random value must stay the same for later commands.
        if re.match(r"[a-z]+=\$\(", text):
            name = text.partition("=")[0]
            shown = ["/bin/bash", "-c", f'{text}; printf %s "${name}"']
            value = subprocess.run(shown, check=True, capture_output=True, text=True).stdout
            self.assignments[-1] = f"{name}={value}"

    def start(self, step: Step, script: str) -> None:
        name = f"background-{len(self.programs)}"
        words, folder = ["/bin/bash", "-c", script], self.folder / step.folder
        process = Process(name, words, self.folder, cwd=folder, environment=self.environment, leads=True)
        process.start()
        self.programs.append((str(step.what), process))

        def is_ready() -> bool:
            if not process.is_running():
                raise Failure(f"'{step.what}' of {step.page} ended and said:\n{process.said()}")
            return re.search(step.ready, process.said()) is not None

        try:
            wait_for(is_ready, step.ready, START)
        except TimeoutError as late:
            raise Failure(f"'{step.what}' of {step.page} was not ready and said:\n{process.said()}") from late

    def close(self) -> None:
        """Ends the programs, the last one first, with the signals of ctrl-C and of service managers."""
        late = []
        for what, process in reversed(self.programs):
            status = process.end(END)
            if status is None:
                late.append(f"'{what}' did not end within {END} s")
            elif status != 0:
                late.append(f"'{what}' ended with {status} and said:\n{process.said()}")
        if late:
            raise Failure("\n".join(late))


def play(folder: Path, steps: list[Step]) -> None:
    scene = Scene(folder)
    try:
        for step in steps:
            scene.run(step)
    finally:
        scene.close()


def synopses(folder: Path) -> None:
    """Asks each command in the README's synopsis for its help."""
    for command in pages.commands(pages.README):
        why = pages.reason(command)
        if why and "synopsis" in why:
            words = " ".join(command.text.split()[:2])
            play(folder, [pages.PATH, Step(command.page, f"{words} --help", expect="USAGE: ")])


def inside(folder: Path) -> None:
    """Runs everything that belongs in the network namespace."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for number, scene in enumerate(pages.SCENES, 1):
        print(f"scene {number}", flush=True)
        play(folder, scene)
    print("the synopsis", flush=True)
    synopses(folder)


def outside() -> None:
    found = pages.problems()
    if found:
        raise Failure("\n".join(found))
    for page in pages.pages():
        for command in pages.commands(page):
            why = pages.reason(command)
            if why:
                print(f"not run: {page}: {command.text.split('  ')[0]} ({why})")
    with tempfile.TemporaryDirectory(prefix="bifrons-docs.") as name:
        folder = Path(name)
        clone(folder)
        print("what fetches packages", flush=True)
        play(folder, pages.WITH_NETWORK)
        namespace = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--user", "--map-root-user"]
        status = subprocess.run([*namespace, sys.executable, __file__, str(folder)]).returncode
        if status != 0:
            raise SystemExit(status)
    print(f"documentation: {len(pages.steps())} commands and blocks work as printed")


if __name__ == "__main__":
    try:
        inside(Path(sys.argv[1])) if len(sys.argv) > 1 else outside()
    except Failure as failure:
        sys.exit(f"documentation: {failure}")
    except subprocess.TimeoutExpired as late:
        sys.exit(f"documentation: {late}")
