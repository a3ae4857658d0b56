"""The rows do not teach: there are none, they are cut before the answer, or they are of another kind."""

from __future__ import annotations

from studio.train.failures.case import Case, Failure

NO_ROW_LEFT = (r"num_samples should be a positive integer", r"Every row is longer than \d+ tokens before its answer")


def rows_too_long(case: Case) -> Failure | None:
    """Every prompt alone fills the longest row, so nothing of an answer is left to learn."""
    line = case.line(*NO_ROW_LEFT)
    if not line:
        return None
    longest = case.value("max_length", 512)
    cause = f"Every row is longer than {longest} tokens before its answer begins, so nothing was left to learn."
    change = {"max_length": min(131072, 2 * longest)}
    return Failure("rows_too_long", cause, line, f"Allow rows of {change['max_length']} tokens", change)


def no_supervised_tokens(case: Case) -> Failure | None:
    """The template does not mark answers, so no token counts."""
    line = case.line(
        r"assistant_only_loss", r"generation %}", r"assistant_masks", r"no assistant token", r"All labels are masked"
    )
    if not line:
        return None
    cause = "The base's chat template does not mark answers, so no word of yours would be learned."
    return Failure("no_supervised_tokens", cause, line, "Learn the last answer of each row", {"every_turn": False})


def no_rows(case: Case) -> Failure | None:
    """Nothing was left after rows that cannot be used were taken out."""
    line = case.line(r"There is no row to train on", r"No rows? left", r"^StopIteration")
    if not line:
        return None
    cause = (
        "No row is left to train on once repeats of golden prompts, empty answers and prompts that fill the longest "
        "row alone are taken out."
    )
    return Failure("no_rows", cause, line, "Add examples on Curate and freeze a new version", page="curate")


def rows_of_another_kind(case: Case) -> Failure | None:
    """Pairs for a method that wants thumbs, and the like."""
    line = case.line(r"^KeyError: '(?:chosen|rejected|label|completion|prompt|reference)'")
    if not line:
        return None
    cause = "The rows are of another kind than this way of learning needs."
    return Failure("rows_of_another_kind", cause, line, "Choose a way to learn that your data offers", page="train")


def too_few_rows(case: Case) -> Failure | None:
    """A batch or an evaluation cannot be filled evenly."""
    line = case.line(r"must be divisible by the number of generations", r"batch size .* divisible")
    if not line:
        return None
    cause = "The answers tried per prompt do not divide the rows of a step evenly."
    rows = int(case.value("batch_size", 8))
    tries = next(each for each in (4, 2, 8) if rows % each == 0) if rows % 2 == 0 else 2
    change = {"num_generations": tries, "batch_size": rows if rows % tries == 0 else rows + 1}
    return Failure("too_few_rows", cause, line, f"Try {tries} answers per prompt", change)


def reward_failed(case: Case) -> Failure | None:
    """A check that GRPO practises against raised an error."""
    line = case.line(r"recipes/rewards\.py", r"studio/scoring/\w+\.py", r"[Rr]eward function")
    if not line:
        return None
    cause = "A check that the model practises against failed on an answer."
    checks = [{"name": "exact_match"}]
    return Failure(
        "reward_failed", cause, case.text.splitlines()[0], "Practise against exact match", {"rewards": checks}
    )
