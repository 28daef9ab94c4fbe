"""Templates that try to read what is not theirs, to run code, or to exhaust the machine; at least 500, from a seed."""

import random
from collections.abc import Iterator

SECRETS = (
    *("settings.SECRET_KEY", "environ.DATABASE_URL", "request.user", "profile.pk", "profile.score", "profile.traits"),
    *("profile.identifiers", "profile.birth_date", "profiles[2].name", "profile.objects.all", "other.name"),
    *("recommendations.first.item", "recommendations[0]._values", "coupons._known", "_zy", "_zy.delivery", "_zy_pixel"),
    *("profile._state", "profile.name.__class__", "now.__class__", "now.tzinfo", "forloop.it", "self", "context"),
)
DUNDERS = (
    *("__class__", "__mro__", "__subclasses__", "__globals__", "__init__", "__dict__", "__builtins__", "__getitem__"),
    *("_values", "_fallbacks", "func_globals", "gi_frame", "f_locals", "mro", "format", "__reduce__", "__liquid__"),
)
ROOTS = (
    "profile",
    "profile.name",
    "recommendations",
    "recommendations.first",
    "coupons",
    "sender",
    "now",
    "unsubscribe",
)
TAGS = (
    *(
        "{% include '/etc/passwd' %}",
        "{% render 'x' %}",
        "{% layout 'x' %}",
        "{% import os %}",
        "{% python %}x{% endpython %}",
    ),
    *("{% raw %}" * 200, "{% doc %}" * 200, "{% tablerow i in (1..9) %}x{% endtablerow %}", "{% liquid include 'x' %}"),
    *(
        "{% extends 'x' %}",
        "{% block a %}{% endblock %}",
        "{% macro a %}{% endmacro %}",
        "{% call a %}",
        "{% with a: 1 %}",
    ),
    *(
        "{% increment x %}",
        "{% cycle 'a', 'b' %}",
        "{% ifchanged %}x{% endifchanged %}",
        "{% load static %}",
        "{% debug %}",
    ),
)
GROWING = (
    *("append: x", "prepend: x", "replace: 'a', x", "replace: '', x", "join: x", "split: ''", "times: 9999999999"),
    *("concat: x", "url_encode", "truncate: 99999999, x", "truncatewords: 99999999, x", "slice: 0, 99999999", "upcase"),
    *(
        "date: '%999999999d'",
        "date: x",
        "round: 99999999",
        "strip_html",
        "sort",
        "uniq",
        "map: x",
        "where: x, x",
        "money: x",
    ),
    *(
        "divided_by: 0",
        "modulo: 0",
        "plus: 1e308",
        "default: x",
        "squish",
        "capitalize",
        "remove: ''",
        "safe",
        "escapejs",
    ),
    *(
        "base64_decode",
        "json",
        "t",
        "eval",
        "attr: '__class__'",
        "sum: x",
        "zip",
        "pow: 999",
        "format: x",
        "zy_link: 0",
    ),
)


def corpus(seed: int = 7) -> Iterator[str]:
    """Yield the templates, always the same ones for a seed."""
    yield from (f"{{{{ {secret} }}}}" for secret in SECRETS)
    yield from (f"{{{{ {root}.{dunder} }}}}" for root in ROOTS for dunder in DUNDERS)
    yield from (f'{{{{ {root}["{dunder}"] }}}}' for root in ROOTS[:4] for dunder in DUNDERS)
    yield from (f"{{% assign k = '{dunder}' %}}{{{{ profile[k] }}}}" for dunder in DUNDERS)
    yield from TAGS
    yield from _doubling()
    yield from _loops()
    yield from _long()
    yield from _mixed(random.Random(seed))


def _doubling() -> Iterator[str]:
    for filter_ in GROWING:
        yield "{% assign x = 'aaaaaaaaaa' %}" + f"{{% assign x = x | {filter_} %}}" * 60 + "{{ x }}"
        inner = f"{{% assign x = x | {filter_} %}}"
        yield f"{{% assign x = 'ab' %}}{{% for i in (1..900) %}}{inner}{{% endfor %}}{{{{ x }}}}"
    for many in (2, 20, 200):
        assigns = "".join(f"{{% assign a{n} = big %}}" for n in range(many))
        yield "{% capture big %}" + "好" * 90_000 + "{% endcapture %}" + assigns + "{{ big }}" * 10
    yield "{% assign n = 9 %}" + "{% assign n = n | times: n %}" * 40 + "{{ n }}"
    yield "{% assign s = 'a' %}" + "{% capture s %}{{ s }}{{ s }}{% endcapture %}" * 40 + "{{ s }}"
    yield "{% assign l = 'a b' | split: ' ' %}" + "{% assign l = l | concat: l %}" * 40 + "{{ l | join: 'x' }}"


def _loops() -> Iterator[str]:
    for end in (1000, 100_000, 10**9, 10**18, "n"):
        yield f"{{% for i in (1..{end}) %}}x{{% endfor %}}"
        yield f"{{% for i in (1..{end}) offset: {end} limit: 1 %}}x{{% endfor %}}"
        yield f"{{% for i in (1..{end}) reversed %}}{{% endfor %}}"
        yield f"{{% if (1..{end}) contains 'a' %}}x{{% endif %}}"
        yield f"{{{{ (1..{end}) | join: ',' }}}}"
        yield f"{{% assign r = (1..{end}) %}}{{% assign s = r | reverse | sort %}}{{{{ s.size }}}}"
    for depth in (2, 5, 11, 40):
        yield "{% for i in (1..99) %}" * depth + "x" + "{% endfor %}" * depth
        yield "{% if true %}" * depth * 20 + "x" + "{% endif %}" * depth * 20
        yield "{% capture a %}" * depth + "x" + "{% endcapture %}" * depth
    test = " or ".join(["profile.name contains 'a'"] * 30)
    yield f"{{% for i in (1..900) %}}{{% if {test} %}}{{% endif %}}{{% endfor %}}"
    yield "".join(f"{{% for i in (1..900) %}}{{{{ i | times: {n} }}}}{{% endfor %}}" for n in range(100))


def _long() -> Iterator[str]:
    for start, end in (("{{", "}}"), ("{%", "%}"), ("{{", ""), ("{%", ""), ("{% comment %}", ""), ("{# ", "#}")):
        yield start * 50_000
        yield (start + " " * 900 + end) * 150
        yield (start + " a" * 400 + end) * 200
        yield start + " " * 150_000 + end
    yield "{{ " + "a[" * 450 + "1" + "]" * 450 + " }}"
    yield "{{ a" + ".b" * 450 + " }}"
    yield "{{ profile.name" + " | upcase" * 100 + " }}"
    yield "{{ " + "9" * 900 + " }}"
    yield "{{ 1e999999 }}{{ -1e999 | round }}"
    yield "{{ '" + "好" * 300 + "' | url_encode }}" * 300
    yield "x" * 5_000_000
    yield "{{ profile.name }}" * 5_000
    yield "<" * 150_000
    yield "<a href='{{ profile.name }}' " * 900
    yield "<!--" * 40_000
    yield "<table>" * 3_000
    yield "<style>" + "a{color:red}" * 9_000 + "</style>" + "<p>x</p>" * 2_000


def _mixed(choose: random.Random) -> Iterator[str]:
    for _ in range(220):
        filters = " | ".join(choose.choice(GROWING) for _ in range(choose.randint(1, 12)))
        start = choose.choice(("profile.name", "recommendations", "'a'", "(1..99)", "1.5", "now", "x", "profile"))
        inner = f"{{% assign x = {start} | {filters} %}}"
        times = choose.choice((1, 9, 99, 999))
        yield f"{{% assign x = 'aa' %}}{{% for i in (1..{times}) %}}{inner}{{% endfor %}}{{{{ x }}}}"
