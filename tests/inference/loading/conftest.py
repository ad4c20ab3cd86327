import pytest

from tests.support.tiny_models import save_tiny_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return save_tiny_model(tmp_path_factory.mktemp("tiny"), context_length=128)
