"""Older language models, encoders, and models of images and speech.

The figures are those of the config.json that each is published with. Layers of models with an
encoder and a decoder are both parts' together: what a decoder keeps of the encoder's words (cross
attention) is as large as what an encoder's layer would keep. Encoders have no heads with keys and
values to keep. A model of images is all that its pipeline loads (text encoders and the image
decoder, too), its context the tokens of one image of the usual size.
"""

from __future__ import annotations

from typing import Final

from hpcshell.predict.models.rows import row
from hpcshell.predict.models.shape import Model

_DECODERS: Final = (
    row("gpt2", 124_439_808, (12, 768, 12, 12, 64, 3072), 50257, 1024, tied=True, dtype="fp32"),
    row(
        "gpt2-medium",
        *(354_823_168, (24, 1024, 16, 16, 64, 4096), 50257, 1024),
        tied=True,
        dtype="fp32",
    ),
    row(
        "gpt2-large",
        *(774_030_080, (36, 1280, 20, 20, 64, 5120), 50257, 1024),
        tied=True,
        dtype="fp32",
    ),
    row(
        "gpt2-xl",
        *(1_557_611_200, (48, 1600, 25, 25, 64, 6400), 50257, 1024),
        tied=True,
        dtype="fp32",
    ),
    row("gpt-j-6b", 6_050_882_784, (28, 4096, 16, 16, 256, 16384), 50400, 2048, dtype="fp32"),
    row("gpt-neox-20b", 20_554_567_680, (44, 6144, 64, 64, 96, 24576), 50432, 2048, dtype="fp16"),
    row("pythia-6.9b", 6_857_302_016, (32, 4096, 32, 32, 128, 16384), 50432, 2048, dtype="fp16"),
    row("pythia-12b", 11_846_072_320, (36, 5120, 40, 40, 128, 20480), 50688, 2048, dtype="fp16"),
    row(
        "opt-1.3b",
        *(1_315_758_080, (24, 2048, 32, 32, 64, 8192), 50272, 2048),
        tied=True,
        dtype="fp16",
    ),
    row(
        "opt-6.7b",
        *(6_658_473_984, (32, 4096, 32, 32, 128, 16384), 50272, 2048),
        tied=True,
        dtype="fp16",
    ),
    row(
        "opt-13b",
        *(12_853_473_280, (40, 5120, 40, 40, 128, 20480), 50272, 2048),
        tied=True,
        dtype="fp16",
    ),
    row(
        "bloom-7b1",
        *(7_069_016_064, (30, 4096, 32, 32, 128, 16384), 250880, 2048),
        tied=True,
        dtype="fp16",
    ),
    row("bloom-176b", 176_247_271_424, (70, 14336, 112, 112, 128, 57344), 250880, 2048, tied=True),
    row("falcon-7b", 7_217_189_760, (32, 4544, 71, 1, 64, 18176), 65024, 2048),
    row("falcon-40b", 41_303_293_952, (60, 8192, 128, 8, 64, 32768), 65024, 2048, tied=True),
    row("falcon-180b", 179_522_565_120, (80, 14848, 232, 8, 64, 59392), 65024, 2048),
)

_BOTH: Final = (
    row("t5-small", 60_506_624, (12, 512, 8, 8, 64, 2048), 32128, 512, tied=True, dtype="fp32"),
    row("t5-base", 222_903_552, (24, 768, 12, 12, 64, 3072), 32128, 512, tied=True, dtype="fp32"),
    row("t5-large", 737_668_096, (48, 1024, 16, 16, 64, 4096), 32128, 512, tied=True, dtype="fp32"),
    row("flan-t5-small", 76_961_152, (16, 512, 6, 6, 64, 1024), 32128, 512, dtype="fp32"),
    row("flan-t5-base", 247_577_856, (24, 768, 12, 12, 64, 2048), 32128, 512, dtype="fp32"),
    row("flan-t5-large", 783_150_080, (48, 1024, 16, 16, 64, 2816), 32128, 512, dtype="fp32"),
    row("flan-t5-xl", 2_849_757_184, (48, 2048, 32, 32, 64, 5120), 32128, 512, dtype="fp32"),
    row("flan-t5-xxl", 11_135_332_352, (48, 4096, 64, 64, 64, 10240), 32128, 512, dtype="fp32"),
    row("whisper-tiny", 37_760_640, (8, 384, 6, 6, 64, 1536), 51865, 1500, tied=True, dtype="fp32"),
    row(
        "whisper-base",
        *(72_593_920, (12, 512, 8, 8, 64, 2048), 51865, 1500),
        tied=True,
        dtype="fp32",
    ),
    row(
        "whisper-small",
        *(241_734_912, (24, 768, 12, 12, 64, 3072), 51865, 1500),
        tied=True,
        dtype="fp32",
    ),
    row(
        "whisper-medium",
        *(763_857_920, (48, 1024, 16, 16, 64, 4096), 51865, 1500),
        tied=True,
        dtype="fp32",
    ),
    row(
        "whisper-large-v2",
        *(1_543_304_960, (64, 1280, 20, 20, 64, 5120), 51865, 1500),
        tied=True,
        dtype="fp32",
    ),
    row(
        "whisper-large-v3",
        *(1_543_490_560, (64, 1280, 20, 20, 64, 5120), 51866, 1500),
        tied=True,
        dtype="fp16",
    ),
    row(
        "whisper-large-v3-turbo",
        *(808_878_080, (36, 1280, 20, 20, 64, 5120), 51866, 1500),
        tied=True,
        dtype="fp16",
    ),
)


def _encoder(
    name: str, parameters: int, shape: tuple[int, int, int, int, int], words: int, longest: int
) -> Model:
    """One that keeps nothing of earlier tokens."""
    layers, hidden, heads, head_size, ffn = shape
    whole = (layers, hidden, heads, 0, head_size, ffn)
    return row(name, parameters, whole, words, longest, tied=True, dtype="fp32")


_ENCODERS: Final = (
    _encoder("bert-base", 109_482_240, (12, 768, 12, 64, 3072), 30522, 512),
    _encoder("bert-large", 335_141_888, (24, 1024, 16, 64, 4096), 30522, 512),
    _encoder("distilbert-base", 66_362_880, (6, 768, 12, 64, 3072), 30522, 512),
    _encoder("roberta-base", 124_645_632, (12, 768, 12, 64, 3072), 50265, 512),
    _encoder("roberta-large", 355_359_744, (24, 1024, 16, 64, 4096), 50265, 512),
    _encoder("xlm-roberta-base", 278_043_648, (12, 768, 12, 64, 3072), 250002, 512),
    _encoder("xlm-roberta-large", 559_890_432, (24, 1024, 16, 64, 4096), 250002, 512),
    _encoder("deberta-v3-base", 183_831_552, (12, 768, 12, 64, 3072), 128100, 512),
    _encoder("deberta-v3-large", 434_012_160, (24, 1024, 16, 64, 4096), 128100, 512),
    _encoder("all-minilm-l6-v2", 22_713_216, (6, 384, 12, 32, 1536), 30522, 512),
    _encoder("vit-base", 86_567_656, (12, 768, 12, 64, 3072), 1000, 197),
    _encoder("vit-large", 304_326_632, (24, 1024, 16, 64, 4096), 1000, 197),
    _encoder("vit-huge", 632_045_800, (32, 1280, 16, 80, 5120), 1000, 257),
    _encoder("clip-vit-base-patch32", 151_277_313, (12, 768, 12, 64, 3072), 49408, 77),
    _encoder("clip-vit-large-patch14", 427_616_513, (24, 1024, 16, 64, 4096), 49408, 257),
    _encoder("dinov2-base", 86_580_480, (12, 768, 12, 64, 3072), 0, 1370),
    _encoder("dinov2-large", 304_368_640, (24, 1024, 16, 64, 4096), 0, 1370),
)

_IMAGE_1024: Final = 4 * 256 * 1024 * 1024 * 2
"""Bytes while an image of 1024 x 1024 is decoded: four maps of 256 channels at full size, 16 bits
each, which is where the decoder of the variational autoencoder is widest."""

_IMAGES: Final = (
    row(
        "stable-diffusion-1.5",
        *(1_066_235_307, (16, 1280, 8, 0, 160, 5120), 0, 4096),
        dtype="fp16",
        image=_IMAGE_1024 // 4,
    ),
    row(
        "sdxl",
        *(3_468_837_867, (70, 1280, 20, 0, 64, 5120), 0, 4096),
        dtype="fp16",
        image=_IMAGE_1024,
    ),
    row("flux.1", 16_870_599_139, (57, 3072, 24, 0, 128, 12288), 0, 4608, image=_IMAGE_1024),
)

CLASSIC: Final[tuple[Model, ...]] = (*_DECODERS, *_BOTH, *_ENCODERS, *_IMAGES)
