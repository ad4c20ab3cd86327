from inference.models import LanguageModel
from tests.support.canned_client import spoken


async def test_live_models_are_listed_with_or_without_a_card(api, models):
    models.answers["crow"] = spoken("Caw")
    await LanguageModel.objects.acreate(name="crow", organisation="Birds", context_length=2048)
    await LanguageModel.objects.acreate(name="dodo")

    body = (await api.get("/v1/models")).json()

    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == ["crow", "parrot"]
    assert body["data"][0]["owned_by"] == "Birds"
    assert body["data"][0]["context_length"] == 2048
    assert {model["object"] for model in body["data"]} == {"model"}


async def test_a_hidden_model_is_neither_listed_nor_found(api):
    await LanguageModel.objects.acreate(name="parrot", is_listed=False)

    assert (await api.get("/v1/models")).json()["data"] == []
    assert (await api.get("/v1/models/parrot")).status_code == 404


async def test_one_model_is_found_by_its_name_slashes_included(api, models):
    models.answers["lab/crow-7b"] = spoken("Caw")

    response = await api.get("/v1/models/lab/crow-7b")

    assert response.json()["id"] == "lab/crow-7b"


async def test_a_model_nobody_serves_is_a_404(api):
    response = await api.get("/v1/models/dodo")

    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert response.headers["x-request-id"]


async def test_a_silent_bus_is_a_503(api, models):
    models.is_bus_down = True

    response = await api.get("/v1/models")

    assert response.status_code == 503
    assert response.json()["error"]["code"] == "bus_unavailable"
    assert response.headers["Retry-After"]
