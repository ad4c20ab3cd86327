"""How every dialect fails: clearly, with a code, and without showing a key."""

import logging

import pytest

from inference.exceptions import ProviderError
from tests.support.dialect_under_test import ANSWER, KEY, DialectUnderTest
from tests.support.wire_server import EVENTS, Canned, ask


class FailsClearly(DialectUnderTest):
    """What is promised of servers that refuse, break off, fall silent or talk nonsense."""

    async def test_a_connection_that_is_cut_is_an_error_after_what_was_said(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes(), is_cut=True))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_cut_off"
        assert len(wire.heard) == 1

    async def test_an_answer_without_an_end_was_cut_off(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes()))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_cut_off"

    async def test_a_server_that_falls_silent_is_left(self, wire, server):
        wire.answer(self.canned(self.beginning_bytes(), hangs=True))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_silent"

    async def test_what_is_not_the_dialect_is_an_error(self, wire, server):
        wire.answer(self.canned(self.malformed_bytes()))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_protocol"

    async def test_odd_values_in_right_places_end_in_an_error_of_ours(self, wire, server):
        for odd in (b"null", b"[]", b"{}", b'"text"', b"7"):
            framed = b"data: " + odd + b"\n\n" if self.media_type == EVENTS else odd + b"\n"
            wire.answer(self.canned(framed))

            with pytest.raises(ProviderError):
                await ask(server)

    async def test_a_page_of_a_proxy_is_not_taken_for_an_answer(self, wire, server):
        wire.answer(Canned((b"<html>Welcome</html>",), media_type="text/html"))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == "provider_protocol"

    async def test_an_error_in_the_middle_ends_the_answer_with_its_code(self, wire, server):
        if (error := self.error_bytes()) is None:
            pytest.skip("the dialect knows no errors within an answer")
        data, code = error
        wire.answer(self.canned(self.beginning_bytes() + data))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code

    async def test_a_server_that_is_busy_is_asked_again_when_it_wants(self, wire, server):
        wire.answer(
            Canned.of_json(self.rate_limit_body(), status=429, Retry_After="0"),
            self.canned(self.answer_bytes()),
        )

        told = await ask(server)

        assert told.text == ANSWER
        assert len(wire.heard) == 2

    @pytest.mark.parametrize(
        ("status", "code"),
        [
            (401, "provider_key_rejected"),
            (403, "provider_key_rejected"),
            (404, "provider_model_not_found"),
            (500, "provider_unavailable"),
        ],
    )
    async def test_statuses_have_their_codes_and_no_log_holds_the_key(
        self, wire, server, status, code, caplog
    ):
        caplog.set_level(logging.DEBUG, logger="inference")
        wire.answer(Canned.of_json({"message": f"{KEY} is odd"}, status=status, Retry_After="9"))

        with pytest.raises(ProviderError) as caught:
            await ask(server)

        assert caught.value.code == code
        seen = f"{caught.value!r} {caught.value.detail} {caught.value.__dict__} {caplog.text}"
        assert KEY not in seen
