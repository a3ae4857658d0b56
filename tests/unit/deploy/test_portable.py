import json
from pathlib import Path
from typing import Any

import jinja2
import jinja2.ext
import pytest

from studio.train.portable import make_portable, v4_config

QWEN = {
    "model_type": "qwen3",
    "dtype": "float32",
    "eos_token_id": 2,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1000000.0},
}
LLAMA3 = {
    "model_type": "llama",
    "dtype": "bfloat16",
    "rope_parameters": {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "original_max_position_embeddings": 8192,
    },
}
GEMMA3 = {
    "text_config": {
        "dtype": "bfloat16",
        "rope_parameters": {
            "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0},
        },
    }
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A folder as transformers 5 saves it."""
    write(tmp_path / "config.json", QWEN)
    write(
        tmp_path / "tokenizer_config.json",
        {
            "backend": "tokenizers",
            "is_local": True,
            "tokenizer_class": "TokenizersBackend",
            "eos_token": "<|im_end|>",
            "extra_special_tokens": ["<|im_start|>"],
        },
    )
    write(tmp_path / "tokenizer.json", {"added_tokens": [{"id": 2, "content": "<|im_end|>"}]})
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    return tmp_path


def write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value))


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_config_gets_the_keys_the_older_library_reads(saved: Path) -> None:
    make_portable(saved)
    config = read(saved / "config.json")
    assert (config["torch_dtype"], config["rope_theta"], config["rope_scaling"]) == ("float32", 1000000.0, None)
    assert "rope_parameters" not in config and "dtype" not in config


def test_the_tokenizer_gets_a_known_class_and_the_template_inline(saved: Path) -> None:
    make_portable(saved)
    config = read(saved / "tokenizer_config.json")
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert config["chat_template"] == "{{ messages }}"
    assert config["additional_special_tokens"] == ["<|im_start|>"]
    assert not {"backend", "is_local", "extra_special_tokens"} & set(config)


def test_the_end_tokens_are_always_a_list(saved: Path) -> None:
    make_portable(saved)
    assert read(saved / "generation_config.json")["eos_token_id"] == [2]


def test_end_tokens_come_from_the_tokenizer_when_no_config_names_them(saved: Path) -> None:
    write(saved / "config.json", {"model_type": "qwen3"})
    make_portable(saved)
    assert read(saved / "generation_config.json")["eos_token_id"] == [2]


def test_doing_it_twice_changes_nothing(saved: Path) -> None:
    make_portable(saved)
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    make_portable(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


def test_scaled_rotary_embeddings_keep_their_scaling() -> None:
    config = v4_config(LLAMA3)
    assert config["rope_theta"] == 500000.0
    assert config["rope_scaling"] == {
        "type": "llama3",
        "rope_type": "llama3",
        "factor": 8.0,
        "original_max_position_embeddings": 8192,
    }


def test_per_layer_rotary_embeddings_become_a_global_and_a_local_base() -> None:
    config = v4_config(GEMMA3)["text_config"]
    assert (config["rope_theta"], config["rope_local_base_freq"]) == (1000000.0, 10000.0)
    assert config["rope_scaling"] == {"type": "linear", "rope_type": "linear", "factor": 8.0}


def test_a_folder_of_an_adapter_without_a_model_config_gets_none(tmp_path: Path) -> None:
    write(tmp_path / "adapter_config.json", {"r": 8})
    make_portable(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["adapter_config.json"]


THINKER = (
    "{%- for message in messages %}<{{ message.role }}>{{ message.content }}\n{%- endfor %}"
    "<assistant>{%- if enable_thinking is defined and enable_thinking is false %}<think></think>{%- endif %}"
)


def test_a_model_that_may_think_aloud_is_not_asked_to_by_any_server(saved: Path) -> None:
    """Training rendered with enable_thinking=False; a server renders without saying anything."""
    (saved / "chat_template.jinja").write_text(THINKER)
    make_portable(saved)
    once = {path.name: path.read_bytes() for path in saved.iterdir()}
    make_portable(saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == once
    inline = read(saved / "tokenizer_config.json")["chat_template"]
    assert inline == (saved / "chat_template.jinja").read_text()
    said = [{"role": "user", "content": "Hello"}]
    trained = jinja2.Template(THINKER).render(messages=said, enable_thinking=False)
    assert jinja2.Template(inline).render(messages=said) == trained
    assert jinja2.Template(THINKER).render(messages=said) != trained


MARKED = (
    "{%- for m in messages %}<{{ m.role }}>\n  {%- generation %} {%- if m.content %}{{- m.content }}{%- endif %}\n"
    "{%- endgeneration -%}\n {% generation %}!{% endgeneration %}{%- endfor %}"
)


def test_servers_get_a_template_without_the_markers_of_training_that_renders_the_same(saved: Path) -> None:
    """TGI's Jinja does not know the tag, and would refuse every conversation."""
    (saved / "chat_template.jinja").write_text(MARKED)
    make_portable(saved)
    inline = read(saved / "tokenizer_config.json")["chat_template"]
    assert "generation" not in inline and (saved / "chat_template.jinja").read_text() == MARKED
    said = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": ""}]
    trained = jinja2.Environment(extensions=[AssistantTracker], trim_blocks=True, lstrip_blocks=True)
    plain = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    assert plain.from_string(inline).render(messages=said) == trained.from_string(MARKED).render(messages=said)
    make_portable(saved)
    assert read(saved / "tokenizer_config.json")["chat_template"] == inline


class AssistantTracker(jinja2.ext.Extension):
    """The tag as transformers has it: it renders what is inside."""

    tags = {"generation"}

    def parse(self, parser: Any) -> Any:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_inside"), [], [], body).set_lineno(line)

    def _inside(self, caller: Any) -> str:
        return str(caller())
