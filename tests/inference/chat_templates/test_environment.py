import jinja2
import pytest

from inference.chat_templates.environment import compile_template


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ (1).__class__.__base__.__subclasses__() }}",
        "{% for _ in range(10**9) %}{% endfor %}",
    ],
)
def test_a_template_cannot_leave_the_sandbox(source):
    template = compile_template(source)

    with pytest.raises((jinja2.TemplateError, OverflowError)):
        template.render(messages=[])


def test_json_is_written_without_html_escapes():
    assert compile_template("{{ v | tojson }}").render(v={"a": "<b> 你"}) == '{"a": "<b> 你"}'


def test_loops_may_be_left_early():
    source = "{% for n in range(9) %}{% if n == 2 %}{% break %}{% endif %}{{ n }}{% endfor %}"

    assert compile_template(source).render() == "01"


def test_a_template_may_ask_for_the_date():
    assert compile_template("{{ strftime_now('%Y') }}").render().isdigit()
