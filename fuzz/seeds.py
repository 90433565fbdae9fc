"""Seeds for the fuzzers from the shipped packs: `seeds.py requests|questions|conditions FOLDER`."""

import pathlib
import re
import sys

POLICIES = pathlib.Path(__file__).resolve().parent.parent / "policies"


def requests():
    """Every request of every pack, as it is."""
    for path in sorted(POLICIES.glob("*/requests/**/*.json")):
        yield path.read_text()


def questions():
    """Every request as a question to each endpoint: the fuzz target takes the endpoint from the first byte."""
    for request in requests():
        for endpoint in "01234":
            yield endpoint + request
        yield '1{"evaluations": [{}, %s], "options": {"evaluations_semantic": "permit_on_first_permit"}}' % request
        yield '2{"page": {"limit": 1},' + request.lstrip().removeprefix("{")


def conditions():
    """Every condition of every pack, with the attributes and signals that the fuzz target knows."""
    for path in sorted(POLICIES.glob("*/rules*")):
        for line in path.read_text().splitlines():
            found = re.match(r"\s*when:\s*(.+)", line)
            if found and not found[1].startswith(("{", "|", ">")):
                text = found[1].strip()
                text = text[1:-1] if text[0] == text[-1] == '"' else text
                text = re.sub(r"\b(subject|action|resource|context)\.(\w+)", known_attribute, text)
                yield re.sub(r"\bsignals\.([\w-]+)", "signals.s", text)


def known_attribute(found):
    """`subject.roles` becomes `subject.d`: another name, the same one for the same attribute."""
    return f"{found[1]}.{'abcde'[sum(found[2].encode()) % 5]}"


def main():
    """Writes one file for each seed."""
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    seeds = list({"requests": requests, "questions": questions, "conditions": conditions}[kind]())
    if not seeds:
        sys.exit(f"no {kind} were found in {POLICIES}")
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:03}").write_text(seed)


main()
