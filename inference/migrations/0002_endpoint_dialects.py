import django.core.validators
from django.db import migrations, models

import inference.models


class Migration(migrations.Migration):

    dependencies = [
        ('inference', '0001_models_endpoints_keys'),
    ]

    operations = [
        migrations.RemoveConstraint(model_name='endpoint', name='inference_endpoint_protocol_known'),
        migrations.RenameField(model_name='endpoint', old_name='protocol', new_name='dialect'),
        migrations.AddField(
            model_name='endpoint',
            name='dropped_params',
            field=models.JSONField(blank=True, default=list, help_text='Names of parameters that are left out silently, as the server refuses them.', verbose_name='dropped parameters'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='extra_body',
            field=models.JSONField(blank=True, default=dict, help_text='Added to every request.', verbose_name='extra fields'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='failures_in_row',
            field=models.PositiveIntegerField(default=0, editable=False, verbose_name='failures in a row'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='fixed_temperature',
            field=models.FloatField(blank=True, help_text='Sent whatever is asked for; empty leaves the choice.', null=True, validators=[django.core.validators.MinValueValidator(0.0), django.core.validators.MaxValueValidator(2.0)], verbose_name='fixed temperature'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='last_failed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='last failed'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='last_failure',
            field=models.CharField(blank=True, editable=False, max_length=64, verbose_name='last failure'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='options',
            field=models.JSONField(blank=True, default=dict, help_text='What else the dialect needs.', verbose_name='options'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='recommended',
            field=models.JSONField(blank=True, default=dict, help_text='temperature, top_p and max_tokens of battles.', verbose_name='recommended parameters'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='requests_per_minute',
            field=models.PositiveIntegerField(default=0, help_text='0 sets no limit.', verbose_name='requests a minute'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='rests_until',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='rests until'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='slots',
            field=models.PositiveIntegerField(default=16, help_text='Answers at the same time.', validators=[django.core.validators.MinValueValidator(1)], verbose_name='slots'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='system_prompt',
            field=models.TextField(blank=True, help_text='Said first where a conversation has no system message.', verbose_name='system prompt'),
        ),
        migrations.AddField(
            model_name='endpoint',
            name='takes_images',
            field=models.BooleanField(default=False, help_text='Images in a conversation are sent along.', verbose_name='takes images'),
        ),
        migrations.AlterField(
            model_name='endpoint',
            name='dialect',
            field=models.CharField(default='openai', help_text='What the server speaks, such as openai, anthropic or vllm.', max_length=32, verbose_name='dialect'),
        ),
        migrations.AlterField(
            model_name='endpoint',
            name='url',
            field=models.CharField(blank=True, help_text="Base address, such as https://host/v1. Empty: the dialect's own.", max_length=300, validators=[inference.models.validate_endpoint_address], verbose_name='address'),
        ),
        migrations.AddConstraint(
            model_name='endpoint',
            constraint=models.CheckConstraint(condition=models.Q(('dialect', ''), _negated=True), name='inference_endpoint_has_dialect'),
        ),
        migrations.AddConstraint(
            model_name='endpoint',
            constraint=models.CheckConstraint(condition=models.Q(('slots__gte', 1)), name='inference_endpoint_has_slots'),
        ),
        migrations.AddConstraint(
            model_name='endpoint',
            constraint=models.CheckConstraint(condition=models.Q(('url', ''), ('url__startswith', 'http://'), ('url__startswith', 'https://'), _connector='OR'), name='inference_endpoint_speaks_http'),
        ),
    ]
