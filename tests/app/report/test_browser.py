"""The page in a real browser: it runs without errors, asks for nothing, and its controls work."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.report.html import html_text
from tests.app.report.made_survey import made_contact, made_file, made_result

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PROBE = """
<script>
addEventListener("load", () => setTimeout(() => {
  const out = {}, $ = (s) => document.querySelector(s), $$ = (s) => [...document.querySelectorAll(s)];
  const rows = () => $$("#table tbody tr:not([hidden])").map((row) => row.dataset.contact);
  out.first = rows();
  $$("#table thead button")[7].click(); out.byHeight = rows();
  $$("#table thead button")[7].click(); out.byHeightUp = rows();
  $("#score").value = 80; $("#score").dispatchEvent(new Event("input", { bubbles: true }));
  out.above80 = rows(); out.count = $("#shown").textContent;
  out.marks = $$(".chart a:not([hidden])").length; out.cards = $$(".card:not([hidden])").length;
  const picture = $(".card:not([hidden]) .picture"); picture.click();
  out.pressed = picture.getAttribute("aria-pressed");
  out.box = getComputedStyle(picture.querySelector(".overlay")).display;
  const before = $(".chart").getAttribute("viewBox"); $("[data-zoom]").click();
  out.zoomed = before !== $(".chart").getAttribute("viewBox"); out.bar = $(".bar-text").textContent;
  out.requests = performance.getEntriesByType("resource").map((e) => e.name).filter((n) => !n.startsWith("data:"));
  out.wide = document.documentElement.scrollWidth - innerWidth;
  const result = document.createElement("pre"); result.id = "probe"; result.textContent = JSON.stringify(out);
  document.body.append(result);
}, 50));
</script>
"""


@pytest.fixture(scope="module")
def browser() -> str:
    """Path of a Chromium; skips where there is none."""
    for name in NAMES:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")


def opened(browser: str, page: str, folder: Path, *, width: int) -> tuple[dict[str, object], str]:
    """What the probe found and what the console said; a request for an outside address fails and is logged."""
    address = folder / "report.html"
    address.write_text(page.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}",
        f"--window-size={width},1200", "--virtual-time-budget=4000", "--dump-dom", address.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    probe = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout, re.DOTALL)
    assert probe is not None, done.stderr[-2000:]
    return json.loads(probe.group(1)), "\n".join(x for x in done.stderr.splitlines() if "CONSOLE" in x)


def without_policy(page: str) -> str:
    """The page without the policy that would stop outside requests, so that they show themselves."""
    return re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1300, 500])
def test_page_works_in_a_browser(browser: str, tmp_path: Path, width: int) -> None:
    contacts = (
        made_contact(1, score=0.95, height_m=1.0),
        made_contact(2, score=0.85, height_m=None, source="line-2.xtf"),
        made_contact(3, score=0.55, height_m=3.0, label="ship"),
    )
    files = (made_file(), made_file("line-2.xtf"))
    page = html_text(made_result(contacts=contacts, files=files))
    found, console = opened(browser, page, tmp_path, width=width)
    assert console == ""
    assert found["first"] == ["C0001", "C0002", "C0003"]
    assert found["byHeight"] == ["C0003", "C0001", "C0002"]
    assert found["byHeightUp"] == ["C0001", "C0003", "C0002"]
    assert sorted(found["above80"]) == ["C0001", "C0002"]  # type: ignore[call-overload]
    assert (found["count"], found["marks"], found["cards"]) == ("2", 2, 2)
    assert (found["pressed"], found["box"]) == ("false", "none")
    assert found["zoomed"] is True
    assert found["bar"] != "100 m"
    assert int(str(found["wide"])) <= 0


@pytest.mark.slow
def test_page_asks_for_nothing_outside_and_a_page_that_would_is_noticed(browser: str, tmp_path: Path) -> None:
    page = html_text(made_result())
    found, console = opened(browser, without_policy(page), tmp_path, width=1300)
    assert (found["requests"], console) == ([], "")
    spoilt = page.replace("<main", '<img src="https://example.org/a.png"><main', 1)
    assert "Content Security Policy" in opened(browser, spoilt, tmp_path, width=1300)[1]
    found, _ = opened(browser, without_policy(spoilt), tmp_path, width=1300)
    assert found["requests"] == ["https://example.org/a.png"]
