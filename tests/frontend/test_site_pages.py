"""Pages of the site as a whole, without a browser."""

import pytest
from django.template.loader import render_to_string
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_about_page_explains_the_arena(client: Client) -> None:
    response = client.get("/about/")

    assert response.status_code == 200
    assert "Bradley–Terry" in response.content.decode()


def test_the_old_icon_address_leads_to_the_icon(client: Client) -> None:
    assert client.get("/favicon.ico")["Location"] == "/static/img/icon.svg"


def test_an_unknown_address_gets_a_page_that_leads_back(client: Client) -> None:
    response = client.get("/no/such/page/")

    assert response.status_code == 404
    assert "This page does not exist" in response.content.decode()


def test_a_form_without_its_token_gets_a_page_that_says_so() -> None:
    strict = Client(enforce_csrf_checks=True)

    response = strict.post("/i18n/setlang/", {"language": "zh-hans"})

    assert response.status_code == 403
    assert "The form has expired" in response.content.decode()


def test_the_error_page_stands_without_request_or_base() -> None:
    page = render_to_string("500.html")

    assert "Something broke" in page


def test_pages_carry_a_policy_without_inline_code(client: Client) -> None:
    policy = client.get("/")["Content-Security-Policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "nonce" not in policy  # nothing is inline, so nothing needs one


@pytest.mark.parametrize("path", ["/", "/chat/", "/about/"])
def test_pages_have_no_inline_scripts_or_styles(client: Client, path: str) -> None:
    page = client.get(path).content.decode()

    assert "<style" not in page
    assert " style=" not in page
    assert "<script>" not in page
    assert " onclick=" not in page
