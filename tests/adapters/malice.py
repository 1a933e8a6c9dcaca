"""Pickles that do something when they are loaded by Python's own unpickler: each would leave a file behind."""

import contextlib
import pickle
import struct
import zipfile


def _text(value):
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def _named(shape, module, name):
    if shape == "stack":
        return _text(module) + _text(name) + b"\x93"
    return f"c{module}\n{name}\n".encode()


CALLS = {
    "open": ("builtins", "open", lambda mark: (mark, "w")),
    "mkdir": ("os", "mkdir", lambda mark: (mark,)),
    "exec": ("builtins", "exec", lambda mark: (f"import os; os.mkdir({mark!r})",)),
    "eval": ("builtins", "eval", lambda mark: (f"__import__('os').mkdir({mark!r})",)),
    "makedirs": ("os", "makedirs", lambda mark: (mark,)),
    "system": ("os", "system", lambda mark: (f"mkdir {mark}",)),
    "check_call": ("subprocess", "check_call", lambda mark: (("mkdir", mark),)),
    "call": ("subprocess", "call", lambda mark: (("mkdir", mark),)),
    "output": ("subprocess", "getoutput", lambda mark: (f"mkdir {mark}",)),
    "run": ("subprocess", "run", lambda mark: (("mkdir", mark),)),
    "copy": ("shutil", "copyfile", lambda mark: ("/dev/null", mark)),
    "timeit": ("timeit", "timeit", lambda mark: (f"__import__('os').makedirs({mark!r}, exist_ok=True)", "pass")),
    "runpy": ("code", "InteractiveInterpreter.runsource", lambda mark: (None, mark)),
}


def _arguments(values):
    return b"(" + b"".join(_argument(value) for value in values) + b"t"


def _argument(value):
    if isinstance(value, tuple):
        return _arguments(value)
    return b"N" if value is None else _text(value)


def programs(mark):
    """Name -> (pickle, whether Python's own unpickler runs it); `mark` is the file or folder it would make."""
    found = {}
    for call, (module, name, values) in CALLS.items():
        runs = "." not in name
        arguments = _arguments(values(mark))
        flat = b"".join(_argument(value) for value in values(mark))
        for shape in ("global", "stack"):
            start = b"\x80\x04" + _named(shape, module, name)
            found[f"{call} {shape} reduce"] = start + arguments + b"R.", runs
            found[f"{call} {shape} in a state dict"] = (
                b"\x80\x04}" + _text("state_dict") + _named(shape, module, name) + arguments + b"Rs.",
                runs,
            )
            found[f"{call} {shape} as a key"] = b"\x80\x04}" + _named(shape, module, name) + arguments + b"RNs.", runs
            found[f"{call} {shape} newobj"] = start + arguments + b"\x81.", False
            found[f"{call} {shape} newobj_ex"] = start + arguments + b"}\x92.", False
            found[f"{call} {shape} build"] = start + arguments + b"R}" + _text("a") + b"Nsb.", runs
            found[f"{call} {shape} appended"] = b"\x80\x04]" + _named(shape, module, name) + arguments + b"Ra.", runs
            found[f"{call} {shape} out of the memo"] = (
                start + b"\x94" + arguments + b"R0h\x00" + arguments + b"R.",
                runs,
            )
        found[f"{call} obj"] = b"(" + _named("global", module, name) + flat + b"o.", runs
        found[f"{call} inst"] = b"(" + flat + f"i{module}\n{name}\n.".encode(), runs
        found[f"{call} persistent"] = b"\x80\x04" + _named("stack", module, name) + arguments + b"RQ.", False
    found["persistent id as text"] = b"P" + mark.encode() + b"\n.", False
    found["nested ten thousand deep"] = b"\x80\x04" + b"]" * 10_000 + b"a" * 9_999 + b".", False
    found["nested tuples"] = b"\x80\x04N" + b"\x85" * 50_000 + b".", False
    found["a list in itself"] = b"\x80\x04]\x94h\x00a.", False
    found["a dictionary in itself"] = b"\x80\x04}\x94" + _text("state_dict") + b"h\x00s.", False
    found["thirty doublings"] = (
        b"\x80\x04]\x94" + b"".join(b"]\x94(h" + bytes([n]) + b"h" + bytes([n]) + b"e" for n in range(30)) + b".",
        False,
    )
    return found


def archive(path, program, numbers=b"\0" * 64):
    """A checkpoint of torch with `program` as its pickle."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr("model/data.pkl", program)
        file.writestr("model/data/0", numbers)
        file.writestr("model/version", b"3\n")


def runs_in_python(program):
    """Load `program` as `pickle.loads` does."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        pickle.loads(program)
