"""Every kind of place, by name: what it is, what it needs to be told, and how its runner is made."""

from __future__ import annotations

from dataclasses import dataclass

from studio.access.places import Kind, Option

LOCAL = "local"


@dataclass(frozen=True)
class PlaceKind(Kind):
    """A kind of place where runs may happen."""

    hosted: bool = False
    """A company trains there by its own recipe; nothing of ours runs."""
    costs: bool = False
    """Runs there are billed, so somebody must have confirmed that."""


WAIT = Option("start_within_minutes", "Give up after", "Minutes to wait for a turn.", "number", 60.0)
CONFIRMED = Option("confirmed", "Runs here cost money", "Nothing is started before this is confirmed.", "yes", False)
POLL = Option("poll_s", "Seconds between looks", "How often the run is asked about.", "number", 2.0)
PROCESSES = Option("processes", "Processes", "One per GPU; empty uses every GPU there is.", "number")
STRATEGY = Option("strategy", "How GPUs share the work", "ddp (a copy each) or fsdp (a part each).", "text", "ddp")
HOSTED = (
    CONFIRMED,
    Option("model", "Their model", "Which of theirs to train, when it is always the same."),
    Option("models", "Their names of our bases", "Our base to their model.", "map"),
    Option("prices", "Your prices", "Their model to USD per million trained tokens.", "map"),
    Option("poll_s", "Seconds between looks", "How often the run is asked about.", "number", 20.0),
)
ACCOUNT = (Option("account", "Account", "As it is called in the console's address."),)
AWS = (
    Option("region", "Region", "", default="us-east-1"),
    Option("bucket", "Bucket", "Where rows are put and results appear."),
    Option("role_arn", "Role", "ARN of the role that may read and write the bucket."),
    Option("s3_url", "S3 address", "Empty is the region's own."),
    Option("hyperparameters", "Hyperparameters", "What the model takes besides epochs.", "map"),
)
ACCELERATE = PlaceKind(
    "accelerate",
    "All GPUs of this machine",
    "One process per GPU with accelerate; with processors only, several processes with torchrun.",
    url="no",
    key="no",
    options=(PROCESSES, STRATEGY, POLL),
)
RAY = PlaceKind(
    "ray",
    "A Ray cluster",
    "Its Jobs API is all that is used. A cluster on another machine must ask for a token.",
    url="required",
    key="optional",
    options=(
        Option("folder", "Shared folder", "A folder that this machine and the cluster see under the same path."),
        Option("python", "Python there", "Interpreter with torch and trl.", default="python"),
        Option("pip", "Packages to install there", "One requirement per line; slow to start.", "list"),
        Option("gpus", "GPUs per run", "", "number", 0.0),
        Option("cpus", "Processors per run", "", "number", 0.0),
        Option("memory_gb", "Memory per run, GB", "", "number", 0.0),
        PROCESSES,
        STRATEGY,
        Option("grace_s", "Seconds to stop in", "Ray kills a job that did not stop by then.", "number", 30.0),
        WAIT,
        POLL,
    ),
)
HF_JOBS = PlaceKind(
    "hf_jobs",
    "Hugging Face Jobs",
    "A container on Hugging Face's hardware, billed by the minute. Rows and weights leave this machine.",
    url="optional",
    key="required",
    options=(
        Option("flavor", "Hardware", "As the Hub names it, for example a10g-small.", default="cpu-basic"),
        Option("namespace", "Account", "Who pays; empty is the token's owner."),
        Option("repository", "Repository", "A private one that files travel through.", default="whetstone-runs"),
        Option("image", "Image", "Any with uv; empty is uv's own."),
        Option("hours", "Longest run, hours", "", "number", 8.0),
        PROCESSES,
        STRATEGY,
        CONFIRMED,
        WAIT,
        Option("poll_s", "Seconds between looks", "How often the run is asked about.", "number", 10.0),
    ),
    costs=True,
)


def _company(name: str, label: str, about: str, options: tuple[Option, ...] = ()) -> PlaceKind:
    every = (*options, *HOSTED)
    return PlaceKind(name, label, about, url="optional", key="required", options=every, hosted=True, costs=True)


KINDS: dict[str, PlaceKind] = {
    kind.name: kind
    for kind in (
        ACCELERATE,
        RAY,
        HF_JOBS,
        _company("together", "Together", "LoRA on open models; the tuned model answers there."),
        _company("fireworks", "Fireworks", "LoRA on open models; the tuned model answers there.", ACCOUNT),
        _company("openai", "OpenAI", "OpenAI's own models; the weights stay there."),
        _company("bedrock", "Amazon Bedrock", "Models in your own AWS account.", AWS),
    )
}
