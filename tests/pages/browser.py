"""What holds of every page of ours in a real browser: Chromium (Debian's, driven by Playwright)."""

import base64
import shutil
from contextlib import contextmanager

from playwright.sync_api import sync_playwright

LONG = 30_000  # Milliseconds that the browser may take for anything.

# The windows in which a page is opened: name, width, height and colours.
WINDOWS = [
    ("light", 1100, 900, "light"), ("dark", 1100, 900, "dark"), ("phone", 360, 740, "light"), ("phone-dark", 360, 740, "dark"),
]


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def check(self, what, is_so, found=None):
        if is_so:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED  {what}" + ("" if found is None else f": {found!r}"))


@contextmanager
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        # As root Chromium wants its sandbox off; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


def colours(page, image):
    """How many colours a screenshot has, counted by the browser itself on a page without the policy."""
    return page.evaluate(
        """async data => {
            const image = new Image();
            image.src = 'data:image/png;base64,' + data;
            await image.decode();
            const canvas = document.createElement('canvas');
            [canvas.width, canvas.height] = [image.width, image.height];
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            const pixels = new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer);
            return new Set(pixels).size;
        }""",
        base64.b64encode(image).decode(),
    )


@contextmanager
def opened(checks, browser, url, name, folder, *, width, height, scheme):
    """A page in a window of this size, with what holds of every page. Its screenshot is in the folder."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, device_scale_factor=2 if width < 500 else 1
    )
    context.set_default_timeout(LONG)
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", lambda dialog: (said.append(f"a dialog: {dialog.message}"), dialog.dismiss()))
    page.goto(url)
    image = page.screenshot(full_page=True, path=folder / f"{name}.png", caret="initial")
    checks.check(f"{name}: asks for nothing but itself", [url.split("#")[0] for url in asked] == [url], asked)
    checks.check(f"{name}: the browser has nothing to say against it", said == [], said)
    handlers = page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes]).map(each => each.name)"
        ".filter(name => name.startsWith('on') || name == 'style' || name == 'href' || name == 'src')"
    )
    checks.check(f"{name}: no attribute that runs or fetches", handlers == [], handlers)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    sizes = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    checks.check(f"{name}: nothing is wider than the window", sizes[0] <= sizes[1] == width, sizes)
    seen = page.evaluate("document.body.innerText")
    hidden = [f"U+{ord(character):04X}" for character in set(seen) if ord(character) < 32 and character not in "\n\t"
              or character in "\x7f\x9b\u202e\u2066\u200b\ufeff"]
    checks.check(f"{name}: no character that is not seen", hidden == [], hidden)
    faint = page.evaluate(CONTRAST)
    checks.check(f"{name}: every text stands out from its ground by 4.5 to 1, every bar by 3 to 1", faint == [], faint)
    fonts = page.evaluate("getComputedStyle(document.querySelector('.figure')).fontSize")
    checks.check(f"{name}: the style sheet is in use", fonts == "30px", fonts)
    blank = browser.new_page()
    amount = colours(blank, image)
    checks.check(f"{name}: the picture is not blank", amount > 50, amount)
    yield page, seen
    checks.check(f"{name}: the browser has nothing to say in the end", said == [], said)
    context.close()
    blank.close()


def names(page):
    """The names of all elements of a page."""
    return set(page.evaluate("[...document.querySelectorAll('*')].map(each => each.localName)"))


def ground(page):
    """The colour behind the page."""
    return page.evaluate("getComputedStyle(document.body).backgroundColor")


# The texts, and the bars, whose colour is too near to that of the nearest ground that is painted: WCAG 2.2, 1.4.3 and 1.4.11.
CONTRAST = """() => {
    const parse = text => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => {
        const linear = [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const ground = each => {
        for (; each; each = each.parentElement) {
            const colour = parse(getComputedStyle(each).backgroundColor);
            if (colour.length < 4 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const faint = new Set();
    for (const each of document.body.querySelectorAll('*')) {
        const own = [...each.childNodes].some(node => node.nodeType == 3 && node.data.trim());
        const bar = each.matches('rect.first:not(.cell), rect.second');
        if (!own && !bar || each.localName == 'title') continue;
        const style = getComputedStyle(each);
        const ink = light(parse(bar || each.localName == 'text' ? style.fill : style.color));
        const paper = light(ground(bar ? each.parentElement : each));
        const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        if (ratio < (bar ? 3 : 4.5)) faint.add(`${each.localName}: ${ratio.toFixed(2)}`);
    }
    return [...faint];
}"""
