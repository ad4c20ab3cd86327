"""Weights turned into other weights: merged, subtracted, added, cast; whole or not at all."""

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel

from inference.exceptions import ConversionError, ModelLoadError
from inference.loading.conversion import convert_checkpoint
from inference.loading.deltas import DeltaReport, apply_delta, make_delta
from inference.loading.merging import merge_adapter
from tests.support.lora_adapters import EVERY_PROJECTION, save_adapter
from tests.support.tiny_models import byte_tokenizer, save_tiny_model, tiny_llama


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("models") / "base")


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder."""
    return {
        name: tensor
        for path in sorted(folder.glob("*.safetensors"))
        for name, tensor in load_file(path).items()
    }


def finetuned(base: Path, folder: Path, *, dtype=torch.float32, share: float = 0.3) -> Path:
    """A model whose every number is the base's times something near 1."""
    shutil.copytree(base, folder)
    torch.manual_seed(3)
    tensors = {
        name: (tensor * (1 + share * (2 * torch.rand_like(tensor) - 1))).to(dtype)
        for name, tensor in tensors_of(base).items()
    }
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "options",
    [
        {"modules": EVERY_PROJECTION, "use_rslora": True},
        {"modules": EVERY_PROJECTION, "use_dora": True},
        {"modules": ("q_proj", "lm_head")},
        {"modules_to_save": ["lm_head"]},
        {"modules": ("embed_tokens", "v_proj")},
        {"modules": ("q_proj",), "rank_pattern": {"layers.1.self_attn.q_proj": 2}},
    ],
)
def test_a_merged_model_scores_as_peft_does(base, tmp_path, options):
    model = AutoModelForCausalLM.from_pretrained(base)
    adapted = save_adapter(tmp_path / "adapter", model, **options)
    tokens = torch.arange(4, 40)[None]

    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged", shard_bytes=50_000)

    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    with torch.inference_mode():
        torch.testing.assert_close(
            merged(tokens).logits, adapted(tokens).logits, rtol=1e-4, atol=1e-4
        )
        assert not torch.allclose(merged(tokens).logits, model(tokens).logits, atol=1e-2)
    assert len(list((tmp_path / "merged").glob("*.safetensors"))) > 1
    assert AutoTokenizer.from_pretrained(tmp_path / "merged").chat_template


def test_transposed_weights_of_a_bare_base_are_merged(tmp_path):
    config = GPT2Config(vocab_size=260, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    model = GPT2LMHeadModel(config).eval()
    model.transformer.save_pretrained(tmp_path / "base")  # names without `transformer.`
    adapted = save_adapter(
        tmp_path / "adapter", model, modules=("c_attn", "c_fc"), fan_in_fan_out=True
    )
    tokens = torch.arange(4, 40)[None]

    merge_adapter(tmp_path / "base", tmp_path / "adapter", tmp_path / "merged")

    merged = GPT2LMHeadModel.from_pretrained(tmp_path / "merged")
    with torch.inference_mode():
        torch.testing.assert_close(
            merged(tokens).logits, adapted(tokens).logits, rtol=1e-4, atol=1e-4
        )


def test_an_adapter_that_says_transposed_where_weights_are_not_is_refused(base, tmp_path):
    save_adapter(tmp_path / "adapter", tiny_llama(), modules=("v_proj",))
    path = tmp_path / "adapter" / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "fan_in_fan_out": True}))

    with pytest.raises(ConversionError, match=r"as \(64, 32\), but it is \(32, 64\)"):
        merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")


def test_a_tokenizer_of_the_adapter_replaces_that_of_the_base(base, tmp_path):
    save_adapter(tmp_path / "adapter", tiny_llama())
    byte_tokenizer(chat_template="{{ 'its own' }}").save_pretrained(tmp_path / "adapter")

    merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")

    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "merged")
    assert tokenizer.chat_template == "{{ 'its own' }}"
    assert not (tmp_path / "merged" / "adapter_config.json").exists()


def test_an_adapter_of_another_model_is_not_merged(base, tmp_path):
    save_adapter(tmp_path / "deeper", tiny_llama(layers=3))
    save_adapter(tmp_path / "wider", tiny_llama(hidden_size=128))

    with pytest.raises(
        ConversionError, match=r"changes model\.layers\.2\.self_attn\.q_proj, which"
    ):
        merge_adapter(base, tmp_path / "deeper", tmp_path / "merged")
    with pytest.raises(ConversionError, match=r"as \(128, 128\), but it is \(64, 64\)"):
        merge_adapter(base, tmp_path / "wider", tmp_path / "merged")

    assert not (tmp_path / "merged").exists()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_a_delta_brings_its_model_back_bit_by_bit(base, tmp_path, dtype):
    # Within a factor of two a difference is exact in every binary format.
    model = finetuned(base, tmp_path / "model", dtype=dtype)
    # The base is cast to the model's format first, as a base in half precision would be.
    report = make_delta(base, model, tmp_path / "delta", shard_bytes=60_000)
    apply_delta(base, tmp_path / "delta", tmp_path / "whole")

    wanted, found = tensors_of(model), tensors_of(tmp_path / "whole")
    assert report == DeltaReport(sum(tensor.numel() for tensor in wanted.values()))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    beside = {name for name in contents(model) if not name.endswith("safetensors")}
    assert {name: contents(tmp_path / "whole")[name] for name in beside} == {
        name: contents(model)[name] for name in beside
    }


def test_numbers_that_will_not_come_back_are_counted(base, tmp_path):
    model = finetuned(base, tmp_path / "model", dtype=torch.float16, share=3.0)

    report = make_delta(base, model, tmp_path / "delta")
    apply_delta(base, tmp_path / "delta", tmp_path / "whole")

    wanted, found = tensors_of(model), tensors_of(tmp_path / "whole")
    differs = sum(int((found[name] != wanted[name]).sum()) for name in wanted)
    largest = max(
        float((found[name].double() - wanted[name].double()).abs().max()) for name in wanted
    )
    assert 0 < report.inexact == differs < report.numbers
    assert report.largest_error == largest


def test_a_grown_vocabulary_is_refused_by_name(base, tmp_path):
    grown = AutoModelForCausalLM.from_pretrained(base)
    grown.resize_token_embeddings(264, mean_resizing=False)
    grown.save_pretrained(tmp_path / "grown")

    with pytest.raises(ConversionError, match=r"4 rows were added, as when a vocabulary grows"):
        make_delta(base, tmp_path / "grown", tmp_path / "delta")


def test_models_of_different_depth_have_no_delta(base, tmp_path):
    tiny_llama(layers=1).save_pretrained(tmp_path / "shallow")

    with pytest.raises(ConversionError, match="'shallow' lacks 9 tensors of the other"):
        make_delta(base, tmp_path / "shallow", tmp_path / "delta")


def test_tensors_that_models_compute_may_be_missing_on_one_side(base, tmp_path):
    model = finetuned(base, tmp_path / "model")
    old = tensors_of(model) | {"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(8)}
    save_file(old, model / "model.safetensors", metadata={"format": "pt"})

    make_delta(base, model, tmp_path / "delta")
    apply_delta(base, tmp_path / "delta", tmp_path / "whole")

    found = tensors_of(tmp_path / "whole")
    assert torch.equal(found["model.layers.0.self_attn.rotary_emb.inv_freq"], torch.ones(8))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_a_checkpoint_is_cast(base, tmp_path, dtype):
    convert_checkpoint(base, tmp_path / "cast", dtype=dtype, shard_bytes=100_000)

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "cast", dtype="auto")
    before = tensors_of(base)
    assert model.dtype == getattr(torch, dtype)
    assert all(
        torch.equal(tensor, before[name].to(model.dtype))
        for name, tensor in tensors_of(tmp_path / "cast").items()
    )
    index = json.loads((tmp_path / "cast" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(before)


def test_numbers_too_large_for_half_precision_are_refused(base, tmp_path):
    large = shutil.copytree(base, tmp_path / "large")
    tensors = tensors_of(large)
    tensors["model.norm.weight"][3] = 70_000.0
    save_file(tensors, large / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(ConversionError, match=r"model\.norm\.weight holds numbers up to 7e\+04"):
        convert_checkpoint(large, tmp_path / "cast")
    convert_checkpoint(large, tmp_path / "cast", dtype="bfloat16")

    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def pickled(base, tmp_path) -> Path:
    """The base with its weights as torch pickles them, in two files, two of them tied."""
    folder = shutil.copytree(base, tmp_path / "pickled", ignore=lambda *_: ["model.safetensors"])
    tensors = tensors_of(base)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    names = list(tensors)
    for number, part in enumerate((names[:5], names[5:])):
        torch.save(
            {name: tensors[name] for name in part},
            folder / f"pytorch_model-{number + 1:05}-of-00002.bin",
        )
    return folder


def test_pickled_weights_become_safetensors(base, pickled, tmp_path):
    convert_checkpoint(pickled, tmp_path / "safe", dtype="float32", from_pickle=True)

    found, wanted = tensors_of(tmp_path / "safe"), tensors_of(base)
    wanted["lm_head.weight"] = wanted["model.embed_tokens.weight"]
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    assert not list((tmp_path / "safe").glob("*.bin"))


def test_pickled_weights_are_not_read_unasked(pickled, tmp_path):
    with pytest.raises(ConversionError, match="--from-pickle reads its pickled ones"):
        convert_checkpoint(pickled, tmp_path / "safe")


class Malicious:
    """Runs a program when it is unpickled by anything that trusts it."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self):
        return Path.write_text, (self.proof, "executed")


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_malicious_pickle_is_refused_before_anything_of_it_runs(pickled, tmp_path, is_zip):
    proof = tmp_path / "proof"
    evil = {"model.norm.weight": torch.ones(64), "x": Malicious(proof)}
    torch.save(
        evil, pickled / "pytorch_model-00001-of-00002.bin", _use_new_zipfile_serialization=is_zip
    )

    with pytest.raises(
        ConversionError, match="holds something else than tensors, which could run code"
    ):
        convert_checkpoint(pickled, tmp_path / "safe", from_pickle=True)

    assert not proof.exists()
    assert not (tmp_path / "safe").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no pickle", pickle.dumps([1, 2], protocol=2), b"PK\x03\x04junk"]
)
def test_files_that_hold_no_tensors_are_refused(pickled, tmp_path, content):
    (pickled / "pytorch_model-00001-of-00002.bin").write_bytes(content)

    with pytest.raises(ConversionError, match=r"pytorch_model-00001-of-00002\.bin of 'pickled'"):
        convert_checkpoint(pickled, tmp_path / "safe", from_pickle=True)


def test_a_target_that_is_there_is_replaced_only_by_force(base, tmp_path):
    convert_checkpoint(base, tmp_path / "cast")
    before = contents(tmp_path / "cast")

    with pytest.raises(ConversionError, match="is there already; --force replaces it"):
        convert_checkpoint(base, tmp_path / "cast", dtype="bfloat16")
    assert contents(tmp_path / "cast") == before

    convert_checkpoint(base, tmp_path / "cast", dtype="bfloat16", force=True)
    assert contents(tmp_path / "cast") != before


def test_a_folder_of_something_else_is_never_replaced(base, tmp_path):
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("Dear reader")

    with pytest.raises(ConversionError, match="holds something else than a model"):
        convert_checkpoint(base, tmp_path / "letters", force=True)


def test_a_source_is_not_written_over(base):
    before = contents(base)

    with pytest.raises(ConversionError, match="is read from"):
        convert_checkpoint(base, base, force=True)

    assert contents(base) == before


def test_a_conversion_that_breaks_off_leaves_the_old_model(base, tmp_path, monkeypatch):
    convert_checkpoint(base, tmp_path / "cast")
    before = contents(tmp_path / "cast")
    monkeypatch.setattr(
        "inference.loading.checkpoints.save_file",
        lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")),
    )

    with pytest.raises(ConversionError, match="cannot be written: disk full"):
        convert_checkpoint(base, tmp_path / "cast", dtype="bfloat16", force=True)

    assert contents(tmp_path / "cast") == before
    assert [path.name for path in tmp_path.iterdir()] == ["cast"]


def test_a_full_disk_is_told_before_work_begins(base, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1))

    with pytest.raises(ConversionError, match=r"has 0\.0 GB free, the result needs"):
        convert_checkpoint(base, tmp_path / "cast")


def test_memory_holds_a_shard_and_not_the_model(base, tmp_path, monkeypatch):
    pending = []
    from inference.loading import checkpoints

    write = checkpoints.save_file

    def watched(tensors, *rest, **options):
        pending.append(sum(tensor.nbytes for tensor in tensors.values()))
        write(tensors, *rest, **options)

    monkeypatch.setattr(checkpoints, "save_file", watched)

    convert_checkpoint(base, tmp_path / "cast", dtype="float32", shard_bytes=70_000)

    assert len(pending) > 3
    assert max(pending) <= 70_000


def test_a_broken_shard_is_told_apart(base, tmp_path):
    cut = shutil.copytree(base, tmp_path / "cut")
    path = cut / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])

    with pytest.raises(ModelLoadError, match="is cut off"):
        convert_checkpoint(cut, tmp_path / "cast")
