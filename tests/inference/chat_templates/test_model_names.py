"""Names of models tell their family: as FastChat's rules say, and better where those are wrong."""

import json
from pathlib import Path

import pytest

from inference.chat_templates.families import families, family_for

AS_IN_FASTCHAT = {
    "CarperAI/stable-vicuna-13b-delta": "stable-vicuna",
    "TheBloke/stable-vicuna-13B-HF": "stable-vicuna",
    "lmsys/vicuna-7b-delta-v0": "one_shot",
    "lmsys/vicuna-7b-v1.1": "vicuna_v1.1",
    "lmsys/vicuna-7b-v1.3": "vicuna_v1.1",
    "lmsys/vicuna-13b-v1.5": "vicuna_v1.1",
    "lmsys/vicuna-13b-v1.5-16k": "vicuna_v1.1",
    "lmsys/vicuna-33b-v1.3": "vicuna_v1.1",
    "ehartford/Wizard-Vicuna-13B-Uncensored": "vicuna_v1.1",
    "jondurbin/airoboros-13b-gpt4-1.1": "airoboros_v1",
    "jondurbin/airoboros-l2-13b-gpt4-2.0": "airoboros_v1",
    "jondurbin/airoboros-l2-7b-2.2": "airoboros_v2",
    "jondurbin/airoboros-l2-13b-2.2.1": "airoboros_v2",
    "jondurbin/spicyboros-13b-2.2": "airoboros_v2",
    "jondurbin/airoboros-m-7b-3.1.2": "airoboros_v3",
    "jondurbin/airoboros-3b-3p0": "airoboros_v3",
    "lmsys/longchat-7b-16k": "vicuna_v1.1",
    "lmsys/longchat-13b-v1.5-32k": "vicuna_v1.1",
    "lmsys/fastchat-t5-3b-v1.0": "one_shot",
    "young-geng/koala": "koala_v1",
    "TheBloke/koala-13B-HF": "koala_v1",
    "chavinlo/alpaca-native": "alpaca",
    "tatsu-lab/alpaca-7b-wdiff": "alpaca",
    "THUDM/chatglm-6b": "chatglm",
    "THUDM/chatglm2-6b": "chatglm2",
    "THUDM/chatglm2-6b-32k": "chatglm2",
    "THUDM/chatglm3-6b": "chatglm3",
    "THUDM/codegeex2-6b": "codegeex",
    "databricks/dolly-v2-12b": "dolly_v2",
    "databricks/dolly-v2-3b": "dolly_v2",
    "OpenAssistant/oasst-sft-4-pythia-12b-epoch-3.5": "oasst_pythia",
    "OpenAssistant/oasst-sft-1-pythia-12b": "oasst_pythia",
    "OpenAssistant/oasst-sft-7-llama-30b": "oasst_llama",
    "openassistant-sft-7-llama-30b-hf": "oasst_llama",
    "OpenAssistant/llama2-13b-orca-8k-oasst": "oasst_llama",
    "openchat/openchat_3.5": "openchat_3.5",
    "openchat/openchat-3.5-0106": "openchat_3.5",
    "berkeley-nest/Starling-LM-7B-alpha": "openchat_3.5",
    "Nexusflow/Starling-LM-7B-beta": "openchat_3.5",
    "tenyx/TenyxChat-7B-v1": "tenyxchat",
    "stabilityai/stablelm-tuned-alpha-7b": "stablelm",
    "stabilityai/stablelm-base-alpha-3b": "stablelm",
    "project-baize/baize-v2-7b": "baize",
    "project-baize/baize-v2-13b": "baize",
    "BlinkDL/RWKV-4-Raven": "rwkv",
    "RWKV/rwkv-4-169m-pile": "rwkv",
    "OpenBuddy/openbuddy-7b-v1.3-bf16": "openbuddy",
    "OpenBuddy/openbuddy-llama2-13b-v8.1-fp16": "openbuddy",
    "OpenBuddy/openbuddy-mistral-7b-v13": "openbuddy",
    "FreedomIntelligence/phoenix-inst-chat-7b": "phoenix",
    "bard": "bard",
    "palm-2": "bard",
    "gemini-pro": "gemini",
    "gemini-1.5-pro": "gemini",
    "google/gemma-7b-it": "gemma",
    "google/gemma-2b": "gemma",
    "google/codegemma-7b-it": "gemma",
    "gpt-3.5-turbo": "chatgpt",
    "gpt-3.5-turbo-0125": "chatgpt",
    "gpt-4-0613": "chatgpt",
    "azure-gpt-35-turbo": "chatgpt",
    "claude-2.1": "claude",
    "claude-instant-1": "claude",
    "mosaicml/mpt-7b-chat": "mpt-7b-chat",
    "mosaicml/mpt-30b-chat": "mpt-30b-chat",
    "mosaicml/mpt-30b-instruct": "mpt-30b-instruct",
    "mosaicml/mpt-7b": "zero_shot",
    "mosaicml/mpt-7b-storywriter": "zero_shot",
    "Neutralzz/BiLLa-7B-SFT": "billa",
    "togethercomputer/RedPajama-INCITE-7B-Chat": "redpajama-incite",
    "togethercomputer/RedPajama-INCITE-Chat-3B-v1": "redpajama-incite",
    "h2oai/h2ogpt-oig-6_9b": "h2ogpt",
    "OptimalScale/robin-7b-v2-delta": "Robin",
    "nomic-ai/gpt4all-13b-snoozy": "snoozy",
    "WizardLM/WizardLM-13B-V1.2": "vicuna_v1.1",
    "WizardLM/WizardLM-70B-V1.0": "vicuna_v1.1",
    "WizardLM/WizardLM-7B-V1.0": "one_shot",
    "openaccess-ai-collective/manticore-13b-chat-pyg": "manticore",
    "timdettmers/guanaco-33b-merged": "zero_shot",
    "camel-ai/CAMEL-13B-Combined-Data": "vicuna_v1.1",
    "lcw99/polyglot-ko-12.8b-chang-instruct-chat": "polyglot_changgpt",
    "lcw99/llama2-ko-chang-instruct-chat": "polyglot_changgpt",
    "allenai/tulu-2-dpo-70b": "tulu",
    "TheBloke/tulu-30B-fp16": "tulu",
    "tiiuae/falcon-180B-chat": "falcon-chat",
    "tiiuae/falcon-7b-instruct": "falcon",
    "tiiuae/falcon-40b": "falcon",
    "TigerResearch/tigerbot-7b-sft": "tigerbot",
    "baichuan-inc/Baichuan2-7B-Chat": "baichuan2-chat",
    "baichuan-inc/Baichuan-13B-Chat": "baichuan-chat",
    "baichuan-inc/baichuan-7B": "zero_shot",
    "Salesforce/xgen-7b-8k-inst": "xgen",
    "internlm/internlm-chat-7b": "internlm-chat",
    "internlm/internlm-chat-20b": "internlm-chat",
    "HuggingFaceH4/starchat-beta": "starchat",
    "HuggingFaceH4/starchat-alpha": "starchat",
    "meta-llama/Llama-2-7b-chat-hf": "llama-2",
    "meta-llama/Llama-2-70b-chat-hf": "llama-2",
    "/models/Llama-2-13b-chat-hf/": "llama-2",
    "codellama/CodeLlama-34b-Instruct-hf": "llama-2",
    "XuYipei/kw-cutegpt-13b-ift": "cutegpt",
    "Open-Orca/Mistral-7B-OpenOrca": "mistral-7b-openorca",
    "Open-Orca/OpenOrca-Platypus2-13B": "open-orca",
    "cognitivecomputations/dolphin-2.2.1-mistral-7b": "dolphin-2.2.1-mistral-7b",
    "ehartford/dolphin-2.1-mistral-7b": "dolphin-2.2.1-mistral-7b",
    "teknium/OpenHermes-2.5-Mistral-7B": "OpenHermes-2.5-Mistral-7B",
    "teknium/OpenHermes-2-Mistral-7B": "OpenHermes-2.5-Mistral-7B",
    "NousResearch/Nous-Hermes-2-Mixtral-8x7B-DPO": "Nous-Hermes-2-Mixtral-8x7B-DPO",
    "NousResearch/Nous-Hermes-2-Mixtral-8x7B-SFT": "Nous-Hermes-2-Mixtral-8x7B-DPO",
    "NousResearch/Nous-Hermes-13b": "alpaca",
    "NousResearch/Nous-Hermes-Llama2-13b": "alpaca",
    "mistralai/Mistral-7B-Instruct-v0.1": "mistral",
    "mistralai/Mixtral-8x7B-Instruct-v0.1": "mistral",
    "WizardLM/WizardCoder-15B-V1.0": "alpaca",
    "WizardLM/WizardCoder-Python-34B-V1.0": "alpaca",
    "Qwen/Qwen-7B-Chat": "qwen-7b-chat",
    "Qwen/Qwen-72B-Chat": "qwen-7b-chat",
    "Qwen/Qwen1.5-7B-Chat": "qwen-7b-chat",
    "abacusai/Smaug-72B-v0.1": "qwen-7b-chat",
    "BAAI/AquilaChat-7B": "aquila-chat",
    "BAAI/AquilaChat2-7B": "aquila-v1",
    "BAAI/AquilaChat2-34B": "aquila-legacy",
    "BAAI/AquilaChat2-7B-16K": "aquila",
    "FlagAlpha/Llama2-Chinese-13b-Chat": "llama2-chinese",
    "bofenghuang/vigogne-2-7b-instruct": "vigogne_instruct",
    "bofenghuang/vigogne-2-7b-chat": "vigogne_chat_v2",
    "bofenghuang/vigostral-7b-chat": "vigogne_chat_v3",
    "VMware/open-llama-7b-open-instruct": "alpaca",
    "FreedomIntelligence/ReaLM-7b-v1": "phoenix",
    "Phind/Phind-CodeLlama-34B-v2": "phind",
    "HuggingFaceH4/zephyr-7b-beta": "zephyr",
    "HuggingFaceH4/zephyr-7b-alpha": "zephyr",
    "argilla/notus-7b-v1": "zephyr",
    "rishiraj/CatPPT": "zephyr",
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0": "zephyr",
    "Xwin-LM/Xwin-LM-13B-V0.1": "vicuna_v1.1",
    "OpenLemur/lemur-70b-chat-v1": "lemur-70b-chat",
    "PygmalionAI/pygmalion-2-7b": "metharme",
    "PygmalionAI/mythalion-13b": "metharme",
    "PygmalionAI/metharme-7b": "metharme",
    "microsoft/Orca-2-13b": "orca-2",
    "xDAN-AI/xDAN-L1-Chat-RL-v1": "xdan-v1",
    "01-ai/Yi-34B-Chat": "Yi-34b-chat",
    "01-ai/Yi-6B-Chat": "Yi-34b-chat",
    "pplx-7b-online": "pplxai",
    "deepseek-ai/deepseek-coder-33b-instruct": "deepseek-coder",
    "deepseek-ai/deepseek-llm-67b-chat": "deepseek-chat",
    "IEITYuan/Yuan2-2B-hf": "yuan2",
    "IEITYuan/Yuan-1.0": "yuan",
    "meta-math/MetaMath-7B-V1.0": "metamath",
    "jondurbin/bagel-34b-v0.2": "airoboros_v3",
    "upstage/SOLAR-10.7B-Instruct-v1.0": "solar",
    "nvidia/SteerLM-chat-70B": "api_based_default",
    "liuhaotian/llava-v1.5-7b": "vicuna_v1.1",
    "liuhaotian/llava-v1.6-34b": "llava-chatml",
    "liuhaotian/llava-v1.6-mistral-7b": "mistral",
    "command-r": "api_based_default",
    "dbrx-instruct": "api_based_default",
    "yandexgpt": "yandexgpt",
    "cllm/consistency-llm-7b-sharegpt48k": "cllm",
    "meta-llama/Meta-Llama-3-8B-Instruct": "llama-3",
    "meta-llama/Meta-Llama-3-70B-Instruct": "llama-3",
    "grok-2": "api_based_default",
}
"""Model and family; where the family has an alias there (`TinyLlama`), by its own name."""

BETTER = {
    # What is tuned from Mistral was caught by its rule before its own was tried.
    "acme/mistral-zephyr": "zephyr",
    "meta-math/MetaMath-Mistral-7B": "metamath",
    "cognitivecomputations/dolphin-2.5-mixtral-8x7b": "dolphin-2.2.1-mistral-7b",
    # So was what has "oasst", "alpaca", "qwen" or "nous-hermes" in its name but another format.
    "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-7b": "h2ogpt",
    "hfl/chinese-alpaca-2-7b": "chinese-alpaca2",
    "NousResearch/Nous-Hermes-2-Mistral-7B-DPO": "Nous-Hermes-2-Mixtral-8x7B-DPO",
    "NousResearch/Nous-Hermes-2-Yi-34B": "Nous-Hermes-2-Mixtral-8x7B-DPO",
    "abacusai/Smaug-Llama-3-70B-Instruct": "llama-3",
    # Local Llama 3.1 was written in the layout for servers.
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3",
    "meta-llama/Llama-3.3-70B-Instruct": "llama-3",
    # Instruction models that were never taught turns.
    "google/flan-t5-xl": "raw",
    "Salesforce/codet5p-770m": "raw",
    # Models that came with a format and had no rule, or that of a namesake.
    "mosaicml/mpt-7b-8k-chat": "mpt-7b-chat",
    "WizardLM/WizardLM-2-8x22B": "vicuna_v1.1",
    "allenai/OLMo-7B-Instruct": "tulu",
    "cognitivecomputations/dolphin-2_6-phi-2": "dolphin-2.2.1-mistral-7b",
    "microsoft/phi-2": "phi-2",
    "stabilityai/StableBeluga-7B": "stable-beluga",
}
"""Models that FastChat asks in the wrong way."""

NONE = [
    "acme/wonder-9b",
    "EleutherAI/pythia-12b",
    "gpt2",
    "BAAI/bge-large-en-v1.5",
    "intfloat/e5-large-v2",
    "HuggingFaceH4/starchat2-15b-v0.1",
    "internlm/internlm2-chat-7b",
    "stabilityai/stablelm-2-1_6b-chat",
    "acme/prompt-tuned-7b",
    "state-spaces/mamba-130m-hf",
]
"""Models no rule should catch: base models, encoders, namesakes, and what has its own template."""


@pytest.mark.parametrize(("model", "family"), [*AS_IN_FASTCHAT.items(), *BETTER.items()])
def test_a_models_name_tells_its_family(model: str, family: str) -> None:
    found = family_for(model)

    assert found is not None
    assert found.name == family


@pytest.mark.parametrize("model", NONE)
def test_some_names_tell_nothing(model: str) -> None:
    assert family_for(model) is None


def test_every_family_of_a_model_is_reached_by_a_name() -> None:
    reached = set(AS_IN_FASTCHAT.values()) | set(BETTER.values())

    assert {name for name, family in families().items() if family.patterns} == reached


@pytest.mark.parametrize(
    ("path", "family"),
    [
        ("/models/vicuna-7b-v1.5/checkpoint-300", "vicuna_v1.1"),
        ("hub/models--lmsys--vicuna-7b-v1.5/snapshots/3321f76", "vicuna_v1.1"),
        ("/home/mistral/Llama-2-7b-chat-hf", "llama-2"),
    ],
)
def test_the_last_part_of_a_path_counts_before_the_folders_above(path: str, family: str) -> None:
    found = family_for(path)

    assert found is not None
    assert found.name == family


def adapter(folder: Path, config: object) -> str:
    folder.mkdir()
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def test_an_adapter_has_the_family_of_its_base_model(tmp_path: Path) -> None:
    path = adapter(
        tmp_path / "my-mistral-style", {"base_model_name_or_path": "lmsys/vicuna-7b-v1.5"}
    )

    found = family_for(path)

    assert found is not None
    assert found.name == "vicuna_v1.1"


@pytest.mark.parametrize("config", [{}, [], {"base_model_name_or_path": None}])
def test_an_adapter_that_names_no_base_is_judged_by_its_own_name(
    tmp_path: Path, config: object
) -> None:
    found = family_for(adapter(tmp_path / "koala-lora", config))

    assert found is not None
    assert found.name == "koala_v1"
