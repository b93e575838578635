#!/usr/bin/env python3
"""Times .tflite files on this machine. Written by reds, which takes the records back.

    python3 PROGRAM [FOLDER] [--out records.json]

FOLDER holds the files; by default it is the folder of this program. The program needs Python 3.9 or later and one of
the packages ai-edge-litert and tflite-runtime. It refuses files that are not those that it was written for. The records
are written after every file, and the same command continues records that are unfinished.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from typing import Any

# --- what to time ---
JOB: dict[str, Any] = {"on": "litert", "threads": 1, "repeats": 200, "time_limit_s": 5.0, "files": {}}
# --- end of what to time ---

FORMAT = "reds-timings/1"
WARM_UP_RUNS, LEAST_RUNS = 10, 10
SIGN_OF_LIFE_S = 60.0
RUNTIMES = {
    "ai-edge-litert": "ai_edge_litert.interpreter",
    "tflite-runtime": "tflite_runtime.interpreter",
}
"""The packages that run .tflite files, the preferred one first, and their modules."""
WRONG_INPUT, NO_RUNTIME, STOPPED = 2, 3, 130


class Failure(Exception):
    """An error that the user can fix."""

    def __init__(self, text: str, status: int = WRONG_INPUT) -> None:
        super().__init__(text)
        self.status = status


def main(arguments: list[str] | None = None) -> int:
    """Time the files and write the records. Returns the exit status."""
    parser = argparse.ArgumentParser(description="Times .tflite files on this machine, for reds.")
    here = os.path.dirname(os.path.abspath(__file__))
    parser.add_argument(
        "folder", nargs="?", default=here, help="the folder of the files (default: that of the program)"
    )
    parser.add_argument(
        "--out", default="records.json", help="the file to write (default: records.json); '-' prints the records"
    )
    parser.add_argument(
        "--stop-with-input",
        action="store_true",
        help="stop as soon as standard input is closed, for programs that start this one on another machine",
    )
    given = parser.parse_args(arguments)
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        if given.stop_with_input:
            threading.Thread(target=stop_with_input, daemon=True).start()
            threading.Thread(target=give_signs_of_life, daemon=True).start()
        time_all(given.folder, given.out)
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return failure.status
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        return STOPPED
    return 0


def stop_with_input() -> None:
    """End this process when standard input is closed. The records that are written so far are complete."""
    while os.read(0, 1024):  # not `sys.stdin`, whose lock would be held when the program ends in another way
        pass
    os._exit(STOPPED)


def give_signs_of_life() -> None:
    """Say now and then that this program runs, since one that says nothing for long is taken for one that hangs."""
    while True:
        time.sleep(SIGN_OF_LIFE_S)
        os.write(2, b"still timing\n")  # not `sys.stderr`, whose lock would be held when the program ends


def time_all(folder: str, out: str) -> None:
    """Time each file of the job in `folder`, and write the records to `out`."""
    for name, digest in JOB["files"].items():  # all of them before anything is timed
        content_of(folder, name, digest)
    interpreter_type, versions = runtime()
    records = {
        "format": FORMAT,
        "job": hashlib.sha256(json.dumps(JOB, sort_keys=True).encode()).hexdigest(),
        "on": JOB["on"],
        "machine": machine(),
        "versions": versions,
        "threads": JOB["threads"],
        "repeats": JOB["repeats"],
        "measured_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files": [],
    }
    records["files"] = finished(records, out)
    known = {each["file"] for each in records["files"]}
    for number, (name, digest) in enumerate(JOB["files"].items(), 1):
        if name in known:
            continue
        found = timed(interpreter_type, content_of(folder, name, digest))
        records["files"].append({"file": name, "sha256": digest, **found})
        what = "refused" if found["refused"] is not None else f"{found['median_ns'] / 1e6:.4g} ms"
        print(f"[{number}/{len(JOB['files'])}] {name}: {what}", file=sys.stderr, flush=True)
        if out != "-":
            write(records, out)
    if out == "-":
        print(json.dumps(records, indent=1))
    else:
        write(records, out)
        print(f"wrote {out}", file=sys.stderr)


def content_of(folder: str, name: str, digest: str) -> bytes:
    """Return the content of a file after a check that it is the one that this program was written for."""
    path = os.path.join(folder, name)
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise Failure(f"'{path}' cannot be read ({error.strerror}); copy all files, and give their folder") from None
    if hashlib.sha256(content).hexdigest() != digest:
        raise Failure(f"'{path}' is not the file that this program was written for; copy the files here again")
    return content


def runtime() -> tuple[Any, dict[str, str]]:
    """Return the class of the interpreter, and the versions of the packages that take part."""
    for package, module in RUNTIMES.items():
        try:
            interpreter = importlib.import_module(module).Interpreter
        except ImportError:
            continue
        return interpreter, {name: version_of(name) for name in (package, "numpy")}
    raise Failure(f"neither {' nor '.join(RUNTIMES)} is installed; pip install ai-edge-litert", NO_RUNTIME)


def version_of(package: str) -> str:
    """Return the version of an installed package."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def timed(interpreter_type: Any, content: bytes) -> dict[str, Any]:
    """Time the inferences of one file after some warm-up runs, in nanoseconds."""
    import numpy as np

    try:
        interpreter = interpreter_type(model_content=content, num_threads=JOB["threads"])
        interpreter.allocate_tensors()
        random = np.random.default_rng(0)  # the time of an inference does not depend on values
        for tensor in interpreter.get_input_details():
            values = random.integers(0, 2, tensor["shape"]).astype(tensor["dtype"])
            interpreter.set_tensor(tensor["index"], values)
        spent = times_of(interpreter.invoke)
    except (RuntimeError, ValueError) as error:
        why = " ".join(str(error).split())[:300] or type(error).__name__
        return {"median_ns": None, "low_ns": None, "high_ns": None, "runs": 0, "refused": why}
    low, median, high = (float(each) for each in np.percentile(spent, [10, 50, 90]))
    return {"median_ns": median, "low_ns": low, "high_ns": high, "runs": len(spent), "refused": None}


def times_of(run: Any) -> list[int]:
    """Return the times of single runs: `repeats` of them, or fewer if the time limit ends."""
    limit = JOB["time_limit_s"]
    end = float("inf") if limit is None else time.perf_counter() + limit
    spent: list[int] = []
    for index in range(-WARM_UP_RUNS, JOB["repeats"]):
        started = time.perf_counter_ns()
        run()
        if index >= 0:
            spent.append(time.perf_counter_ns() - started)
        if len(spent) >= LEAST_RUNS and time.perf_counter() > end:
            break
    return spent


def finished(records: dict[str, Any], out: str) -> list[dict[str, Any]]:
    """Return the records of files that an unfinished call with the same job on the same machine wrote to `out`."""
    if out == "-" or not os.path.exists(out):
        return []
    try:
        with open(out, encoding="utf-8") as file:
            before = json.load(file)
        if before["format"] != FORMAT or before["job"] != records["job"]:
            raise ValueError
        files: list[dict[str, Any]] = before["files"]
        if any(JOB["files"].get(each["file"]) != each["sha256"] for each in files):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise Failure(f"'{out}' holds something else; remove it, or choose another file by --out") from None
    if any(before.get(key) != records[key] for key in ("machine", "versions")):
        raise Failure(f"'{out}' holds records of another machine or library; choose another file by --out")
    return files if len(files) < len(JOB["files"]) else []


def write(records: dict[str, Any], out: str) -> None:
    """Write the records under a temporary name, and rename the file."""
    folder, name = os.path.split(os.path.abspath(out))
    temporary = os.path.join(folder, f".{name}.{os.getpid()}.partial")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(json.dumps(records, indent=1) + "\n")
        os.replace(temporary, out)
    except OSError as error:
        raise Failure(f"'{out}' cannot be written ({error.strerror}); choose another file by --out") from None
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)


# --- the machine ------------------------------------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """Describe this machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    board = board_name()
    return {
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": processor() or board or platform.processor() or platform.machine() or "unknown",
        "cores": cores,
        "memory_bytes": memory_bytes(),
        "python": platform.python_version(),
        "name": slug(board or platform.node()) or "unnamed",
    }


def board_name() -> str:
    """Return the name that a board or a phone has for itself; empty if it has none."""
    for path in ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model"):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return printable(file.read())
        except OSError:
            continue
    if shutil.which("getprop"):  # Android
        try:
            asked = ["getprop", "ro.product.model"]
            return printable(subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False).stdout)
        except (OSError, subprocess.SubprocessError):
            pass
    return ""


def processor() -> str:
    """Return the name of the processor, which Linux gives only in /proc/cpuinfo; empty if it gives none."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, text = line.partition(":")
                if key.strip() in ("model name", "cpu model", "Hardware") and text.strip():
                    return printable(text)
    except OSError:
        pass
    return ""


def memory_bytes() -> int:
    """Return the size of the memory; 0 if the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0


def printable(text: str) -> str:
    """Return the printable characters of a text in one line."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:200]


def slug(text: str) -> str:
    """Return a text as a short name: lower case, with hyphens for everything but letters, digits and dots."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:60].strip("-.")


if __name__ == "__main__":
    sys.exit(main())
