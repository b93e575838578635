"""`reds_governor.c` as a device compiles it: strict C99, and the decisions of Python to the last bit."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from sample_families import MEMBERS

from reds_core.registry import Registry
from reds_core.runtime import (
    GENERATED,
    Action,
    Battery,
    Controller,
    Governor,
    LawController,
    Moment,
    Observation,
    PlantState,
    Situation,
    State,
    TraceSettings,
    generate_trace,
    governor_sources,
    plant_of,
    simulate_in_python,
)
from reds_core.simulation.c_constants import CONSTANTS_FILE, constants_text

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic")
PROGRAM = r"""
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include "reds_governor_config.h"

int main(int count, char **arguments) {
  reds_observation now;
  reds_threshold_state threshold = {0};
  reds_pi_state pi = {0, 0};
  const int is_pi = count > 1 && arguments[1][0] == 'p';
  while (scanf("%" SCNd64 " %" SCNd64 " %" SCNd32, &now.charge_nJ, &now.slack_us, &now.waiting) == 3) {
    if (is_pi) {
      int member = reds_pi_decide(&reds_pi_law, &pi, &now);
      printf("%d %" PRId64 " %" PRId64 "\n", member, pi.integral, pi.residue_nJ);
    } else {
      int member = reds_threshold_decide(&reds_threshold_law, &threshold, &now);
      printf("%d %d\n", member, (int)threshold.rung);
    }
  }
  return sizeof(reds_threshold_state) + sizeof(reds_pi_state) > 24;
}
"""


@dataclass(frozen=True)
class Recorder(Controller):
    """Notes what another controller is told, and what it answers."""

    inner: Controller
    told: list[Observation]
    answers: list[Action]

    @property
    def start(self) -> State:
        return self.inner.start

    def decide(self, state: State, observed: Observation) -> Action:
        self.told.append(observed)
        self.answers.append(self.inner.decide(state, observed))
        return self.answers[-1]


def compiler(name: str = "cc") -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"needs the compiler {name}")
    return found


def call(*command: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr}"
    return done.stdout


def controllers(capacity_nJ: int) -> dict[str, LawController]:
    situation, registry = Situation(MEMBERS, capacity_nJ, 1_000_000), Registry()
    made = {name: registry.create(Governor, name).controller(situation) for name in ("threshold", "pi")}
    return {name: each for name, each in made.items() if isinstance(each, LawController)}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("governor")
    laws = {name: each.law for name, each in controllers(10**9).items()}
    constants = constants_text(laws, ["25", "*/ 50", "full"], MEMBERS, [0, 2, 3])
    assert constants is not None
    for name, text in {**governor_sources(), CONSTANTS_FILE: constants, "main.c": PROGRAM}.items():
        (folder / name).write_text(text)
    files = [str(folder / name) for name in ("main.c", "reds_governor.c")]
    sanitized = ("-fsanitize=undefined", "-fno-sanitize-recover=all")
    call(compiler(), *STRICT, *sanitized, "-O1", *files, "-o", str(folder / "governor"))
    return folder / "governor"


@pytest.mark.parametrize("trace", GENERATED)
def test_decisions_in_c_are_those_of_python_to_the_last_bit(program: Path, trace: str) -> None:
    made = generate_trace(trace, TraceSettings(2.5, 320.0, duration_s=86_400, step_s=20, seed=5))
    plant = plant_of(made, Battery(1000.0, leakage_mW=0.01), MEMBERS)
    for name, controller in controllers(plant.capacity_nJ).items():
        recorder = Recorder(controller, [], [])
        simulate_in_python(plant, recorder, Moment(PlantState(500_000_000), controller.start))
        told = "".join(f"{o.charge_nJ} {o.slack_us} {o.waiting}\n" for o in recorder.told)
        expected = [" ".join(map(str, (a.member, *a.state))) for a in recorder.answers]
        assert call(str(program), name, text=told).splitlines() == expected
        assert len({a.member for a in recorder.answers}) > 1


CPP = """\
#include "reds_governor_config.h"

int main() {
  const reds_observation now = {1000, 0, 1};
  reds_pi_state pi = {0, 0};
  reds_threshold_state threshold = {0};
  const int first = reds_pi_decide(&reds_pi_law, &pi, &now);
  return first + reds_threshold_decide(&reds_threshold_law, &threshold, &now) == 100;
}
"""


def test_programs_in_cpp_are_linked_with_it(program: Path, tmp_path: Path) -> None:
    (tmp_path / "main.cpp").write_text(CPP)
    made, folder = str(tmp_path / "governor.o"), program.parent
    call(compiler(), *STRICT, "-c", str(folder / "reds_governor.c"), "-o", made)
    options = ("-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{folder}")
    call(compiler("c++"), *options, str(tmp_path / "main.cpp"), made, "-o", str(tmp_path / "main"))
    call(str(tmp_path / "main"))


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_it_compiles_without_warnings_for_microcontrollers(program: Path, core: str, tmp_path: Path) -> None:
    gcc = compiler("arm-none-eabi-gcc")
    source = str(program.parent / "reds_governor.c")
    for level in ("-Os", "-O2"):
        call(gcc, f"-mcpu={core}", "-mthumb", level, *STRICT, "-c", source, "-o", str(tmp_path / "governor.o"))


def test_members_are_numbered_as_in_an_export_of_the_whole_family(program: Path) -> None:
    assert "reds_networks[] = {0, 2, 3};" in (program.parent / CONSTANTS_FILE).read_text()


def test_it_compiles_as_cpp(program: Path, tmp_path: Path) -> None:
    """Sketches for Arduino are C++, and include the header."""
    source = tmp_path / "sketch.cpp"
    source.write_text(f'extern "C" {{\n#include "{program.parent / CONSTANTS_FILE}"\n}}\nint main() {{ return 0; }}\n')
    call(compiler("c++"), "-Wall", "-Wextra", "-Werror", "-c", str(source), "-o", str(tmp_path / "sketch.o"))
