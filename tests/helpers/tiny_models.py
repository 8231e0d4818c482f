"""Tiny models of real multimodal families, with random weights, saved as their makers save them.

Nothing is fetched: tokenizers are trained here on a few sentences.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SENTENCES = [
    '{"use":["c1","c2","c3"],"label":"sadness","why":"They seem sad because the voice is quiet"}',
    '{"use":["c1"],"label":"joy","why":"They seem joyful because the corners of the mouth rise"}',
    "You tell in one short sentence why a person seems to feel an emotion. Pictures are shown of:",
    "The camera saw: c1 the brows are drawn together from 0.5 s. The microphone heard: Labels:",
] * 4

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% elif c['type'] == 'audio' %}AUDIO"
    "{% elif c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}{% endif %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer(template: str, **special: str) -> Any:
    """A byte-level BPE of a few hundred tokens; `special` are tokens that processors ask for."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    extra = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *special.values()]
    raw.train_from_iterator(
        SENTENCES,
        trainers.BpeTrainer(
            vocab_size=700,
            special_tokens=extra,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        extra_special_tokens=special,
        chat_template=template,
    )


TEXT = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
}
ROPE = {"rope_type": "default", "type": "default", "mrope_section": [1, 1, 2], "rope_theta": 1e4}


def _qwen_vision() -> dict[str, Any]:
    return {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_heads": 2,
        "patch_size": 14,
        "out_hidden_size": 32,
        "fullatt_block_indexes": [1],
        "window_size": 56,
    }


def _save(folder: Path, model: Any, *parts: Any) -> Path:
    model.eval().save_pretrained(folder)
    for part in parts:
        part.save_pretrained(folder)
    return folder


def text(folder: Path) -> Path:
    """Llama: text alone."""
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tokenizer(CHATML)
    ends = {"eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id}
    return _save(
        folder, LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **TEXT, **ends)), words
    )


def qwen_vl(folder: Path) -> Path:
    """Qwen2.5-VL, the family of VidEmo: text and pictures."""
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2VLImageProcessor,
    )

    special = {
        "image_token": "<|image_pad|>",
        "video_token": "<|video_pad|>",
        "vision_bos_token": "<|vision_start|>",
        "vision_eos_token": "<|vision_end|>",
    }
    words = tokenizer(
        CHATML.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>"), **special
    )
    at = words.convert_tokens_to_ids
    config = Qwen2_5_VLConfig(
        text_config={**TEXT, "vocab_size": len(words), "rope_parameters": ROPE,
                     "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id},
        vision_config=_qwen_vision(),
        image_token_id=at("<|image_pad|>"),
        video_token_id=at("<|video_pad|>"),
        vision_start_token_id=at("<|vision_start|>"),
        vision_end_token_id=at("<|vision_end|>"),
        eos_token_id=words.eos_token_id,
    )  # fmt: skip
    made = _save(folder, Qwen2_5_VLForConditionalGeneration(config), words, Qwen2VLImageProcessor())
    return named(made, "Qwen2_5_VLProcessor")


def named(folder: Path, processor: str) -> Path:
    """Say which processor stands over the parts, as a saved one would."""
    place = folder / "preprocessor_config.json"
    settings = json.loads(place.read_text()) if place.exists() else {}
    place.write_text(json.dumps({**settings, "processor_class": processor}))
    return folder


def qwen_omni(folder: Path) -> Path:
    """Qwen2.5-Omni: text, pictures and sound (the whole model, with its talker's settings)."""
    from transformers import (
        Qwen2_5OmniConfig,
        Qwen2_5OmniForConditionalGeneration,
        Qwen2VLImageProcessor,
        WhisperFeatureExtractor,
    )

    special = {
        "image_token": "<|IMAGE|>",
        "audio_token": "<|AUDIO|>",
        "video_token": "<|VIDEO|>",
        "vision_bos_token": "<|vision_bos|>",
        "vision_eos_token": "<|vision_eos|>",
        "audio_bos_token": "<|audio_bos|>",
        "audio_eos_token": "<|audio_eos|>",
    }
    template = CHATML.replace("IMAGE", "<|vision_bos|><|IMAGE|><|vision_eos|>").replace(
        "AUDIO", "<|audio_bos|><|AUDIO|><|audio_eos|>"
    )
    words = tokenizer(template, **special)
    at = words.convert_tokens_to_ids
    thinker = {
        "text_config": {**TEXT, "vocab_size": len(words), "rope_parameters": ROPE,
                     "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id},
        "vision_config": _qwen_vision(),
        "audio_config": {"d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2,
                      "encoder_ffn_dim": 48, "output_dim": 32, "num_mel_bins": 128,
                      "n_window": 100},
        "image_token_id": at("<|IMAGE|>"), "image_token_index": at("<|IMAGE|>"),
        "audio_token_id": at("<|AUDIO|>"), "audio_token_index": at("<|AUDIO|>"),
        "video_token_id": at("<|VIDEO|>"), "video_token_index": at("<|VIDEO|>"),
        "vision_start_token_id": at("<|vision_bos|>"), "vision_end_token_id": at("<|vision_eos|>"),
        "audio_start_token_id": at("<|audio_bos|>"), "audio_end_token_id": at("<|audio_eos|>"),
        "eos_token_id": words.eos_token_id,
    }  # fmt: skip
    config = Qwen2_5OmniConfig(thinker_config=thinker, enable_audio_output=False)
    model = Qwen2_5OmniForConditionalGeneration(config)
    made = _save(folder, model, words, Qwen2VLImageProcessor())
    seeing = json.loads((made / "preprocessor_config.json").read_text())
    WhisperFeatureExtractor(feature_size=128).save_pretrained(made)
    hearing = json.loads((made / "preprocessor_config.json").read_text())
    (made / "preprocessor_config.json").write_text(json.dumps({**hearing, **seeing}))
    return named(made, "Qwen2_5OmniProcessor")


def smolvlm(folder: Path) -> Path:
    """SmolVLM, the family of SmolVLM2: text and pictures."""
    from transformers import SmolVLMConfig, SmolVLMForConditionalGeneration, SmolVLMImageProcessor

    special = {
        "image_token": "<image>",
        "fake_image_token": "<fake_token_around_image>",
        "global_image_token": "<global-img>",
        "end_of_utterance_token": "<end_of_utterance>",
    }
    words = tokenizer(CHATML.replace("IMAGE", "<image>"), **special)
    config = SmolVLMConfig(
        text_config={**TEXT, "model_type": "llama", "vocab_size": len(words),
                     "eos_token_id": words.eos_token_id, "pad_token_id": words.pad_token_id},
        vision_config={"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                       "num_attention_heads": 2, "image_size": 64, "patch_size": 16},
        image_token_id=words.convert_tokens_to_ids("<image>"),
        scale_factor=2,
        pad_token_id=words.pad_token_id,
    )  # fmt: skip
    pictures = SmolVLMImageProcessor(
        size={"longest_edge": 256}, max_image_size={"longest_edge": 64}
    )
    made = _save(folder, SmolVLMForConditionalGeneration(config), words, pictures)
    (made / "processor_config.json").write_text(
        json.dumps({"processor_class": "SmolVLMProcessor", "image_seq_len": 4})
    )
    return named(made, "SmolVLMProcessor")
