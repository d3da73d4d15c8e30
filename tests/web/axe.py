"""Pages by axe-core (WCAG 2.2, A and AA, and best practices), in both themes; and what it does not look for: that
nothing is lost at 320 px, that everything is large enough to touch, that no id is there twice, and that nothing is left
in English.

Each page is also photographed, as on a phone and on a desktop, in both themes and languages: `.pictures/` has how all
pages look (`--pictures` says another folder).
"""

import base64
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from playwright.async_api import Page

from gateway.web.language import SOURCE
from tests.running import ROOT
from tests.web.conftest import Site, Visitor

AXE = (ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js").read_text()

Scheme = Literal["light", "dark"]
SCHEMES: Final[tuple[Scheme, ...]] = ("light", "dark")

#: What is wrong, by theme and page.
Faults: TypeAlias = dict[str, dict[str, Any]]

#: Style sheets are not fetched once more: no rule that is on by itself asks for them.
RUN = """async (rules) => (await axe.run({
        resultTypes: ["violations"], preload: { assets: ["media"] }, ...rules && { runOnly: rules },
    })).violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)}`))"""

#: The rules that ask for colours; all others find the same in each theme.
OF_COLOURS = ["color-contrast", "link-in-text-block"]

#: How far a page is wider than the screen.
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

#: What is there to be touched, and too small for a finger (WCAG 2.2, 2.5.5).
TOUCHED = "a.icon, a.button, button, summary, select, input:not([type=hidden], .switch)"
SMALL = f"""() => [...document.querySelectorAll("{TOUCHED}")]
    .filter((one) => one.getClientRects().length > 0 && one.getBoundingClientRect().height < 43.9)
    .map((one) => one.outerHTML)"""

#: The ids that are there twice while a dialog is open.
TWICE = """async () => {
    const { confirmDialog } = await import("/static/page.js");
    confirmDialog("?", "?", "?");
    const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
    document.querySelector("dialog[open]").remove();
    return ids.filter((id, place) => ids.indexOf(id) !== place).map((id) => `#${id} twice`);
}"""

#: Words that pages in other languages have: names, what is typed at the machine, and people of the tests. All others
#: are English, unless they are in capitals (codes), stand beside a digit or a sign (ids, handles, addresses), or are
#: what people or programs wrote (`bdi`, `code`).
NAMES: Final = (
    *("Ethereum", "PostgreSQL", "Chrome", "Firefox", "Linux", "macOS", "Wallet", "gateway", "doctor", "work", "nonce"),
    *("English", "Test", "laptop", "sign-up", "alice", "sue", "sam"),
)

#: The English words of a page in another language, in its texts and in what is read out or shown on demand.
ENGLISH = """(names) => {
    const others = "bdi, code, script, style, [lang=en], .id, .secret, #signed, svg";
    const found = new Set(), known = new Set(names);
    const look = (text) => {
        for (const word of text.split(/[\\s\\u00a0()·,;→…“”]+/)) {
            const bare = word.replace(/[.:!?'"]+$/, "");
            if (/^[A-Za-z]+(['’-][A-Za-z]+)*$/.test(bare) && /[a-z]{2}/.test(bare) && !/^(.)\\1+$/i.test(bare)
                && !known.has(bare)) found.add(`${bare}: ${text.trim().slice(0, 90)}`);
        }
    };
    look(document.title);
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        if (!texts.currentNode.parentElement.closest(others)) look(texts.currentNode.data);
    }
    for (const name of ["aria-label", "placeholder", "title", "alt"]) {
        for (const one of document.querySelectorAll(`[${name}]:not([lang=en])`)) look(one.getAttribute(name));
    }
    return [...found].map((one) => `in English: ${one}`);
}"""

#: The screens of the pictures.
SCREENS: Final = {"phone": (390, 844), "desktop": (1280, 800)}

#: How the pictures are written: of a phone and a desktop, JPEG takes 31 and 41 ms of processor time, PNG 38 and 48, and
#: WebP 64 and 100. All 592 of the wallet and the console take 22 s, beside 55 s for the rest of those tests.
WRITTEN: Final = {"format": "jpeg", "quality": 70}

HEIGHT = "document.documentElement.scrollHeight"


#: Ends once the page is filled in. Playwright's own waiting brings a script of its own into each page, which takes as
#: long as a fifth of the page.
SETTLED = """() => new Promise((settled) => {
    const look = () => document.querySelector("main:not([aria-busy=true])") ? settled() : requestAnimationFrame(look);
    look();
})"""


async def settled(page: Page, path: str) -> None:
    await page.goto(path)
    await page.evaluate(SETTLED)


async def gone_over(
    visitor: Visitor,
    site: Site,
    every: Sequence[str],
    language: str,
    pictures: Path,
    on_desktops: Collection[str] = ("en",),
) -> Faults:
    """What is wrong with these pages in a language, by theme. Each is opened once and looked at in both themes; in some
    languages also as wide as on a desktop, which differs in places alone.
    """
    page, found = visitor.page, {str(scheme): dict[str, Any]() for scheme in SCHEMES}
    folder = pictures / language
    empty(folder)
    await page.add_init_script(AXE)  # compiled once, and not in each page
    await page.emulate_media(reduced_motion="reduce")
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])

    async def look(at: str, scheme: Scheme, width: int, rules: list[str] | None = None) -> None:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 720})
        faults = [*await page.evaluate(RUN, rules), *(await page.evaluate(SMALL) if width == 320 else [])]
        if beyond := await page.evaluate(BEYOND):
            faults.append(f"{beyond} px beyond the screen")
        if faults:
            found[scheme][f"{at} at {width}"] = faults

    for number, path in enumerate(every, 1):
        await page.set_viewport_size({"width": 320, "height": 720})
        await settled(page, path)
        assert await page.evaluate("document.documentElement.lang") == language
        await _photograph(visitor, folder, f"{number:02}-{name_of(path)}")
        await page.set_viewport_size({"width": 320, "height": 720})
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        wrong = [*await page.evaluate(TWICE)]
        if language != SOURCE and path != "/design":
            wrong += await page.evaluate(ENGLISH, NAMES)
        if wrong:
            found["light"][path] = wrong
        await look(path, "light", 320)
        await look(path, "dark", 320, OF_COLOURS)
        if language in on_desktops:
            await look(path, "light", 1280)
            await look(path, "dark", 1280, OF_COLOURS)
    return found


async def _photograph(visitor: Visitor, folder: Path, name: str) -> None:
    """As a whole: the screen is made as high as the page, so that what is fixed to its end is at the end. Not by
    Playwright, which brings scripts of its own into the page for each picture.
    """
    page = visitor.page
    for screen, (width, height) in SCREENS.items():
        await page.set_viewport_size({"width": width, "height": height})
        if (whole := await page.evaluate(HEIGHT)) > height:
            await page.set_viewport_size({"width": width, "height": whole})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            taken = await visitor.devtools.send("Page.captureScreenshot", WRITTEN)
            (folder / f"{name}-{screen}-{scheme}.jpg").write_bytes(base64.b64decode(taken["data"]))


def name_of(path: str) -> str:
    """A page as a file is called by it: without ids."""
    return re.sub(r"\W+", "-", re.sub(r"_[0-9a-z]{26}\b", "", path)).strip("-")[:60] or "home"


def empty(folder: Path) -> None:
    """Make the folder, and delete the pictures in it of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in folder.glob("*.jpg"):
        picture.unlink()
