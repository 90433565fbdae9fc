"""Writes many faults into one source file at once, each behind a number that the environment chooses when it runs.

To build the core anew for each of a thousand faults takes days; to build it once with all of them takes minutes. So every
function that has faults becomes a `match` on the number in force: one arm for each fault, with the function's body as the
fault makes it, and the body as it stands for every other number.
"""

import re
from bisect import bisect_right

# Put around the words of the crate, in the copy alone. What is reckoned while the compiler runs knows of no fault: to tell the
# one from the other is not stable, so that the copy is compiled with leave to (`WRAPPER`).
FEATURES = "#![feature(core_intrinsics, const_eval_select)]\n#![allow(internal_features)]\n"
FAULT_IN_FORCE = """
/// The number of the fault that is in force; zero for none.
#[doc(hidden)]
pub const fn fault_in_force() -> u32 {
    const fn none() -> u32 {
        0
    }
    fn number() -> u32 {
        static NUMBER: std::sync::OnceLock<u32> = std::sync::OnceLock::new();
        *NUMBER.get_or_init(|| std::env::var("FALLGATE_FAULT").ok().and_then(|number| number.parse().ok()).unwrap_or(0))
    }
    core::intrinsics::const_eval_select((), none, number)
}
"""
WRAPPER = '#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec "$@"\n'
# A raw string, a string, a character, a comment to the end of the line, a comment between signs.
NOT_CODE = re.compile(
    r'b?r(#*)".*?"\1|b?"(?:\\.|[^"\\])*"|b?\'(?:\\[^u]|\\u\{[0-9A-Fa-f]*\}|[^\\\'])\'|//[^\n]*|/\*.*?\*/', re.DOTALL
)


class Text:
    """A source file, and where its lines begin."""

    def __init__(self, text: str):
        self.text = text
        self.starts = [0] + [at + 1 for at, sign in enumerate(text) if sign == "\n"]
        # The same length, with nothing in it that only looks like code.
        self.code = NOT_CODE.sub(lambda found: re.sub(r"[^\n]", " ", found.group()), text)

    def at(self, place: dict) -> int:
        return self.starts[place["line"] - 1] + place["column"] - 1

    def place(self, at: int) -> dict:
        line = bisect_right(self.starts, at)
        return {"line": line, "column": at - self.starts[line - 1] + 1}

    def span(self, span: dict) -> tuple[int, int]:
        return self.at(span["start"]), self.at(span["end"])

    def body(self, function: tuple[int, int]) -> tuple[int, int]:
        """What stands between the braces of a function."""
        depth = 0
        for at in range(*function):
            sign = self.code[at]
            depth += (sign in "([") - (sign in ")]")
            if sign == "{" and depth == 0:
                return at + 1, self.code.rindex("}", at, function[1])
        raise ValueError("a function without a body")

    def function_around(self, at: int) -> tuple[int, int]:
        """The innermost function that a place stands in."""
        around = []
        for found in re.finditer(r"\bfn\s+\w", self.code[:at]):
            depth, begun = 0, False
            for end in range(found.start(), len(self.code)):
                sign = self.code[end]
                depth += (sign in "([{") - (sign in ")]}")
                begun |= sign == "{"
                if depth == 0 and (begun and sign == "}" or sign == ";"):
                    break
            if end >= at:
                around.append((found.start(), end + 1))
        return around[-1]


def cannot_be_built_in(fault: dict) -> str | None:
    """Why a fault has to be built alone, if it has to."""
    if fault["function"] is None:
        return "a constant"
    given = fault["function"]["return_type"]
    return "the type of each arm would be another" if re.search(r"\bimpl\b", given) and not boxed(given) else None


def boxed(given: str) -> str | None:
    """The one type that an arm can have where the function gives an iterator without saying which."""
    found = re.fullmatch(r"-> impl (Iterator<.*>)", given)
    return f"Box<dyn {found[1]} + '_>" if found else None


def build_in(text: Text, faults: list[tuple[int, dict]]) -> tuple[str, list[tuple[int, int, int]]]:
    """The text with all of these faults, and in which lines of it each stands."""
    by_function: dict[tuple[int, int], list[tuple[int, dict]]] = {}
    for number, fault in faults:
        by_function.setdefault(text.span(fault["function"]["span"]), []).append((number, fault))

    def written(start: int, end: int) -> str:
        """A part of the text, with the outermost functions in it that have faults."""
        inside = [function for function in by_function if start <= function[0] and function[1] <= end]
        outermost = [one for one in inside if not any(two != one and two[0] <= one[0] and one[1] <= two[1] for two in inside)]
        parts, at = [], start
        for function in sorted(outermost):
            body = text.body(function)
            own = by_function.pop(function)
            parts.append(text.text[at : body[0]] + " match crate::fault_in_force() {\n")
            box = boxed(own[0][1]["function"]["return_type"])
            begin, end_of_arm = ("Box::new({", f"}}) as {box}") if box else ("{", "}")
            for number, fault in own:
                span = fault.get("at") or text.span(fault["span"])
                changed = text.text[body[0] : span[0]] + fault["replacement"] + text.text[span[1] : body[1]]
                parts.append(f"/*fault {number}*/ {number} => {begin} {changed} {end_of_arm},\n/*end {number}*/\n")
            parts.append(f"_ => {begin} {written(*body)} {end_of_arm},\n}}\n")
            at = body[1]
        return "".join([*parts, text.text[at:end]])

    whole = written(0, len(text.text))
    lines, places = whole.split("\n"), []
    begun: dict[int, int] = {}
    for number, line in enumerate(lines, 1):
        for mark, fault in re.findall(r"/\*(fault|end) (\d+)\*/", line):
            if mark == "fault":
                begun[int(fault)] = number
            else:
                places.append((begun.pop(int(fault)), number - 1, int(fault)))
    return whole, places
