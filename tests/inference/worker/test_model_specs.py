"""How models are named on the command line."""

import pytest

from inference.exceptions import InvalidRequestError
from inference.worker.model_specs import check_names, parse_spec


@pytest.mark.parametrize(
    ("text", "path", "names"),
    [
        ("models/demo", "models/demo", ("demo",)),
        ("models/demo/", "models/demo/", ("demo",)),
        ("Org/Some-Model-7B", "Org/Some-Model-7B", ("Some-Model-7B",)),
        ("models/demo, a ,b", "models/demo", ("a", "b")),
    ],
)
def test_a_model_is_named_by_hand_or_after_its_folder(
    text: str, path: str, names: tuple[str, ...]
) -> None:
    spec = parse_spec(text, max_batch=3)

    assert (spec.path, spec.names, spec.max_batch) == (path, names, 3)


@pytest.mark.parametrize("text", ["", ",name", "path,", "path,,b"])
def test_an_empty_path_or_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        parse_spec(text)


def test_two_models_cannot_share_a_name() -> None:
    with pytest.raises(InvalidRequestError, match="demo"):
        check_names([parse_spec("a/demo"), parse_spec("b,demo")])
