"""Answers that grow with the clock, as a model's do, and are the same from any token on."""

import re
import time
from dataclasses import dataclass, field

ANSWER = """Here is a **short list**:

1. First, *warm* the water.
2. Then pour it — 倒入茶壶.

| city | country |
|:-----|--------:|
| Paris | France |
| 北京 | 中国 |

```python
def add(a, b):
\treturn a + b  # 加法
```

The area is $\\pi r^2$, and it costs $5 and $6. See [the page](https://example.com/x).
"""


def pieces_of(text: str) -> list[str]:
    """Cut a text into tokens of a few characters; together they are the text."""
    return re.findall(r"[\s\S]{1,4}", text)


@dataclass(eq=False)
class ScriptedAnswer:
    """One answer on its way.

    Attributes:
        pieces: its tokens.
        tokens_per_s: how fast it grows.
        fails_after: number of tokens after which it breaks, if it does.
        stopped_at: number of tokens when it was stopped, if it was.
    """

    pieces: list[str]
    tokens_per_s: float = 400.0
    fails_after: int | None = None
    stopped_at: int | None = None
    started_at: float = field(default_factory=time.monotonic)

    @property
    def length(self) -> int:
        """How many tokens there will ever be."""
        ends = (len(self.pieces), self.fails_after, self.stopped_at)
        return min(end for end in ends if end is not None)

    @property
    def available(self) -> int:
        """How many tokens there are by now."""
        grown = int((time.monotonic() - self.started_at) * self.tokens_per_s)
        return min(grown, self.length)

    @property
    def text(self) -> str:
        """The text by now."""
        return "".join(self.pieces[: self.available])

    @property
    def finish_reason(self) -> str | None:
        """How it ended, or None while it grows."""
        if self.available < self.length:
            return None
        if self.stopped_at is not None:
            return "cancelled"
        return "error" if self.fails_after is not None else "stop"

    def stop(self) -> None:
        """End it here."""
        if self.finish_reason is None:
            self.stopped_at = self.available


def scripted_answer(prompt: str, *, side: str, attempt: int = 0) -> ScriptedAnswer:
    """Return the answer a prompt asks for: words in it choose the scene.

    `slow` makes it grow slowly, `crawl` at the first attempt so slowly that it can be stopped on
    any machine, `fail b` breaks side b at the first attempt, `long` makes it 20 KB, `say:` gives
    the very text.
    """
    text = ANSWER
    if "say:" in prompt:
        text = prompt.split("say:", 1)[1]
    elif "long" in prompt:
        text = ANSWER * 60
    tokens_per_s = 20.0 if "slow" in prompt else 600.0
    if "crawl" in prompt and attempt == 0:
        tokens_per_s = 2.0
    fails = f"fail {side}" in prompt and attempt == 0
    return ScriptedAnswer(
        pieces=pieces_of(text),
        tokens_per_s=tokens_per_s,
        fails_after=5 if fails else None,
    )
