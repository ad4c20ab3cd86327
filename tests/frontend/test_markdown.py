"""Markdown of models in a real browser: nothing runs, nothing loads, streaming changes nothing."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.frontend.scripted_answers import ANSWER

pytestmark = pytest.mark.services
OpenPage = Callable[..., Page]

RENDER = """async ([text, size]) => {
  const { MarkdownView } = await import('/static/js/markdown.js');
  const element = document.createElement('div');
  document.body.append(element);
  const view = new MarkdownView(element);
  for (let at = 0; at < text.length; at += size) {
    view.append(text.slice(at, at + size));
    view.paint();
  }
  view.finish();
  await new Promise((resolve) => setTimeout(resolve, 300));
  return element.innerHTML;
}"""

HOSTILE = [
    "<script>window.pwned = 1</script>",
    '<img src=x onerror="window.pwned = 1">',
    "<svg onload='window.pwned = 1'><circle/></svg>",
    "<iframe src='https://evil.example/'></iframe>",
    "<form action='https://evil.example/'><input name=password></form>",
    "<style>body { background: url(https://evil.example/x) }</style>",
    "<link rel=stylesheet href='https://evil.example/x.css'>",
    "<base href='https://evil.example/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<math><mtext><table><mglyph><style><img src=x onerror=window.pwned=1>",
    "<a href='javascript:window.pwned=1'>x</a>",
    "<details open ontoggle=window.pwned=1>x</details>",
    "<video><source onerror='window.pwned=1'></video>",
    "<b onclick='window.pwned=1'>x</b>",
    "[x](javascript:window.pwned=1)",
    "[x](JaVaScRiPt:window.pwned=1)",
    "[x](data:text/html,<script>window.pwned=1</script>)",
    "[x](vbscript:msgbox(1))",
    "[x][y]\n\n[y]: javascript:window.pwned=1",
    "<javascript:window.pwned=1>",
    "![x](https://evil.example/pixel.png)",
    '![x"onerror="window.pwned=1](https://evil.example/a.png "t\\"onload=1")',
    "![x][p]\n\n[p]: https://evil.example/pixel.png",
    '```html"><img src=x onerror=window.pwned=1>\ncode\n```',
    "`<img src=x onerror=window.pwned=1>`",
    "$<img src=x onerror=window.pwned=1>$",
    "$$\\href{javascript:window.pwned=1}{x}$$",
    "$$\\htmlData{x=1}{y}\\includegraphics{https://evil.example/x.png}$$",
    "$$" + "\\def\\a{\\a\\a}\\a" + "$$",
    "| a |\n|---|\n| <img src=x onerror=window.pwned=1> |",
]
SAFE_ELEMENTS = """() => {
  const all = [...document.body.lastElementChild.querySelectorAll('*')];
  const found = all.filter((element) => !element.closest('.katex, .katex-error'));
  const names = new Set(found.map((element) => element.localName));
  const attributes = new Set(found.flatMap((element) => element.getAttributeNames()));
  const linked = all.filter((element) => element.matches('[href], [src]'));
  const links = linked.map((element) => element.href ?? element.src);
  return [[...names], [...attributes], links];
}"""


@pytest.mark.parametrize("payload", HOSTILE)
def test_hostile_markdown_neither_runs_nor_loads(open_page: OpenPage, payload: str) -> None:
    page = open_page("/")
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.evaluate(RENDER, [payload, 5])

    names, attributes, links = page.evaluate(SAFE_ELEMENTS)
    assert page.evaluate("window.pwned") is None
    assert all("evil.example" not in address for address in requests)
    assert not set(names) & {"script", "img", "iframe", "form", "input", "style", "svg", "meta"}
    assert not [name for name in attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith(("https:", "http:", "mailto:")) for link in links)


DOCUMENTS = [
    ANSWER,
    "# Title\n\nText *em* **strong** ~~gone~~ `code`\nnext line  \nhard break",
    "- a\n- b\n  - c\n\n    paragraph in c\n- d\n\n1. x\n2. y\n",
    "Setext\n===\n\nAnother\n---\n\n> quote\n> more\n\n---\n\n    indented code\n\nend",
    "| a | b |\n|:-:|--:|\n| 1 | 2 |\n| 3 | 4 |\n\nafter",
    "A [later] definition.\n\nText.\n\n[later]: https://example.com/later\n",
    "Sum:\n\n$$\n\\sum_i x_i\n\n= 3\n$$\n\nand \\(a\\) or \\[b\\]",
    "~~~js\nlet a = `x`;\n~~~\nunfinished ```fence",
    "```\nno end\n\nof code",
    "- [x] done\n- [ ] open\n\n![chip](https://example.com/a.png)",
    "混排 text，**粗体**和`代码`。\r\n\r\n第二段。\r\n",
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_streamed_markdown_equals_the_whole(open_page: OpenPage, document: str) -> None:
    page = open_page("/")

    whole = page.evaluate(RENDER, [document, len(document)])
    streamed = [page.evaluate(RENDER, [document, size]) for size in (1, 3, 7)]

    assert streamed == [whole] * 3


def test_formulas_are_set_and_prices_stay_prices(open_page: OpenPage) -> None:
    page = open_page("/")

    html = page.evaluate(RENDER, ["It costs $5 and $6. Area: $\\pi r^2$", 4])

    assert html.count('class="katex"') == 1
    assert "It costs $5 and $6." in html


def test_images_are_links_and_links_are_marked_foreign(open_page: OpenPage) -> None:
    page = open_page("/")

    html = page.evaluate(RENDER, ["![a cat](https://example.com/cat.png)", 4])

    assert "Image: a cat" in html
    assert 'rel="noopener noreferrer nofollow ugc"' in html
    assert 'target="_blank"' in html
