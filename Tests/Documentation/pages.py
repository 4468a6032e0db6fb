"""The shell commands and Python blocks in the documentation, with how each is run or the reason why it is not."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field

from support.programs import ROOT

# The first words of commands. In a block of sh or bash, every line is a command.
PROGRAMS = re.compile(
    r"(\$ )?([A-Z_]+=\S+ )?(make|bifrons[a-z-]*|curl|python3?|pip3?|\.venv\S*|docker|kubectl|systemctl|echo|"
    r"[a-z]+=\$.*|swift|git|helm|export|source|scripts/\S+|for|install|cp|openssl|cd|mkdir|sudo|apt\S*|chmod|pkill|"
    r"scp)(\s|$)"
)
LANGUAGES_OF_OTHERS = {"python", "mermaid", "json", "yaml", "swift"}


@dataclass(frozen=True)
class Command:
    page: str
    line: int
    text: str


def files(*patterns: str) -> list[str]:
    """Returns the files that are in the repository, or would be with the next commit."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in set(listed.split("\0")) if (ROOT / name).is_file())


def pages() -> list[str]:
    return [name for name in files("*.md") if name != "CHANGELOG.md"]


def blocks(text: str) -> Iterator[tuple[int, str, str]]:
    """Returns each line of code, as its line number, its block's language, and its text."""
    language = None
    for number, line in enumerate(text.split("\n"), 1):
        fence = re.match(r"```(\w*)", line)
        if fence:
            language = fence[1] if language is None else None
        elif language is not None:
            yield number, language, line
        elif line.startswith("    "):
            yield number, "", line.strip()


def commands(page: str) -> list[Command]:
    """Returns the commands of a page, without prompts and comments, and with continued lines joined."""
    found = []
    begun = None
    for number, language, line in blocks((ROOT / page).read_text()):
        if language in LANGUAGES_OF_OTHERS or "─" in line:
            continue
        if begun is None and language not in {"sh", "bash"} and not PROGRAMS.match(line):
            continue
        first, text = begun or (number, "")
        text += re.sub(r"^\$ ", "", line.strip())
        if text.endswith("\\"):
            begun = first, text[:-1]
            continue
        begun = None
        text = re.sub(r"(^|\s+)#\s.*$", "", text)
        if text:
            found.append(Command(page, first, text))
    return found


def python_blocks(page: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


@dataclass
class Step:
    """One command or block that is run as printed."""

    page: str
    # The command, or the number of a block of Python on its page.
    what: str | int
    # The working folder, relative to the clone.
    folder: str = "."
    # A pattern that the output must match.
    expect: str = ""
    status: int = 0
    # For a program in the background, a pattern of its output that shows that it is ready. It ends with its scene.
    ready: str = ""
    # The arguments of a block of Python.
    arguments: tuple[str, ...] = ()
    # Replacements of printed placeholders by the values that apply here.
    replace: dict[str, str] = field(default_factory=dict)


README, HTTP, EXAMPLES, PROTOCOL = "README.md", "docs/http.md", "Examples/python/README.md", "docs/protocol.md"
DECISIONS, REVIEW, CLIENT = "docs/decisions.md", "docs/review.md", "Clients/python/README.md"
PATH = Step(README, 'export PATH="$PWD/.build/release:$PATH"')
READY = r"submit to tcp://127\.0\.0\.1:5555"
VERDICT = r'"verdict":\{"label":"'

# These fetch packages, so they run before the rest, which has no access to the network.
WITH_NETWORK = [
    Step(README, "python3 -m venv .venv"),
    Step(README, ".venv/bin/pip install pyzmq"),
    Step(README, ".venv/bin/pip install ./Clients/python"),
    Step(CLIENT, "python3 -m venv .venv"),
    Step(CLIENT, ".venv/bin/pip install ./Clients/python"),
    Step(EXAMPLES, "python3 -m venv .venv-examples", folder="Examples/python"),
    Step(EXAMPLES, ".venv-examples/bin/pip install pyzmq", folder="Examples/python"),
]

# No program runs when a scene begins. Assigned variables last until the end of their scene.
SCENES = [
    [
        PATH,
        Step(README, "bifrons up", ready=READY),
        Step(
            README, ".venv/bin/python Examples/python/submit.py tcp://127.0.0.1:5555 grace_hopper.jpg", expect=VERDICT
        ),
        Step(PROTOCOL, 0, arguments=("tcp://127.0.0.1:5555", "face.jpg"), expect=VERDICT),
        # The same block without a router must end instead of hanging at its first attempt.
        Step(
            PROTOCOL,
            0,
            arguments=("tcp://127.0.0.1:5999", "face.jpg"),
            replace={"7000": "300"},
            status=69,
            expect=r"(no reply in time\n){3}",
        ),
        Step(
            README,
            "curl --data-binary @face.jpg -H 'Content-Type: image/jpeg' http://127.0.0.1:5000/v1/classify",
            expect=VERDICT,
        ),
        Step(
            HTTP,
            "curl --data-binary @face.jpg -H 'Content-Type: image/jpeg' "
            "'http://127.0.0.1:5000/v1/classify?budget_ms=2000'",
            expect=VERDICT,
        ),
        Step(HTTP, "curl -F file=@face.jpg -F explain=true http://127.0.0.1:5000/v1/classify", expect=r'"maps":\{'),
        Step(
            HTTP,
            "curl -F a=@one.jpg -F b=@two.png http://127.0.0.1:5000/v1/classify",
            expect=rf"(?s)\"results\":.*{VERDICT}.*{VERDICT}",
        ),
        Step(
            HTTP,
            "curl -i --data-binary @face.jpg -H 'Content-Type: image/jpeg' -H 'Idempotency-Key: 4711' "
            "http://127.0.0.1:5000/v1/jobs",
            expect=r"(?s)HTTP/1.1 202 Accepted.*\nLocation: /v1/jobs/(?P<job>\S+)",
        ),
        Step(
            HTTP, "curl http://127.0.0.1:5000/v1/jobs/1x8v0-1", replace={"1x8v0-1": "{job}"}, expect=r'"status":20[02]'
        ),
        Step(
            HTTP,
            "curl -X DELETE http://127.0.0.1:5000/v1/jobs/1x8v0-1",
            replace={"1x8v0-1": "{job}"},
            expect=r'"status":(200|404)',
        ),
        Step(
            DECISIONS,
            """curl -X PUT -d '{"review": 0.2, "block": 0.8}' http://127.0.0.1:5000/v1/policies/default""",
            expect=r'"status":201.*"version":2',
        ),
        Step(
            DECISIONS,
            """curl -d '{"version": 2}' http://127.0.0.1:5000/v1/policies/default/activate""",
            expect=r'"status":200.*"version":2',
        ),
        Step(
            DECISIONS,
            """curl -d '{"policy": {"review": 0.2, "block": 0.8}}' http://127.0.0.1:5000/v1/policies/try""",
            expect=r'"count":[1-9].*"matrix":\{',
        ),
        Step(
            DECISIONS,
            "curl 'http://127.0.0.1:5000/v1/decisions?action=block&order=newest&limit=10'",
            expect=r'"decisions":\[',
        ),
        Step(
            DECISIONS, "curl -X POST http://127.0.0.1:5000/v1/decisions/verify", expect=r'"status":200,"checked":[1-9]'
        ),
        Step(
            DECISIONS,
            "curl 'http://127.0.0.1:5000/v1/statements?category=STATEMENT_CATEGORY_SCAMS_AND_FRAUD'",
            expect=r'"statements":\[',
        ),
        Step(
            DECISIONS,
            "curl -X POST --data-binary @face.jpg -H 'Content-Type: image/jpeg' "
            "http://127.0.0.1:5000/v1/decisions/8c1d…/replay",
            replace={"8c1d…": "8c1d000000000000"},
            expect="unknown_decision",
        ),
        Step(DECISIONS, "curl 'http://127.0.0.1:5000/v1/shadows?since=0'", expect=r'"count":[1-9]'),
        Step(REVIEW, "curl 'http://127.0.0.1:5000/v1/reviews/next?reviewer=eve'", expect=r'"waiting":'),
        Step(
            REVIEW,
            """curl -d '{"outcome": "real", "lease": "3fc3…", "reviewer": "eve"}' """
            "http://127.0.0.1:5000/v1/reviews/8c1d…",
            replace={"8c1d…": "8c1d000000000000"},
            expect="unknown_decision",
        ),
        Step(
            REVIEW,
            """curl -d '{"appealId": "a-1", "actionedItem": {"id": "4711", "typeId": "user"}, """
            """"appealReason": "it is me"}' http://127.0.0.1:5000/v1/appeals""",
            expect="unknown_decision",
        ),
        Step(
            REVIEW,
            "curl 'http://127.0.0.1:5000/v1/reviews?format=label-studio&base=https://bifrons.example'",
            expect=r"\[",
        ),
        Step(REVIEW, "bifrons tune --fpr 0.01", status=1, expect="needs 299 more reviewed real pictures"),
        Step(
            REVIEW,
            """curl -d '{"fpr": 0.01, "store": true}' http://127.0.0.1:5000/v1/policies/default/tune""",
            expect=r'"message":"needs [0-9]+ more reviewed real pictures',
        ),
        Step(DECISIONS, "curl -X DELETE http://127.0.0.1:5000/v1/subjects/user/4711", expect=r'"receipt":"erasure-'),
        Step(HTTP, "curl -F file=@face.jpg http://127.0.0.1:5000/", expect=r'"model1":\{'),
        Step(
            README,
            "bifrons-worker --model Models/resnet --router tcp://127.0.0.1:5556",
            ready="router accepts the worker",
        ),
        Step(
            EXAMPLES,
            ".venv-examples/bin/python submit.py tcp://127.0.0.1:5555 portrait.jpg",
            folder="Examples/python",
            expect=VERDICT,
        ),
        Step(
            EXAMPLES,
            ".venv-examples/bin/python pipeline.py photographs --router tcp://127.0.0.1:5555 --window 16",
            folder="Examples/python",
            expect=r"face\.jpg\t20[06]\t",
        ),
        Step(README, "bifrons --generate-completion-script bash > completion.bash"),
        Step(README, "source completion.bash"),
    ],
    [
        PATH,
        Step(HTTP, "bifrons-gateway --router tcp://127.0.0.1:5555", ready="gateway is ready"),
    ],
    [
        PATH,
        Step(HTTP, "bifrons-gateway --router tcp://a:5555 --router tcp://b:5555", ready="gateway is ready"),
    ],
    [
        PATH,
        Step(HTTP, "token=$(openssl rand -hex 32)"),
        Step(HTTP, 'echo "moderation $(printf %s "$token" | sha256sum | cut -d\' \' -f1)" >> tokens'),
        Step(README, "bifrons keygen keys"),
        Step(README, "bifrons up --keys keys --client-endpoint tcp://0.0.0.0:5555", ready=READY),
        Step(
            README,
            "bifrons classify --keys keys --router tcp://HOST:5555 face.jpg",
            replace={"HOST": "127.0.0.1"},
            expect=r"face\.jpg +(real|AI-generated|no face)",
        ),
        Step(PROTOCOL, 1, arguments=("tcp://127.0.0.1:5555", "keys"), expect='"status":200'),
    ],
]

# Commands that are not run here, as patterns of pages and commands, with the reason.
NOT_RUN = [
    (r".*", r"make ", "a build, a test or a measurement of its own; .ci/run runs most of them"),
    (
        r"README\.md",
        r"bifrons (up|classify|status|models|bench|policy|keygen)( +(FILE|list|\[|--images DIR|DIR)|\s{2,}).*",
        "a line of the synopsis; its command is asked for its help instead",
    ),
    (
        r"docs/deployment\.md",
        r"docker |sudo chown |for (target|file) in .*|BIFRONS_REGISTRY=|kubectl ",
        "needs a container engine; make deploy-test",
    ),
    (
        r"docs/deployment\.md",
        r"install |cp |systemctl |bifrons keygen /etc/bifrons/keys",
        "needs root and systemd; make deploy-test",
    ),
    (
        r"docs/evidence\.md",
        r"bifrons-worker --evidence |cp |kill ",
        "needs certificates and banks; EvidenceWorkerTests runs such workers",
    ),
    (
        r"docs/known-images\.md",
        r"curl 'http://127\.0\.0\.1:5000/m/lookup",
        "needs banks; EvidenceWorkerTests asks a gateway for lookups",
    ),
    (
        r"docs/preprocessing\.md",
        r"BIFRONS_PARITY_IMAGES=FOLDER swift test",
        "needs a folder of images and a debug build",
    ),
    (r"Tests/Corpus/README\.md", r".*", "make test replays the corpus"),
    (r"docs/models\.md", r".*make_reference.*", "needs labelled images"),
    (r"Models/training/README\.md", r".*", "needs labelled images and hours; make test runs its tests"),
]


def reason(command: Command) -> str | None:
    """Returns the reason why a command is not run; None if it should be."""
    for page, text, why in NOT_RUN:
        if re.fullmatch(page, command.page) and re.match(text, command.text):
            return why
    return None


def steps() -> list[Step]:
    return WITH_NETWORK + [step for scene in SCENES for step in scene]


def problems() -> list[str]:
    """Returns printed commands that are neither run nor excused, and steps that are no longer printed."""
    printed = [command for page in pages() for command in commands(page)]
    run = {(step.page, step.what) for step in steps()}
    found = [
        f"{command.page}:{command.line}: nobody tries '{command.text}'; add it to Tests/Documentation/pages.py"
        for command in printed
        if (command.page, command.text) not in run and reason(command) is None
    ]
    python = {(page, number) for page in pages() for number in range(len(python_blocks(page)))}
    known = {(command.page, command.text) for command in printed} | python
    found += [
        f"{page} does not print '{what}' any more; take it out of Tests/Documentation/pages.py"
        for page, what in sorted(run - known, key=str)
    ]
    found += [
        f"{page}: nobody runs the block of Python {number}" for page, number in sorted(python - run) if page != README
    ]
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in printed:
        target = re.match(r"make ([a-z-]+)", command.text)
        if target and target[1] not in targets:
            found.append(f"{command.page}:{command.line}: the Makefile has no target {target[1]}")
    return found
