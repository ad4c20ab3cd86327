"""FastChat's file of endpoints is taken as it is, or refused in one sentence."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from inference.models import Endpoint, LanguageModel
from inference.providers.api_types import API_TYPES, REFUSED
from inference.providers.dialects import DIALECTS

pytestmark = pytest.mark.django_db

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "guides" / "providers.md"
FASTCHAT_TYPES = {
    "ai2",
    "anthropic",
    "anthropic_message",
    "anthropic_message_vertex",
    "bard",
    "cohere",
    "column",
    "gemini",
    "gemini_no_stream",
    "metagen",
    "mistral",
    "nvidia",
    "openai",
    "openai_assistant",
    "openai_no_stream",
    "openai_o1",
    "p2l",
    "reka",
    "vertex",
    "yandexgpt",
}


def entry(**values: Any) -> dict[str, Any]:
    return {
        "model_name": "there-1",
        "api_type": "openai",
        "api_base": "https://api.openai.com/v1",
        "anony_only": False,
        **values,
    }


@pytest.fixture
def register(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command on a table, or on a text, and returns what it printed."""

    def run(content: Any, *arguments: str) -> str:
        path = tmp_path / "api_endpoints.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        call_command("register_endpoints", str(path), *arguments)
        return capsys.readouterr().out

    return run


def test_all_twenty_api_types_are_mapped_or_refused() -> None:
    assert set(API_TYPES) | set(REFUSED) == FASTCHAT_TYPES
    assert not set(API_TYPES) & set(REFUSED)


@pytest.mark.parametrize("api_type", sorted(API_TYPES))
def test_an_entry_of_each_type_is_stored(
    register, monkeypatch: pytest.MonkeyPatch, api_type: str
) -> None:
    monkeypatch.setenv("GCP_PROJECT_ID", "my-project")
    monkeypatch.setenv("GCP_LOCATION", "us-central1")
    base = "http://10.0.0.7:8000/talk" if api_type in {"column", "p2l"} else None
    extra = {"folder_id": "b1g"} if api_type == "yandexgpt" else {}

    register({"far": entry(api_type=api_type, api_base=base, **extra)})

    endpoint = Endpoint.objects.get()
    assert (endpoint.model.name, endpoint.remote_name) == ("far", "there-1")
    assert endpoint.dialect == API_TYPES[api_type].dialect
    assert endpoint.key_variable == API_TYPES[api_type].key_variable


@pytest.mark.parametrize("api_type", sorted(REFUSED))
def test_a_type_without_a_future_is_refused_with_the_way_out(register, api_type: str) -> None:
    with pytest.raises(CommandError, match=f'entry "far", api_type: "{api_type}" cannot be used'):
        register({"far": entry(api_type=api_type)})


def test_everything_an_entry_says_is_kept(register) -> None:
    table = {
        "far": entry(
            api_key="$MY_KEY",
            anony_only=True,
            recommended_config={
                "temperature": 0.3,
                "top_p": 0.9,
                "max_new_tokens": 2048,
                "extra_body": {"top_k": 4},
            },
            custom_system_prompt="Be kind.",
            fixed_temperature=0.6,
            slots=3,
            requests_per_minute=60,
            dropped_params=["top_k"],
            options={"organization": "org-1"},
            **{"text-arena": False, "vision-arena": True},
        )
    }

    shown = register(table)

    endpoint, card = Endpoint.objects.get(), LanguageModel.objects.get()
    assert (card.is_listed, card.is_in_arena, card.takes_images) == (False, False, True)
    assert (endpoint.key_variable, endpoint.fixed_temperature) == ("MY_KEY", 0.6)
    assert endpoint.recommended == {"temperature": 0.3, "top_p": 0.9, "max_tokens": 2048}
    assert (endpoint.extra_body, endpoint.options) == ({"top_k": 4}, {"organization": "org-1"})
    assert (endpoint.slots, endpoint.requests_per_minute) == (3, 60)
    assert (endpoint.system_prompt, endpoint.takes_images) == ("Be kind.", True)
    assert "far: openai at https://api.openai.com/v1 as there-1 (hidden)" in shown


@pytest.mark.parametrize(
    ("values", "dialect", "options"),
    [
        ({"api_type": "openai_o1"}, "openai", {"stream": False}),
        ({"api_base": "http://10.0.0.7:8000/v1"}, "openai_compatible", {}),
        ({"api_base": "https://x.openai.azure.com"}, "azure", {}),
        ({"api_base": "https://proxy.example/az", "model_name": "azure-gpt-4"}, "azure", {}),
        ({"api_type": "vllm", "api_base": "http://vllm:8000/v1"}, "vllm", {}),
    ],
)
def test_an_openai_entry_finds_the_dialect_of_its_server(
    register, values: dict[str, Any], dialect: str, options: dict[str, Any]
) -> None:
    register({"far": entry(**values)})

    endpoint = Endpoint.objects.get()
    assert (endpoint.dialect, endpoint.options) == (dialect, options)


def test_openais_key_is_not_sent_to_other_servers(register) -> None:
    register({"far": entry(api_base="http://10.0.0.7:8000/v1", api_key=None)})

    assert Endpoint.objects.get().key_variable == ""


def test_a_custom_system_prompt_can_be_that_of_the_template_family(register) -> None:
    register({"far": entry(model_name="vicuna-7b-v1.5", custom_system_prompt=True)})

    assert "assistant" in Endpoint.objects.get().system_prompt


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "the file is not JSON"),
        ("[]", "must hold one JSON object"),
        ("{}", "must hold one JSON object"),
        ('{"a": NaN}', "holds NaN"),
        ("[" * 100_000, "nested too deeply"),
        ('{"far": 1, "far": 2}', '"far" stands in the file twice'),
        ({"far": []}, 'entry "far": it must be an object'),
        ({"far": {"api_type": "openai"}}, 'entry "far": the key "model_name" is missing'),
        ({"far": {**entry(), "anony_only": None}}, 'entry "far": the key "anony_only" is missing'),
        ({"far": entry(anony_only="yes")}, 'entry "far": "anony_only" must be true or false'),
        ({"far": entry(modle="x")}, 'entry "far": the key "modle" is unknown'),
        ({"far": entry(slots=True)}, '"slots" must be a whole number'),
        ({"far": entry(slots=0)}, 'entry "far", slots: '),
        ({"far": entry(api_type="llama")}, 'entry "far", api_type: "llama" is unknown; there are'),
        ({"far": entry(api_base="ftp://host")}, 'entry "far", url: an address begins with http'),
        ({"far": entry(api_base="https://me:pw@host/v1")}, "holds no name or password"),
        ({"far": entry(api_base="http://169.254.169.254/")}, "link-local"),
        ({"far": entry(api_type="column", api_base=None)}, "url: column needs an address"),
        ({"far": entry(api_type="vllm", api_base="")}, "url: vllm needs an address"),
        ({"far": entry(api_type="yandexgpt")}, "options: yandex needs the option 'folder_id'"),
        ({"far": entry(recommended_config={"temp": 1})}, 'key "temp" in recommended_config'),
        ({"far": entry(recommended_config={"temperature": 9})}, "temperature must be 0.0 to 2.0"),
        ({"far": entry(options={"typo": 1})}, "options: openai has no option 'typo'"),
        ({"far": entry(dropped_params=["typo"])}, "'typo' is no sampling parameter"),
        ({"far": entry(api_key="$not a name")}, "what follows the \\$ is no name"),
        ({"far": entry(api_key="$A", key_variable="B")}, "one of the two"),
        ({"far": entry(key_variable="lower")}, "key_variable: 'lower' is no name"),
        ({"a model": entry()}, 'entry "a model", name: '),
        ({"far": entry(api_key="sk-secret")}, 'entry "far": api_key holds a key; name an env'),
        ({"far": entry(fixed_temperature=7)}, 'entry "far", fixed_temperature: '),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_stored(
    register, content: Any, sentence: str
) -> None:
    if isinstance(content, dict):
        content = {"good": entry(), **content}

    with pytest.raises(CommandError, match=sentence) as caught:
        register(content)

    assert caught.value.returncode == 2
    assert "\n" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert not LanguageModel.objects.exists()


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    odd = tmp_path / "odd.json"
    odd.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(CommandError, match="cannot be read: No such file"):
        call_command("register_endpoints", str(tmp_path / "none.json"))
    with pytest.raises(CommandError, match="is not UTF-8 text"):
        call_command("register_endpoints", str(odd))


def test_a_dry_run_checks_and_stores_nothing(register) -> None:
    shown = register({"far": entry()}, "--dry-run")

    assert "1 endpoints, nothing stored" in shown
    assert not LanguageModel.objects.exists()


def test_a_second_time_needs_replace_and_then_renews(register) -> None:
    register({"far": entry()})
    changed = {"far": entry(model_name="there-2", anony_only=True), "new": entry()}

    with pytest.raises(CommandError, match='entry "far": the model has endpoints already'):
        register(changed)
    before = list(LanguageModel.objects.values_list("name", flat=True))
    register(changed, "--replace")

    assert before == ["far"]
    assert Endpoint.objects.get(model__name="far").remote_name == "there-2"
    assert LanguageModel.objects.get(name="far").is_listed is False


def test_keys_move_into_a_file_of_their_owner(register, tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    table = {"gpt-4o": entry(api_key="sk-secret"), "plain": entry(api_key="$OTHER_KEY")}

    shown = register(table, "--keys-to", str(keys))

    assert keys.read_text() == "FASTCHAT_KEY_GPT_4O='sk-secret'\n"
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600
    assert Endpoint.objects.get(model__name="gpt-4o").key_variable == "FASTCHAT_KEY_GPT_4O"
    assert "sk-secret" not in shown
    assert "1 keys" in shown


def test_no_keys_are_left_behind_where_nothing_is_stored(register, tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    register({"far": entry()})

    with pytest.raises(CommandError, match="has endpoints already"):
        register({"far": entry(api_key="sk-secret")}, "--keys-to", str(keys))

    assert not keys.exists()


def test_a_file_of_keys_is_not_overwritten(register, tmp_path: Path) -> None:
    keys = tmp_path / "keys.env"
    keys.write_text("PRECIOUS='1'\n")

    with pytest.raises(CommandError, match="is there already"):
        register({"far": entry(api_key="sk-secret")}, "--keys-to", str(keys))

    assert keys.read_text() == "PRECIOUS='1'\n"
    assert not LanguageModel.objects.exists()


def test_the_example_of_the_guide_is_taken(register) -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    example = guide.split("```json\n")[1].split("```")[0]

    shown = register(example)

    assert "2 endpoints, stored" in shown
    assert LanguageModel.objects.get(name="my-llama").is_listed is False


def test_the_guide_names_every_dialect_and_every_api_type() -> None:
    guide = GUIDE.read_text(encoding="utf-8")

    assert [name for name in {*DIALECTS, *FASTCHAT_TYPES} if f"`{name}`" not in guide] == []
