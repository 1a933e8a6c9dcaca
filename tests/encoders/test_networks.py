"""Encoders with weights tell like from unlike, and agree with their own libraries."""

import json
import socket
from pathlib import Path

import numpy as np
import pytest
import torch

from mmrecun.encoders.base import Kind
from mmrecun.encoders.content import read_content
from mmrecun.encoders.made_content import picture_of
from mmrecun.encoders.pictures import Preparation
from mmrecun.encoders.registry import open_encoder
from mmrecun.errors import ConfigError


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch):
    def refuse(*_, **__):
        raise AssertionError("an encoder reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def cosine(one, other):
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_wordllama_knows_words_without_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    library = pytest.importorskip("wordllama", reason="wordllama is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    encoder = open_encoder("wordllama", "text")
    texts = ["a detective story", "murder mystery", "cooking recipe"]
    crime, murder, cooking, nothing = encoder.encode([*texts, ""])
    assert cosine(crime, murder) > cosine(crime, cooking)
    home = Path(library.__file__).parent
    theirs = library.WordLlama.load(cache_dir=home, disable_download=True)
    for other, text in ((murder, texts[1]), (cooking, texts[2])):
        assert crime @ other == pytest.approx(theirs.similarity(texts[0], text), abs=1e-5)
    assert not nothing.any()
    assert len(encoder.provenance.checksum) == 64
    assert encoder.provenance.version
    assert not list(tmp_path.iterdir())


def test_efficientnet_tells_pictures_apart_whatever_their_batch():
    pytest.importorskip("PIL", reason="Pillow is not installed")
    pytest.importorskip("efficientnet_lite_pytorch", reason="efficientnet-lite is not installed")
    encoder = open_encoder("", "image")
    rng = np.random.default_rng(0)
    pictures = [picture_of(group, rng) for group in (0, 0, 3)]
    like, same, unlike = encoder.encode(pictures)
    assert cosine(like, same) > cosine(like, unlike)
    np.testing.assert_allclose(encoder.encode(pictures[2:])[0], unlike, rtol=1e-3, atol=1e-4)
    assert like.shape == (1280,)


def test_a_picture_is_cut_to_its_middle_square():
    pytest.importorskip("PIL", reason="Pillow is not installed")
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 255
    prepared = Preparation(20, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)).of(wide)
    assert prepared.shape == (3, 20, 20)
    np.testing.assert_allclose(prepared, 1)


def test_a_broken_picture_is_told(tmp_path: Path):
    pytest.importorskip("PIL", reason="Pillow is not installed")
    from mmrecun.errors import DataError

    (tmp_path / "a.png").write_bytes(b"\x89PNG broken")
    with pytest.raises(DataError, match="not a readable picture"):
        read_content(tmp_path / "a.png", Kind.IMAGE)


WORDS = ["[PAD]", "red", "shirt", "blue", "sea", "[UNK]"]


def write_tokenizer(folder: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    words = {word: row for row, word in enumerate(WORDS)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))


def test_an_onnx_folder_of_text_is_the_mean_of_its_tokens(tmp_path: Path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    write_tokenizer(tmp_path)
    table = np.random.default_rng(0).standard_normal((len(WORDS), 5)).astype(np.float32)
    make, kinds = onnx.helper, onnx.TensorProto
    graph = make.make_graph(
        [make.make_node("Gather", ["table", "input_ids"], ["last_hidden_state"])],
        "g",
        [make.make_tensor_value_info("input_ids", kinds.INT64, ["B", "T"])],
        [make.make_tensor_value_info("last_hidden_state", kinds.FLOAT, ["B", "T", 5])],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    encoder = open_encoder(str(tmp_path), "text")
    rows = encoder.encode(["red shirt", "blue sea sea", ""])
    np.testing.assert_allclose(rows[:2], [table[[1, 2]].mean(axis=0), table[[3, 4, 4]].mean(axis=0)], rtol=1e-5)
    assert not rows[2].any()
    assert encoder.provenance.encoder == tmp_path.name
    assert encoder.provenance.version.startswith("onnxruntime ")


def test_an_onnx_folder_of_pictures_is_prepared_as_it_says(tmp_path: Path):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    pytest.importorskip("PIL", reason="Pillow is not installed")
    settings = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    make, kinds = onnx.helper, onnx.TensorProto
    graph = make.make_graph(
        [make.make_node("Identity", ["pixel_values"], ["features"])],
        "g",
        [make.make_tensor_value_info("pixel_values", kinds.FLOAT, ["B", 3, 8, 8])],
        [make.make_tensor_value_info("features", kinds.FLOAT, ["B", 3, 8, 8])],
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    picture = np.full((16, 16, 3), (255, 0, 51), dtype=np.uint8)
    (row,) = open_encoder(str(tmp_path), "image").encode([picture])
    np.testing.assert_allclose(row, [2, -2, -1.2], atol=1e-5)


def test_a_hugging_face_folder_gives_what_transformers_gives(tmp_path: Path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    write_tokenizer(tmp_path)
    config = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    torch.manual_seed(0)
    model = transformers.BertModel(config).eval()
    model.save_pretrained(tmp_path)
    rows = open_encoder(str(tmp_path), "text").encode(["red shirt", "blue"])
    with torch.inference_mode():
        for row, ids in zip(rows, ([1, 2], [3]), strict=True):
            expected = model(input_ids=torch.tensor([ids])).last_hidden_state[0].mean(dim=0)
            np.testing.assert_allclose(row, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_hugging_face_folder_of_pictures_gives_what_transformers_gives(tmp_path: Path):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    pytest.importorskip("PIL", reason="Pillow is not installed")
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    torch.manual_seed(0)
    model = transformers.ViTModel(transformers.ViTConfig(image_size=8, patch_size=4, **sizes)).eval()
    model.save_pretrained(tmp_path)
    settings = {"size": {"height": 8, "width": 8}, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(settings), encoding="utf-8")
    pictures = np.random.default_rng(0).integers(256, size=(2, 8, 8, 3), dtype=np.uint8)
    rows = open_encoder(str(tmp_path), "image").encode(list(pictures))
    prepared = torch.from_numpy((pictures / 255 - 0.5) / 0.25).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = model(pixel_values=prepared).last_hidden_state.mean(dim=1)
    np.testing.assert_allclose(rows, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_folder_of_nothing_known_is_told(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"neither tokenizer\.json"):
        open_encoder(str(tmp_path), "text")
    (tmp_path / "tokenizer.json").touch()
    (tmp_path / "pytorch_model.bin").touch()
    with pytest.raises(ConfigError, match="pickled weights are never loaded"):
        open_encoder(str(tmp_path), "text")
