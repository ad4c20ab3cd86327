"""The memory a model takes, and what is said where it is not there."""

import json

import pytest
import torch
from transformers import LlamaConfig

from inference.exceptions import ModelLoadError
from inference.loading import fitting
from inference.loading.checkpoint_files import StoredTensor, stored_tensors
from inference.loading.estimate import cache_bytes_per_token, need_of
from inference.loading.fitting import Candidate, check_fits
from inference.loading.loader import load_model
from inference.loading.options import LoadOptions
from inference.loading.prequantized import Prequantized
from tests.support.quantized_models import pack_weights
from tests.support.tiny_models import save_tiny_model

GIB = 2**30
CONFIG = LlamaConfig(
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    hidden_size=4096,
    max_position_embeddings=8192,
)
SEVEN_BILLION = [
    StoredTensor("model.embed_tokens.weight", "BF16", (32000, 4096)),
    StoredTensor("model.layers.0.mlp.up_proj.weight", "BF16", (4096, 1_600_000)),
    StoredTensor("model.norm.weight", "BF16", (4096,)),
]


def candidate(dtype=torch.bfloat16, prequantized=None):
    return Candidate("'big'", SEVEN_BILLION, CONFIG, dtype, 8192, prequantized)


@pytest.fixture
def has_free(monkeypatch):
    """Let every device have so many GiB free, and as many devices be there as are asked for."""

    def set_free(gib, *, devices=1):
        monkeypatch.setattr(fitting, "available_bytes", lambda device: int(gib * GIB))
        monkeypatch.setattr(torch.cuda, "device_count", lambda: devices)
        monkeypatch.setattr(
            torch.accelerator, "get_memory_info", lambda device: (int(gib * GIB), 80 * GIB)
        )

    return set_free


def test_weights_and_cache_are_counted_by_hand():
    need = candidate().need(LoadOptions(context_length=8192))

    numbers = 32000 * 4096 + 4096 * 1_600_000 + 4096
    assert need.weights == numbers * 2
    assert need.cache_per_token == 2 * 32 * 8 * 128 * 2
    assert need.cache == 8192 * need.cache_per_token
    assert need.total == int((need.weights + need.cache) * 1.05)


@pytest.mark.parametrize(
    ("options", "bytes_a_weight"),
    [({}, 2), ({"load_8bit": True}, 1), ({"load_4bit": True}, 0.516)],
)
def test_fewer_bits_are_counted_for_the_matrices_of_the_layers(options, bytes_a_weight):
    need = candidate().need(LoadOptions(**options))

    embedding, matrix = 32000 * 4096 * 2, 4096 * 1_600_000
    assert need.weights == pytest.approx(embedding + matrix * bytes_a_weight, rel=0.001)


@pytest.mark.parametrize(
    "options",
    [{"dtype": "float32"}, {"dtype": "bfloat16"}, {"load_8bit": True}, {"load_4bit": True}],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_the_estimate_is_what_a_loaded_model_takes(tmp_path, options):
    folder = save_tiny_model(tmp_path / "tiny")

    loaded = load_model(str(folder), **options)
    asked = LoadOptions(**options)
    dtype = torch.bfloat16 if options.get("dtype") == "bfloat16" else torch.float32
    found = Candidate("", stored_tensors(folder), loaded.model.config, dtype, 512).need(asked)

    assert found.weights == pytest.approx(loaded.model.get_memory_footprint(), rel=0.02)


def test_packed_weights_are_counted_as_what_they_become(tmp_path):
    folder = save_tiny_model(tmp_path / "tiny")
    pack_weights(folder, bits=4)

    loaded = load_model(str(folder), dtype="float32")
    packed = Prequantized("compressed-tensors", dense_bits=4)
    tensors = stored_tensors(folder)
    found = Candidate("", tensors, loaded.model.config, torch.float32, 512, packed)

    footprint = loaded.model.get_memory_footprint()
    assert found.need(LoadOptions()).weights == pytest.approx(footprint, rel=0.05)


def test_a_configuration_that_tells_no_shape_counts_no_cache():
    config = LlamaConfig(num_hidden_layers=0)

    assert cache_bytes_per_token(config, torch.float32) == 0
    assert need_of([], config, dtype=torch.float32, window=512).total == 0


def test_what_fits_is_let_in(has_free):
    has_free(15)

    check_fits(candidate(), LoadOptions())


def told(options, **values):
    with pytest.raises(ModelLoadError) as caught:
        check_fits(candidate(**values), LoadOptions(**options))
    return str(caught.value)


def test_the_sentence_says_what_is_needed_what_is_free_and_what_would_fit(has_free):
    has_free(10)

    sentence = told({"device": "cpu"})

    assert "'big' does not fit: it needs about 13.34 GiB (12.45 of weights, 0.25 of KV" in sentence
    assert "for 2,048 tokens), this machine has 10.00 GiB free" in sentence
    assert sentence.endswith("it would fit with --load-8bit, or with --load-4bit")


def test_only_fewest_bits_are_offered_where_only_they_fit(has_free):
    has_free(5)

    assert told({"device": "cpu"}).endswith("it would fit with --load-4bit")


def test_half_the_precision_is_offered_first(has_free):
    has_free(15)

    sentence = told({"device": "cpu"}, dtype=torch.float32)

    assert "it would fit with --dtype bfloat16, or with --load-8bit" in sentence


def test_more_devices_and_offloading_are_offered_on_accelerators(has_free):
    has_free(5, devices=4)

    sentence = told({"device": "cuda"})

    assert "cuda has 5.00 GiB free" in sentence
    assert "--num-gpus 4" in sentence
    assert "--load-8bit --cpu-offloading" in sentence


def test_a_shorter_window_is_offered_where_the_window_is_what_is_too_much(has_free):
    has_free(13.5)

    sentence = told({"device": "cpu", "context_length": 8192})

    assert "--context-length 3072" in sentence


def test_a_shorter_window_is_not_offered_where_the_weights_are_too_much(has_free):
    has_free(1)

    assert told({"device": "cpu", "context_length": 8192}).endswith("take a smaller model")


def test_weights_that_have_few_bits_already_are_not_offered_fewer(has_free):
    has_free(5)

    sentence = told({"device": "cpu"}, prequantized=Prequantized("gptq"))

    assert "--load-8bit" not in sentence


def test_processes_that_share_a_model_need_a_share_of_it_on_their_accelerators(has_free):
    has_free(8)

    check_fits(candidate(), LoadOptions(device="cuda", tensor_parallel=True), ranks=2)
    with pytest.raises(ModelLoadError, match="does not fit"):
        check_fits(candidate(), LoadOptions(device="cuda", tensor_parallel=True), ranks=1)


def test_a_model_too_large_for_this_machine_is_refused_before_a_weight_is_read(
    tmp_path, monkeypatch
):
    folder = save_tiny_model(tmp_path / "tiny")
    monkeypatch.setattr(fitting, "available_bytes", lambda device: 1_000_000)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(
        json.dumps({**config, "max_position_embeddings": 2_000_000})
    )

    with pytest.raises(ModelLoadError, match="--context-length"):
        load_model(str(folder), context_length=1_000_000)
