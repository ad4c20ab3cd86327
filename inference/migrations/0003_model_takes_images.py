"""The card of a model says whether messages may show it images."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("inference", "0002_endpoint_dialects")]

    operations = [
        migrations.AddField(
            model_name="languagemodel",
            name="takes_images",
            field=models.BooleanField(
                default=False,
                help_text="Messages may show it images.",
                verbose_name="takes images",
            ),
        ),
    ]
