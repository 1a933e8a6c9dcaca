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
        found[f"{call} obj"] = b"(" + _named("global", module, name) + flat + b"o.", runs
        found[f"{call} inst"] = b"(" + flat + f"i{module}\n{name}\n.".encode(), runs
        found[f"{call} persistent"] = b"\x80\x04" + _named("stack", module, name) + arguments + b"RQ.", False
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
