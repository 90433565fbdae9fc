"""The links of the book. mdbook runs this on the way, in this folder: what is no page of the book, nor a file beside its
pages, is linked where the repository is published. `links.py FOLDER` fails if a page of a book that was built leads to one, or to a heading, that is
not there."""

import json
import os.path
import posixpath
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

PUBLISHED = "https://github.com/fallgate/fallgate/blob/main/"
LINK = re.compile(r"\]\(([^)\s]+)\)")


def published(link: str, page: str) -> str:
    """A link of a page below `docs`, as the book has it."""
    if "://" in link or link.startswith("#"):
        return link
    target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), link))
    is_beside = target.startswith("docs/") and not os.path.isdir(posixpath.join("..", target))
    return link if is_beside else PUBLISHED + target


def preprocess(items: list) -> None:
    for item in items:
        if isinstance(item, dict) and "Chapter" in item:
            chapter = item["Chapter"]
            page = chapter["source_path"] or ""
            chapter["content"] = LINK.sub(lambda found: f"]({published(found[1], page)})", chapter["content"])
            preprocess(chapter["sub_items"])


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, "str | None"]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.links.append(value)


def broken(folder: Path) -> list[str]:
    # One page of all pages, for printing, has the links of each again; and what is shown for a page that is not there has
    # links from the root of wherever the book is published.
    paths = [path for path in folder.rglob("*.html") if path.name not in ("print.html", "404.html")]
    pages = {path.resolve(): Page(path) for path in paths}
    found = []
    for path, page in pages.items():
        for link in page.links:
            file, _, anchor = unquote(link).partition("#")
            if ":" in file or file.startswith("//"):
                continue
            target = Path(os.path.normpath(path.parent / file)) if file else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                found.append(f"{path.relative_to(folder.resolve())}: {link} leads nowhere")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                found.append(f"{path.relative_to(folder.resolve())}: {link} names a heading that is not there")
    return found


def main() -> int:
    match sys.argv[1:]:
        case ["supports", _]:
            return 0
        case [folder]:
            found = broken(Path(folder))
            print("\n".join(found), file=sys.stderr, end="\n" if found else "")
            return 1 if found else 0
        case _:
            _, book = json.load(sys.stdin)
            preprocess(book["items"])
            json.dump(book, sys.stdout)
            return 0


if __name__ == "__main__":
    sys.exit(main())
