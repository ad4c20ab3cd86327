"""Keys get scopes, models, limits and budgets, and what they use is counted."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import inference.models.api_key


class Migration(migrations.Migration):
    dependencies = [
        ("inference", "0003_model_takes_images"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiUsage",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("day", models.DateField(verbose_name="day")),
                (
                    "model",
                    models.CharField(
                        blank=True,
                        help_text="Empty where a request named no model that answers.",
                        max_length=128,
                        verbose_name="model",
                    ),
                ),
                ("requests", models.PositiveBigIntegerField(default=0, verbose_name="requests")),
                (
                    "prompt_tokens",
                    models.PositiveBigIntegerField(default=0, verbose_name="prompt tokens"),
                ),
                (
                    "completion_tokens",
                    models.PositiveBigIntegerField(default=0, verbose_name="completion tokens"),
                ),
                ("errors", models.PositiveBigIntegerField(default=0, verbose_name="errors")),
            ],
            options={
                "verbose_name": "API usage",
                "verbose_name_plural": "API usage",
                "ordering": ["-day", "key", "model"],
            },
        ),
        migrations.AddField(
            model_name="apikey",
            name="allowed_models",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Names of the models it may use, one a line; empty allows all.",
                validators=[inference.models.api_key.validate_model_names],
                verbose_name="models",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="budget_period",
            field=models.CharField(
                choices=[("total", "all time"), ("month", "each month")],
                default="total",
                max_length=8,
                verbose_name="budget is for",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="requests_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Empty takes the site's limit, 0 sets none.",
                null=True,
                verbose_name="requests a minute",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="scopes",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Parts of the API it opens; none chosen opens all.",
                validators=[inference.models.api_key.validate_scopes],
                verbose_name="scopes",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="token_budget",
            field=models.PositiveBigIntegerField(
                blank=True,
                help_text="Tokens it may use before the door closes; empty sets no budget.",
                null=True,
                verbose_name="token budget",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="tokens_per_minute",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Of prompts and answers. Empty takes the site's limit, 0 sets none.",
                null=True,
                verbose_name="tokens a minute",
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.CheckConstraint(
                condition=models.Q(("budget_period__in", ["total", "month"])),
                name="inference_key_budget_period_exists",
            ),
        ),
        migrations.AddField(
            model_name="apiusage",
            name="key",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="usage",
                to="inference.apikey",
                verbose_name="API key",
            ),
        ),
        migrations.AddConstraint(
            model_name="apiusage",
            constraint=models.UniqueConstraint(
                fields=("key", "day", "model"), name="inference_usage_once_a_day"
            ),
        ),
    ]
