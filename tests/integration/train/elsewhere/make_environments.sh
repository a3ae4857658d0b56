#!/bin/bash
# The config parsers of other tools, each in an environment of its own, outside of the repository. CPU only; about 4 GB.
# usage: tests/integration/train/elsewhere/make_environments.sh [folder]   then: STUDIO_TEST_TOOLS=1 pytest -k elsewhere
set -e
here=$(cd "$(dirname "$0")/../../../.." && pwd)
folder=${1:-${STUDIO_TOOLS:-$HOME/.cache/whetstone/tools}}
uv="$here/.venv/bin/uv"
mkdir -p "$folder"
for tool in axolotl llama-factory unsloth; do
  "$uv" venv -q --allow-existing --python "$here/.venv/bin/python" "$folder/$tool"
done
"$uv" pip install -q --python "$folder/unsloth/bin/python" --no-deps unsloth==2026.10.9
"$uv" pip install -q --python "$folder/unsloth/bin/python" pydantic pyyaml
"$uv" pip install -q --python "$folder/axolotl/bin/python" --no-deps axolotl==0.19.0
"$uv" pip install -q --python "$folder/axolotl/bin/python" "torch<=2.13.0" huggingface_hub==1.17.0 peft==0.20.0 \
  tokenizers==0.23.1 transformers==5.16.1 accelerate==1.13.0 datasets==4.8.4 trl==1.9.0 pydantic==2.12.5 addict fire \
  PyYAML==6.0.3 requests einops colorama typer==0.25.1 packaging==26.0 python-dotenv art schedulefree posthog==6.7.11 \
  axolotl-contribs-lgpl==0.0.7 axolotl-contribs-mit==0.0.6 nvidia-ml-py sentencepiece langdetect immutabledict zstandard pillow
"$uv" pip install -q --python "$folder/llama-factory/bin/python" llamafactory==0.9.5 "torch<=2.13.0"
# It asks for sound and video libraries that text needs nothing of, and whose wheels do not fit a CPU build of torch.
"$uv" pip uninstall -q --python "$folder/llama-factory/bin/python" torchvision torchaudio || true
site=$("$folder/llama-factory/bin/python" -c "import sysconfig; print(sysconfig.get_paths()['purelib'])")
mkdir -p "$site/torchaudio" && : > "$site/torchaudio/__init__.py"
