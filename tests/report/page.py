"""Looks at the page of `report --html` in a real browser.

    python tests/report/page.py BINARY [FOLDER]

Writes a journal of a fortnight, with texts in it that would like to be markup, a script, an address or a terminal's
command; has `BINARY report` make its page; and opens it in Chromium (Debian's, driven by Playwright): in the light, in the
dark, and as narrow as a small phone. Screenshots stay in FOLDER when one is given. Exit code 1 when anything is not as it
should be.
"""

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

LONG = 30_000  # Milliseconds that the browser may take for anything.

TABLE = """
[directory.desks]
rows = [
  { number = "+15005550000", name = "Front desk" },
  { number = "+15005550003", name = "<script>document.title = 'a script ran'</script>" },
  { number = "+1500555000*", name = "Zoë's team in the rather long street of the old harbour, first floor" },
]

[[route]]
name = "desk"
when = { Called = { in = "desks" }, CallerCity = "AUSTIN" }
voice = [ { Say = "Hello." } ]

[[route]]
name = "ride-ended"
when = { Called = ["+15005550000", "+15005550001", "+15005559998", "sip:<b>desk</b>@example.com"] }
voice = [ { Say = "Hello." } ]

[default]
voice = [ { Say = "This number is not in use right now. Goodbye." } ]
"""

HOSTILE = [
    "<script>document.title = 'a script ran'</script>",
    "</title><script>document.title = 'a script ran'</script>",
    "\"><img src=http://127.0.0.1:9/image onerror=\"document.title='a script ran'\">",
    "' onload='document.title=1' x='",
    "</style><style>body { display: none }</style><link rel=stylesheet href=http://127.0.0.1:9/style>",
    "]]>--><svg onload=document.title=1>",
    "&lt;b&gt;&amp;&#x3c;",
    "javascript:document.title=1",
    "\x1b[31mred\x9b1m\x07\x00",
    "\u202egnp.exe\u2066\u200b\ufeff",
    "word" * 80,
    "日本語" * 40,
    "Zoë 🚕",
]

LINE = {
    "time": "", "webhook": "out-of-session", "channel": "voice", "route": "default", "status": 200, "microseconds": 200,
    "guard": None, "failed": None, "machine": False, "sid": None, "number": None, "withheld": False, "step": "",
    "event": None, "parameters": {}, "masked": {}, "left_out": [], "unnamed": 0,
}

HOURS = [1, 1, 1, 1, 1, 2, 4, 9, 16, 22, 24, 21, 18, 20, 21, 19, 17, 15, 11, 8, 6, 4, 2, 1]


def lines():
    """A fortnight of calls and texts, fewer at night and at the weekend, and what else comes."""
    chance = random.Random(1)
    numbers = [f"+1500555{number:04}" for number in range(90)]
    often = [1 / (place + 1) for place in range(len(numbers))]
    routes = ["ride-ended", "support", "lost-property", "withheld-caller", "default"]
    for day in (date(2026, 11, 9) + timedelta(days) for days in range(14)):
        def at(hour=None):
            hour = chance.choices(range(24), HOURS)[0] if hour is None else hour
            return f"{day}T{hour:02}:{chance.randrange(60):02}:00.000Z"

        for _ in range(300 if day.weekday() < 5 else 80):
            voice = chance.random() < 0.7
            yield LINE | {
                "time": at(),
                "channel": "voice" if voice else "message",
                "number": chance.choices(numbers, often)[0],
                "route": chance.choices(routes, [50, 20, 12, 5, 10])[0],
                "left_out": ["CallerCity"],
            }
        for blocked in chance.choices([True, False], [1, 9], k=40):
            yield LINE | {
                "time": at(), "webhook": "intercept", "channel": "message",
                "route": "no-numbers-in-texts" if blocked else "pass", "status": 403 if blocked else 204,
            }
        for parameter in chance.choices(["interactionType=Message", "CallStatus=completed"], k=30):
            name, value = parameter.split("=")
            yield LINE | {"time": at(), "webhook": "callback", "route": None, "status": 204, "parameters": {name: value}}
        for text in HOSTILE:
            time = at(10)
            yield LINE | {"time": time, "route": text, "number": text, "guard": text, "failed": text}
            yield LINE | {"time": time, "webhook": text, "status": 500}
            yield LINE | {"time": time, "webhook": "intercept", "route": text, "status": 403}
            yield LINE | {"time": time, "webhook": "events", "event": text, "status": 204}
            yield LINE | {"time": time, "webhook": "callback", "parameters": {"CallStatus": text}, "status": 204}
            yield LINE | {"time": time, "webhook": "voice-webhooks", "parameters": {"Event": text}, "status": 503}


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


def colours(page, image):
    """How many colours a screenshot has, counted by the browser itself on a page without the policy."""
    import base64
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


def look(checks, browser, url, name, folder, *, width, height, scheme):
    """Opens the page in a window of this size, and says how bright it is."""
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
    image = page.screenshot(full_page=True, path=folder / f"{name}.png")
    checks.check(f"{name}: asks for nothing but itself", asked == [url], asked)
    checks.check(f"{name}: the browser has nothing to say against it", said == [], said)
    checks.check(f"{name}: no script ran", page.title() == "Calls and texts, 2026-11-09 to 2026-11-22", page.title())
    names = {"script", "img", "link", "iframe", "object", "embed", "form", "a", "input", "button", "base", "b"}
    markup = page.evaluate("[...document.querySelectorAll('*')].map(each => each.localName)")
    checks.check(f"{name}: no markup but our own", not names & set(markup), names & set(markup))
    handlers = page.evaluate(
        "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes]).map(each => each.name)"
        ".filter(name => name.startsWith('on') || name == 'style' || name == 'href' || name == 'src')"
    )
    checks.check(f"{name}: no attribute that runs or fetches", handlers == [], handlers)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    sizes = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.clientWidth]")
    checks.check(f"{name}: nothing is wider than the window", sizes[0] <= sizes[1] == width, sizes)
    seen = page.evaluate("document.body.innerText")
    for text in ["<script>document.title = 'a script ran'</script>", "+15005550000 Front desk", "most defaults", "By day",
                 "--journal-values CallerCity` keeps", "&lt;b&gt;&amp;&#x3c;", "Zoë 🚕", "+15005559998",
                 "\\u{202e}gnp.exe", "\\u{1b}[31mred"]:
        checks.check(f"{name}: {text!r} is to be read as it is", text in seen)
    hidden = [f"U+{ord(character):04X}" for character in set(seen) if ord(character) < 32 and character not in "\n\t"
              or character in "\x7f\x9b\u202e\u2066\u200b\ufeff"]
    checks.check(f"{name}: no character that is not seen", hidden == [], hidden)
    unnamed = page.evaluate(
        "[...document.querySelectorAll('svg')].filter(each => !each.getAttribute('aria-label') && "
        "each.getAttribute('aria-hidden') != 'true').length"
    )
    checks.check(f"{name}: every chart has a name or stands beside its figures", unnamed == 0, unnamed)
    flat = page.evaluate(
        "[...document.querySelectorAll('svg')].filter(each => !each.getBoundingClientRect().width).length"
    )
    checks.check(f"{name}: every chart has room", flat == 0, flat)
    faint = page.evaluate(CONTRAST)
    checks.check(f"{name}: every text stands out from its ground by 4.5 to 1, every bar by 3 to 1", faint == [], faint)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    fonts = page.evaluate("getComputedStyle(document.querySelector('.figure')).fontSize")
    checks.check(f"{name}: the style sheet is in use", fonts == "30px", fonts)
    blank = browser.new_page()
    amount = colours(blank, image)
    checks.check(f"{name}: the picture is not blank", amount > 50, amount)
    context.close()
    blank.close()
    return background


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


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: page.py BINARY [FOLDER]")
    binary = Path(sys.argv[1]).resolve()
    checks = Checks()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[2]) if len(sys.argv) == 3 else Path(temporary)
        journal = Path(temporary) / "journal"
        journal.mkdir()
        table, page = Path(temporary) / "responses.toml", folder / "page.html"
        table.write_text(TABLE)
        files = {}
        for line in lines():
            files.setdefault(line["time"][:10], []).append(json.dumps(line, ensure_ascii=False))
        for day, texts in files.items():
            (journal / f"journal-{day}.jsonl").write_text("\n".join([*texts, "<script>no line</script>"]) + "\n")
        ran = subprocess.run(
            [binary, "report", "--journal", journal, "--table", table, "--html", page],
            capture_output=True, encoding="utf-8", timeout=60,
            env={name: value for name, value in os.environ.items() if not name.startswith("TWI")},
        )
        checks.check("report ends with 0", ran.returncode == 0, ran.stderr)
        checks.check("its bars fit 80 columns of a terminal", "\x1b" not in ran.stdout and "\x9b" not in ran.stdout)
        checks.check("the page is its owner's alone", page.stat().st_mode & 0o777 == 0o600, oct(page.stat().st_mode))
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        with sync_playwright() as playwright:
            # As root Chromium wants its sandbox off; the page is our own.
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            grounds = {}
            for name, width, height, scheme in [
                ("light", 1100, 900, "light"), ("dark", 1100, 900, "dark"),
                ("phone", 360, 740, "light"), ("phone-dark", 360, 740, "dark"),
            ]:
                grounds[name] = look(
                    checks, browser, page.as_uri(), name, folder, width=width, height=height, scheme=scheme
                )
            print(f"Chromium {browser.version}: grounds {grounds}")
            checks.check("the dark page is another than the light one", grounds["light"] != grounds["dark"], grounds)
            browser.close()
    print(f"page: {checks.passed} passed, {checks.failed} failed")
    sys.exit(0 if checks.passed and not checks.failed else 1)


if __name__ == "__main__":
    main()
