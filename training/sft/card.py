"""The card of a finished model: its recipe, its exam and its limits, in Markdown."""

from pathlib import Path

from training.sft.config import Recipe
from training.sft.evaluation import ExamReport

TEMPLATE = Path(__file__).with_name("model_card.md")


def render_card(recipe: Recipe, report: ExamReport, *, parameter_count: int) -> str:
    """Return the card's text; the digest of the weights is left as the slot "{sha256}"."""
    shape, schedule = recipe.model, recipe.schedule
    by_language = report.by_language().items()
    by_intent = report.by_intent().items()
    return TEMPLATE.read_text(encoding="utf-8").format(
        name=recipe.name,
        description=recipe.description,
        seed=recipe.seed,
        dtype=recipe.dtype,
        layers=shape.layers,
        hidden_size=shape.hidden_size,
        context_length=shape.context_length,
        vocab_size=recipe.tokenizer.vocab_size,
        max_length=schedule.max_length,
        steps=schedule.steps,
        batch_size=schedule.batch_size,
        learning_rate=schedule.learning_rate,
        decay_share=schedule.decay_share,
        parameter_count=parameter_count,
        accuracy=report.accuracy,
        asked=report.asked.total(),
        languages=", ".join(f"{share:.1%} in {language}" for language, share in by_language),
        intents="\n".join(f"| {intent} | {share:.0%} |" for intent, share in by_intent),
    )
