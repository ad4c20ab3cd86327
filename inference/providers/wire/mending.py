"""Text from strangers made fit to travel and to be stored."""

HIGH_SURROGATES = ("\ud800", "\udbff")
REPLACEMENT = "\ufffd"


class TextMender:
    """Puts characters together that a server's chunks cut in two.

    JSON writes characters beyond U+FFFF as two escapes, and some servers send them in two chunks;
    neither half can be written as UTF-8. A half that stays alone shows as U+FFFD, and so does NUL,
    which databases refuse.
    """

    def __init__(self) -> None:
        self._half = ""

    def feed(self, text: str) -> str:
        """Return the text that is whole after one more piece."""
        if not text:
            return ""
        text, self._half = self._half + text, ""
        if HIGH_SURROGATES[0] <= text[-1] <= HIGH_SURROGATES[1]:
            text, self._half = text[:-1], text[-1]
        return _whole(text)

    def close(self) -> str:
        """Return what was held back."""
        half, self._half = self._half, ""
        return _whole(half)


def _whole(text: str) -> str:
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)
