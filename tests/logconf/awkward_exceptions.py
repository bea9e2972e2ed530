"""The cases of the battery that log exceptions."""

from __future__ import annotations

from tests.logconf.awkward_forms import Check, attempt, exception

EXCEPTIONS: dict[str, tuple[str, Check]] = {
    "causes, notes": attempt(
        "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    e.add_note('a note')\n"
        "    raise ValueError('outer') from e",
        exception("ZeroDivisionError", "a note", "direct cause", "ValueError: outer"),
    ),
    "an exception whose __str__ raises": attempt(
        "raise Bad()", exception("Bad", "KeyError"), "class Bad(Exception):\n    def __str__(self): raise KeyError"
    ),
    "a cycle of causes": attempt(
        "a, b = ValueError('a'), ValueError('b')\na.__cause__, b.__cause__ = b, a\nraise a",
        exception("ValueError: a", "ValueError: b"),
    ),
    "a group of groups with a hundred leaves": attempt(
        "raise ExceptionGroup('g', [ExceptionGroup('h', [ValueError(f'leaf {n}.') for n in range(100)])])",
        lambda line: all(f"leaf {n}." in line["exception"] for n in range(100)),
    ),
    "a group with long leaves": attempt(
        "raise ExceptionGroup('g', [ValueError(f'leaf {n}. ' + 'x' * 5000) for n in range(50)])",
        lambda line: "cut" in line["exception"] and all(f"leaf {n}." in line["exception"] for n in range(50)),
    ),
    "a group with two hundred leaves of a line each": attempt(
        "raise ExceptionGroup('g', [ValueError(f'leaf {n}. ' + 'x' * 50) for n in range(200)])",
        lambda line: all(f"leaf {n}." in line["exception"] for n in range(200)),
    ),
    "a group as the cause of another error": attempt(
        "raise KeyError('k') from ExceptionGroup('g', [ValueError(f'leaf {n}. ' + 'x' * 300) for n in range(100)])",
        lambda line: "KeyError" in line["exception"] and all(f"leaf {n}." in line["exception"] for n in range(100)),
    ),
    "an exception without a length": (
        (
            "class Empty(Exception):\n    def __len__(self): return 0\n"
            "log.warning('m', exc_info=Empty('found'), extra={'beside': 1})"
        ),
        lambda line: "Empty: found" in line["exception"] and line["extra"] == {"beside": 1},
    ),
    "an exception that cannot be asked": (
        (
            "class Odd(Exception):\n    def __bool__(self): raise ValueError\n"
            "log.warning('m', exc_info=Odd('found'), extra={'beside': 1})"
        ),
        lambda line: "Odd: found" in line["exception"] and line["extra"] == {"beside": 1},
    ),
    "a group nested a thousand deep": attempt(
        "e = ValueError('the leaf')\nfor n in range(1000): e = ExceptionGroup('g', [e])\nraise e", exception("the leaf")
    ),
    "ten thousand causes": attempt(
        "e = None\nfor n in range(10_000):\n    f = ValueError(n)\n    f.__cause__ = e\n    e = f\nraise e",
        exception("ValueError: 9999", "cut"),
    ),
    "a RecursionError": attempt("f()", exception("RecursionError", "cut"), "def f(): f()"),
    "10 MB in an exception": attempt("raise ValueError('x' * 10_000_000)", exception("ValueError: xxx", "cut")),
    "a surrogate in an exception": attempt("raise ValueError('\\udc80')", exception("\\udc80")),
    "notes that are no list": attempt("e = ValueError('x')\ne.__notes__ = 5\nraise e", exception("ValueError: x")),
    "a broken SyntaxError": attempt("raise SyntaxError('bad', (1, 2, 3, object()))", exception("SyntaxError")),
    "a module whose loader raises": attempt(
        "exec(code, {'__loader__': Loader(), '__name__': 'm'})",
        exception("ZeroDivisionError", "made-up.py"),
        "class Loader:\n    def get_source(self, name): raise SystemError\n"
        "code = compile('1 / 0', 'made-up.py', 'exec')",
    ),
    "KeyboardInterrupt as an exception": attempt("raise KeyboardInterrupt", exception("KeyboardInterrupt")),
    "exc_info where there is none": ("log.error('m', exc_info=True)", lambda line: "exception" not in line),
    "exc_info that is a lie": ("log.error('m', exc_info=(1, 2))", lambda line: line["message"] == "m"),
}
