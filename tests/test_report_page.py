"""The report in headless Chromium, from a file, with the network off: drawn, without an error, and it does what it offers.

Where there is no Chromium, or no playwright to drive it, this is skipped.
"""

import re
import shutil

import pytest
from made_runs import made

from jax_ac import report, studies

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")]

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>'\"../.."


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    run, sweep = made(70), made(8, 40, rates=(0.01, 0.003), gammas=(0.9, 0.99))
    hostile = made()._replace(config=made().config._replace(env=HOSTILE))
    for name, found in {"one": {"demo": run}, "sweep": {"sweep": sweep}, "two": {"a": run, HOSTILE: hostile}}.items():
        report.write_studies([studies.of({"": one}, title) for title, one in found.items()], folder / f"{name}.html")
    return folder


@pytest.fixture
def opened(browser, files):
    """Opens a file, with no network; at the end there must have been no error, and no request but for the file."""
    contexts, errors, requests = [], [], []

    def open_page(name, width=1280, scheme="light"):
        size = {"width": width, "height": 900}
        context = browser.new_context(viewport=size, color_scheme=scheme, offline=True, has_touch=width < 500)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: errors.append(message.text))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("dialog", lambda dialog: (errors.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((files / f"{name}.html").as_uri())
        page.wait_for_selector("html[data-drawn]", timeout=60_000)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []
    assert [url for url in requests if not url.startswith(("file:", "data:", "blob:"))] == []


def lines_drawn(page, chart):
    return page.locator(f"#{chart} .scatterlayer path.js-line")


def colour_of(page, selector, name="background-color"):
    return page.locator(selector).first.evaluate(f"element => getComputedStyle(element).getPropertyValue('{name}')")


@pytest.mark.parametrize("name", ["one", "sweep", "two"])
def test_charts_are_drawn(opened, name):
    page = opened(name)
    charts = page.locator(".chart")
    assert charts.count() >= 3
    for chart in charts.all():
        box = chart.bounding_box()
        assert box["width"] > 300
        assert box["height"] > 200
        marks = chart.locator(".mlayer path, .mlayer image").evaluate_all(
            "elements => elements.filter(e => e.getBoundingClientRect().width > 1).length"
        )
        assert marks > 0
        png = chart.screenshot()
        assert len(png) > 4_000  # an empty one of this size takes 2 kB


def test_every_seed_is_a_line_and_hover_names_it(opened):
    page = opened("one")
    assert lines_drawn(page, "learning").count() == 70 + 2  # and the median and the edge of its band
    spot = lines_drawn(page, "learning").first.evaluate(
        "path => { const p = path.getPointAtLength(path.getTotalLength() / 2).matrixTransform(path.getScreenCTM());"
        " return [p.x, p.y]; }"
    )
    page.mouse.move(*spot)
    page.mouse.move(spot[0] + 1, spot[1])
    hover = page.locator("#learning .hoverlayer .hovertext")
    hover.first.wait_for(timeout=10_000)
    assert re.search(r"seed \d+", hover.first.text_content())


def test_the_axis_and_what_is_drawn_can_be_switched(opened):
    page = opened("one")

    def right_end():
        return page.locator("#learning .xtick text").last.text_content()

    ends = {}
    for axis in ("updates", "episodes", "environment steps"):
        page.locator(f'input[name="learning-axis"][value="{axis}"]').check(force=True)
        assert page.locator("#learning .xtitle").text_content() == axis
        ends[axis] = right_end()
    assert len(set(ends.values())) == 3
    page.locator('input[name="learning-seeds"]').uncheck(force=True)
    assert lines_drawn(page, "learning").count() == 2
    shape = lines_drawn(page, "learning").last.get_attribute("d")
    page.locator('input[name="learning-part"][value="interquartile mean"]').check(force=True)
    assert lines_drawn(page, "learning").count() == 2
    assert lines_drawn(page, "learning").last.get_attribute("d") != shape


def test_settings_can_be_hidden(opened):
    page = opened("two")
    before = lines_drawn(page, "solved").count()
    page.locator('input[name="cohort"]').first.uncheck(force=True)
    assert 0 < lines_drawn(page, "solved").count() < before


def column(page, name):
    names = [text.strip() for text in page.locator("#lanes thead button").all_text_contents()]
    return page.locator(f"#lanes tbody tr td:nth-child({names.index(name) + 1})").all_text_contents()


def test_the_table_is_sorted(opened):
    page = opened("one")
    assert column(page, "seed") == [str(seed) for seed in range(50)]
    button = page.locator("#lanes thead button", has_text="return at the end")
    for order, flip in (("ascending", 1), ("descending", -1)):
        button.focus()
        page.keyboard.press("Enter")
        assert button.locator("..").get_attribute("aria-sort") == order
        values = [float(text) for text in column(page, "return at the end")]
        assert [flip * value for value in values] == sorted(flip * value for value in values)
    assert page.locator('#lanes th[aria-sort="none"]').count() == page.locator("#lanes th").count() - 1
    page.locator("#lanes thead button", has_text="episodes to solve").click()
    known = [text for text in column(page, "episodes to solve") if text != "–"]
    assert known == sorted(known, key=lambda text: int(text.replace(",", "")))


def test_the_table_is_filtered_and_turned(opened):
    page = opened("one")
    page.click("#lanes-next")
    assert column(page, "seed") == [str(seed) for seed in range(50, 70)]
    assert page.locator("#lanes-next").is_disabled()
    page.locator('input[name="lanes-state"][value="diverged"]').check(force=True)
    assert column(page, "status") == ["✕ diverged"]
    assert column(page, "seed") == ["69"]
    page.locator('input[name="lanes-state"][value="all"]').check(force=True)
    page.fill("#lanes-text", "69 diverged")
    assert column(page, "seed") == ["69"]
    page.fill("#lanes-text", "UNSOLVED")
    assert set(column(page, "status")) == {"○ unsolved"}
    page.fill("#lanes-text", "nonsense")
    assert column(page, "status") == []
    assert "no lane" in page.locator("#lanes-count").text_content()


def test_both_themes(opened):
    light, dark = opened("one"), opened("one", scheme="dark")
    grounds = [colour_of(page, "body") for page in (light, dark)]
    assert grounds[0] != grounds[1]
    strokes = [colour_of(page, "#learning .scatterlayer path.js-line", "stroke") for page in (light, dark)]
    assert strokes[0] != strokes[1]
    light.locator("#theme").focus()
    light.keyboard.press("Enter")
    assert colour_of(light, "body") == grounds[1]
    light.wait_for_selector(f'#learning path.js-line[style*="{strokes[1]}"]', state="attached")
    assert light.locator("#theme").text_content() == "Light theme"


@pytest.mark.parametrize("name", ["one", "sweep", "two"])
def test_on_a_phone_nothing_sticks_out(opened, name):
    page = opened(name, width=390)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for chart in page.locator(".chart").all():
        box = chart.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


def test_a_hostile_name_is_read_not_run(opened):
    page = opened("two")
    assert HOSTILE in page.locator("h1").text_content()
    assert page.locator("img").count() == 0
    assert HOSTILE in page.locator("#distribution").text_content()
    assert page.locator("script").count() == 4
    page.fill("#lanes-text", "onerror")
    assert column(page, "run")[0] == HOSTILE
