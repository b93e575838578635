"""Programs on emulated Cortex-M cores."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from reds_c_engine.emulator import CORES, Core, build, run_on, run_program, unavailable

from reds_core.errors import InputError, UnavailableError

needs_tools = pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
each_core = pytest.mark.parametrize("core", CORES.values(), ids=lambda core: core.name)

LOOP = """
#include <stdio.h>
#include "emulator.h"

static int count(int n) { /* two instructions a turn */
  __asm volatile("1: subs %0, %0, #1\\n bne 1b" : "+r"(n) : : "cc");
  return n;
}

static int deep(void) {
  volatile char room[3000];
  for (unsigned i = 0; i < sizeof room; i++) room[i] = 1;
  return room[17];
}

int initialised = 7, cleared;

int main(void) {
  static const int turns[] = {1000, 2000, 20000000};
  for (int i = 0; i < 3; i++) {
    emulator_start();
    count(turns[i]);
    unsigned long ticks = emulator_stop();
    printf("ticks %d %lu\\n", turns[i], ticks);
  }
  emulator_paint_stack();
  deep();
  printf("stack %u\\n", emulator_stack_bytes());
  return initialised + cleared - 4;
}
"""


@needs_tools
@each_core
def test_instructions_are_counted_exactly(core: Core, tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(LOOP)
    done = run_on(core, tmp_path, [tmp_path / "main.c"])
    assert done.status == 3, done.output  # variables are initialised and cleared
    counts = done.instructions
    assert counts["2000"] - counts["1000"] == 2000
    # the counter of 24 bits wraps four times or more, with an interrupt of a few instructions
    extra = counts["20000000"] - counts["2000"] - 2 * (20_000_000 - 2000)
    assert 0 < extra < 200
    stack_bytes = int(done.output.partition("stack ")[2].split()[0])
    assert 2900 < stack_bytes < 3200
    assert run_on(core, tmp_path, [tmp_path / "main.c"]) == done


@needs_tools
def test_programs_read_and_write_files_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\nint main(void) { FILE *in = fopen("in", "rb"), *out = fopen("out", "wb");\n'
        "for (int c; (c = getc(in)) != EOF;) putc(c + 1, out);\nfclose(out); return 0; }"
    )
    (tmp_path / "in").write_bytes(b"HAL")
    done = run_on(CORES["cortex-m4"], tmp_path, [tmp_path / "main.c"], counting=False)
    assert (done.status, (tmp_path / "out").read_bytes()) == (0, b"IBM")


@needs_tools
def test_sizes_are_those_of_code_and_variables(tmp_path: Path) -> None:
    source = tmp_path / "main.c"
    sizes = []
    for extra in (0, 1000):
        source.write_text(
            f"static const char constants[{4 + extra}] = {{1}}; static char variables[{8 + 2 * extra}];\n"
            "int main(int n, char **names) { (void)names; variables[n] = constants[n]; return variables[n + 1]; }"
        )
        sizes.append(build(CORES["cortex-m4"], [source], tmp_path / "program.elf"))
    assert sizes[1].flash_bytes - sizes[0].flash_bytes == 1000
    assert sizes[1].ram_bytes - sizes[0].ram_bytes == 2000


@needs_tools
def test_a_program_without_end_is_ended_at_the_time_limit(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { for (;;) {} }")
    program = build(CORES["cortex-m4"], [tmp_path / "main.c"], tmp_path / "program.elf")
    assert run_program(program, time_limit_s=1).status is None
    running = subprocess.run(["pgrep", "-f", str(program.path)], capture_output=True, text=True, check=False)
    assert running.stdout == ""


@needs_tools
def test_a_fault_ends_the_program_with_a_status(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { return *(volatile int *)0x60000001; }")
    assert run_on(CORES["cortex-m4"], tmp_path, [tmp_path / "main.c"]).status not in (0, None)


@needs_tools
def test_sources_that_do_not_compile_are_refused_with_the_words_of_the_compiler(tmp_path: Path) -> None:
    (tmp_path / "main.c").write_text("int main(void) { int unused; return 0; }")
    with pytest.raises(InputError, match="unused variable"):
        build(CORES["cortex-m4"], [tmp_path / "main.c"], tmp_path / "program.elf")


def test_missing_tools_are_named_with_the_command_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError) as caught:
        build(CORES["cortex-m4"], [], tmp_path / "program.elf")
    assert "arm-none-eabi-gcc and arm-none-eabi-size and qemu-system-arm are not found" in str(caught.value)
    assert "apt-get install --no-install-recommends gcc-arm-none-eabi" in str(caught.value)
