"""The C runtime: a program in itself, compiled here and compared with the window's step."""

from __future__ import annotations

import ctypes
import re
import shutil
import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported import (
    PERIOD,
    STYLES,
    Motion,
    matrices,
    on_four_legs,
    ours,
    swaying,
    untrained,
    wishes,
    woody,
    woody_for_1000_steps,
)
from synthetic import ROOT, command

from controller.export import blob, engine, fidelity, native
from controller.export.native import FOLDER, Runtime, aligned
from controller.export.steered import SteeredCharacter
from controller.viewer.input.steering import Controls, Paces, Steering

CC = native.compiler()
pytestmark = pytest.mark.skipif(CC is None, reason="no C compiler is at hand")

FOREIGN, VERSION, TRUNCATED, DAMAGED, SIZES, UNALIGNED, MEMORY, INDEX, WISH = range(1, 10)
"""What the runtime answers; 0 is good."""
PARTS = ("pose", "place", "root", "rotation", "joint")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The runtime, compiled strictly as C99."""
    strict = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
    return native.load(tmp_path_factory.mktemp("runtime"), ("-std=c99", "-O2", *strict))


def refused(library: Any, data: bytes, beyond: int = 0) -> int:
    """The status for a blob; one sentence goes with it."""
    memory = aligned(len(data), beyond)
    memory[:] = np.frombuffer(data, np.uint8)
    status = library.mvae_open(ctypes.byref(native.Model()), memory.ctypes.data, len(data))
    assert re.fullmatch(rb"[a-z][^.\n]+", library.mvae_message(status))
    return status


def run(runtime: Runtime, velocity: np.ndarray, facing: np.ndarray) -> list[Motion]:
    """The motion of each character, which all have the same wishes (T, 2) and (T,)."""
    count = len(runtime.arrays["place"])
    frames = []
    for towards, yaw in zip(velocity, facing, strict=True):
        assert runtime.step(np.tile(towards, (count, 1)), np.full(count, yaw)) == 0
        frames.append([runtime.arrays[name].copy() for name in PARTS])
    pose, place, root, rotation, joint = (np.stack(part) for part in zip(*frames, strict=True))
    return [
        Motion(
            pose[:, i], place[:, i, :2], place[:, i, 2],
            root[:, i], matrices(rotation[:, i]), joint[:, i],
        )
        for i in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes for the shipped character."""
    folder = tmp_path_factory.mktemp("c") / "woody"
    done = command("controller", "export", "c", "--out", folder)
    assert done.returncode == 0, done.stderr
    assert "Apache-2.0" in done.stdout and "Seoul National University" in done.stdout
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["motion_vae.c", "motion_vae.h", "woody.mvae"]
    return folder


def test_it_moves_as_the_window_does_for_1000_steps(library: Any, written: Path) -> None:
    runtime = Runtime(library, (written / "woody.mvae").read_bytes())
    (theirs,) = run(runtime, *wishes(0, 1000))
    apart = woody_for_1000_steps().farthest(theirs)
    for name in ("position", "yaw", "root", "rotations", "joints"):
        assert apart[name] <= 1e-4, (name, apart)
    assert apart["pose"] < 5e-3  # see test_export_onnx.py
    assert runtime.model.notice.startswith(b"Apache-2.0. Motion capture by the Movement")


@pytest.mark.parametrize("steered", [untrained(), on_four_legs()], ids=["untrained", "dog"])
def test_any_skeleton_any_rotation_and_styles(library: Any, steered: SteeredCharacter) -> None:
    """A crowd of more characters than share a reading of the weights."""
    starts = steered.reset_poses
    runtime = Runtime(library, blob.write(steered), 19)
    for who in range(19):
        assert runtime.reset(who % len(starts), who=who) == 0
    velocity, facing = wishes(1, 60)
    motions = run(runtime, velocity, facing)
    for index, start in enumerate(starts):
        original = ours(steered, start, velocity, facing)
        for motion in motions[index :: len(starts)]:
            apart = original.farthest(motion)
            assert max(apart.values()) < 2e-4, apart


def test_a_policy_that_sways_has_noise_of_that_size_and_slowness(library: Any) -> None:
    steered = swaying()
    runtime, other = (Runtime(library, blob.write(steered), 2) for _ in range(2))
    other.crowd.random = 77
    noise = []
    for _ in range(3000):
        for crowd in (runtime, other):
            assert crowd.step(np.zeros((2, 2)), np.zeros(2)) == 0
        noise.append(runtime.arrays["noise"].copy())
    values = np.array(noise)[100:].reshape(2900, -1)
    assert abs(values.mean()) < 0.05 and abs(values.std() - 0.4) < 0.03
    kept = (values[1:] * values[:-1]).mean() / (values**2).mean()
    assert abs(kept - np.exp(-1 / 8)) < 0.02
    apart = np.corrcoef(values.T) - np.eye(values.shape[1])
    assert np.abs(apart).max() < 0.25  # units and characters sway on their own
    assert np.abs(runtime.arrays["pose"][0] - runtime.arrays["pose"][1]).max() > 0.01
    assert np.abs(runtime.arrays["pose"] - other.arrays["pose"]).max() > 0.01

    for _ in range(100):  # who walks does not sway
        assert runtime.step(np.full((2, 2), 0.5), np.zeros(2)) == 0
    assert np.abs(runtime.arrays["noise"]).max() < 1e-3

    still = Runtime(library, blob.write(untrained()))
    assert still.step(np.zeros((1, 2)), np.zeros(1)) == 0 and not still.arrays["noise"].any()


def test_names_styles_and_places(library: Any) -> None:
    steered = untrained()
    runtime = Runtime(library, blob.write(steered), 2)
    model = ctypes.byref(runtime.model)
    count = len(steered.character.skeleton)
    names = [library.mvae_name(model, i).decode() for i in range(count + len(STYLES))]
    assert names == [*steered.character.skeleton.names, *STYLES]
    assert library.mvae_name(model, -1) is None and library.mvae_name(model, len(names)) is None
    assert runtime.model.rate == 30 and runtime.model.styles == 3

    crowd = ctypes.byref(runtime.crowd)
    assert library.mvae_style(crowd, 1, 2) == 0
    assert runtime.arrays["pose"][1, -3:].tolist() == [0, 0, 1]
    assert library.mvae_style(crowd, 1, 3) == library.mvae_style(crowd, 2, 0) == INDEX

    assert runtime.reset(2, 1.5, -2, 7, who=1) == 0
    assert np.allclose(runtime.arrays["place"][1], [1.5, -2, 7 - 2 * np.pi], atol=1e-6)
    assert np.allclose(runtime.arrays["root"][1, [0, 2]], [1.5, -2])
    assert (runtime.arrays["place"][0] == 0).all()
    assert runtime.reset(4) == runtime.reset(-1) == runtime.reset(0, who=2) == INDEX
    assert runtime.reset(0, np.nan) == WISH


def test_a_wish_that_is_not_finite_moves_nobody(library: Any) -> None:
    runtime = Runtime(library, blob.write(on_four_legs()), 2)
    before = runtime.memory.copy()
    for bad in (np.nan, np.inf):
        velocity = np.array([[0, 1], [0, bad]])
        assert runtime.step(velocity, np.zeros(2)) == WISH
        assert runtime.step(np.ones((2, 2)), np.array([bad, 0])) == WISH
    assert (runtime.memory == before).all()
    assert runtime.step(np.ones((2, 2)), np.zeros(2)) == 0 and (runtime.memory != before).any()


def test_memory_that_does_not_do_is_refused(library: Any) -> None:
    runtime = Runtime(library, blob.write(on_four_legs()))
    model = ctypes.byref(runtime.model)
    size = library.mvae_size(model, 3)
    assert size > 0 and library.mvae_size(model, 0) == library.mvae_size(model, -1) == 0

    def init(beyond: int, given: int, characters: int) -> int:
        memory = aligned(size, beyond)
        crowd = ctypes.byref(native.Crowd())
        return library.mvae_init(crowd, model, memory.ctypes.data, given, characters)

    assert init(0, size, 3) == 0
    assert init(0, size - 1, 3) == init(0, size, 0) == MEMORY
    assert init(4, size, 3) == UNALIGNED


def checked(data: bytes) -> bytes:
    """A blob with the right checksum."""
    return data[:12] + struct.pack("<I", zlib.crc32(data[16:])) + data[16:]


def test_a_blob_that_is_foreign_cut_off_or_damaged_is_refused(library: Any) -> None:
    good = blob.write(untrained())
    assert refused(library, good) == 0
    assert refused(library, b"") == refused(library, b"glTF" + good[4:]) == FOREIGN
    assert refused(library, good[:8] + b"\x02" + good[9:]) == VERSION
    for length in (8, 100, 127, 128, 200, len(good) // 2, len(good) - 1):
        assert refused(library, good[:length]) == TRUNCATED
    assert refused(library, good + b"\0") == TRUNCATED
    for place in (13, 20, 44, 130, len(good) // 2, len(good) - 1):
        flipped = good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :]
        assert refused(library, flipped) == DAMAGED, place
    assert refused(library, good, beyond=8) == UNALIGNED


def test_sizes_that_do_not_fit_are_refused_whatever_the_checksum_says(library: Any) -> None:
    good = blob.write(untrained())
    assert checked(good) == good
    count = len([*untrained().gate, *untrained().experts, *untrained().actor])
    for place in (*range(20, 56, 4), *range(128, 128 + 12 * count, 4)):
        (value,) = struct.unpack_from("<I", good, place)
        for wrong in (0, value + 1, value - 1, 2 * value, 0xFFFFFFFF, 0x7FFFFFFF):
            if wrong == value or not 0 <= wrong <= 0xFFFFFFFF:
                continue
            changed = good[:place] + struct.pack("<I", wrong) + good[place + 4 :]
            status = refused(library, checked(changed))
            assert status == SIZES, (place, value, wrong, status)
    parents = 128 + -(-12 * count // 64) * 64
    for wrong in (5, -2):  # of the second joint: itself or later, or before the root
        changed = good[: parents + 4] + struct.pack("<i", wrong) + good[parents + 8 :]
        assert refused(library, checked(changed)) == SIZES


def test_half_the_weights_bytes_move_nearly_the_same(library: Any) -> None:
    full, half = (blob.write(woody(), precision) for precision in ("float32", "float16"))
    assert len(half) < 0.55 * len(full)
    velocity, facing = wishes(0, 2 * PERIOD)
    (first,), (second,) = (run(Runtime(library, data), velocity, facing) for data in (full, half))
    apart = first.farthest(second)
    assert 0 < apart["joints"] < 0.03, apart


def test_measure_compiles_it_and_prints_the_original_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = {"SECONDS": 5, "CHARACTERS": 2, "TIMED_S": 0.01, "COUNTS": (1, 3)}
    for name, value in quick.items():
        monkeypatch.setattr(fidelity, name, value)
    engine.C(tmp_path, precision="float16", measure=True).run()
    said = capsys.readouterr().out
    rows = [line for line in said.splitlines() if line.startswith(("| original", "| float16"))]
    original, half = (np.array(row.split("|")[2:-1], float) for row in rows)
    assert (original < [0.1, 5, 0.2, 0.5]).all() and np.abs(original - half).max() < 1
    assert said.count("a step of") == 2


def test_steering_is_the_windows(library: Any) -> None:
    generator = np.random.default_rng(0)
    window = Steering(0.4, Paces(1, 1, 1))
    runtime = native.Steering(native.Wish((0, 0), 0.4), (0, 0, 0), 0.4)
    for _ in range(40):
        right, forward = generator.uniform(-0.7, 0.7, 2) * generator.choice([0, 1])
        for _ in range(5):
            theirs = window.step(Controls(right, forward), 0.0, 1 / 30)
            length = np.hypot(right, forward)
            share = max(0, min((length - 0.15) / 0.85, 1)) / max(length, 0.1)
            stick = share * np.array([-right, forward])
            library.mvae_steer(ctypes.byref(runtime), *stick, 1, 1 / 30)
        wish = runtime.wish
        assert np.allclose(wish.velocity[:], theirs.velocity, atol=1e-4)
        assert abs(np.angle(np.exp(1j * (wish.facing - theirs.facing)))) < 1e-3


def test_it_is_one_file_that_calls_the_system_for_nothing(tmp_path: Path) -> None:
    source = FOLDER / "motion_vae.c"
    assert source.read_text().count("\n") <= 600
    included = set(re.findall(r"#include [<\"](.+)[>\"]", source.read_text()))
    assert included == {"motion_vae.h", "math.h", "string.h", "immintrin.h"}
    nm = shutil.which("nm")
    if nm is None:
        pytest.skip("nm, which lists a library's symbols, is not installed")
    compiled = tmp_path / "motion_vae.o"
    subprocess.run([CC, "-O1", "-c", source, "-o", compiled], check=True)
    listed = subprocess.run([nm, "-u", compiled], capture_output=True, text=True, check=True).stdout
    called = {line.split()[-1] for line in listed.splitlines()}
    maths = {
        "expf",
        "expm1f",
        "tanhf",
        "sinf",
        "cosf",
        "sincosf",
        "sqrtf",
        "floorf",
        "atan2f",
        "fmaxf",
    }
    memory = {"memcpy", "memset", "memcmp", "strlen"}
    compilers_own = {name for name in called if name.startswith("_")}
    assert called - compilers_own <= maths | memory


CHECKER = """
#include "motion_vae.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static unsigned state = 1;
static unsigned draw(void) { return (state = state * 1664525u + 1013904223u) >> 8; }
static unsigned sum(const unsigned char *p, size_t n) {
    unsigned value = ~0u;
    for (size_t i = 0; i < n; i++) {
        value ^= p[i];
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0);
    }
    return ~value;
}
static int run(const void *blob, size_t size) {
    mvae_model model;
    mvae_status status = mvae_open(&model, blob, size);
    if (status != MVAE_OK) return (int)status;
    size_t bytes = mvae_size(&model, 17);
    void *memory = aligned_alloc(64, (bytes + 63) / 64 * 64);
    mvae_crowd crowd;
    mvae_wish wishes[17] = {{{1, 2}, 3}};
    if (mvae_init(&crowd, &model, memory, bytes, 17) == MVAE_OK)
        for (int step = 0; step < 1; step++) mvae_step(&crowd, wishes);
    free(memory);
    return 0;
}
int main(int count, char **words) {
    (void)count;
    FILE *file = fopen(words[1], "rb");
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    unsigned char *good = aligned_alloc(64, size), *bad = aligned_alloc(64, size);
    if (fread(good, 1, size, file) != size) return 1;
    int ran = run(good, size) == 0, refused = 0;
    for (int round = 0; round < 40; round++) {
        memcpy(bad, good, size);
        size_t reach = round % 2 ? 600 : size;
        for (int i = 0; i < 1 + round % 3; i++)
            bad[16 + draw() % (reach - 16)] = (unsigned char)draw();
        unsigned value = sum(bad + 16, size - 16);
        memcpy(bad + 12, &value, 4);
        if (run(bad, size) == 0) ran++; else refused++;
    }
    free(good), free(bad), fclose(file);
    printf("%d %d\\n", ran, refused);
    return 0;
}
"""


def test_no_blob_makes_it_read_or_write_beyond_its_memory(tmp_path: Path) -> None:
    """Blobs changed at random, with right checksums, under the compiler's sanitizers."""
    (tmp_path / "checker.c").write_text(CHECKER)
    (tmp_path / "small.mvae").write_bytes(blob.write(untrained()))
    sanitized = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1"]
    empty = tmp_path / "empty.c"
    empty.write_text("int main(void) { return 0; }")
    words = [CC, *sanitized, empty, "-o", tmp_path / "empty"]
    if subprocess.run(words, capture_output=True, check=False).returncode:
        pytest.skip("the compiler has no sanitizers")
    out = tmp_path / "checker"
    sources = [tmp_path / "checker.c", FOLDER / "motion_vae.c"]
    subprocess.run([CC, *sanitized, "-I", FOLDER, *sources, "-o", out, "-lm"], check=True)
    words = [out, tmp_path / "small.mvae"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    ran, refusals = map(int, done.stdout.split())
    assert ran > 10 and refusals > 10


def test_the_cpp_of_the_guide_runs(written: Path, tmp_path: Path, library: Any) -> None:
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        pytest.skip("no C++ compiler is at hand")
    program = tmp_path / "example.cpp"
    guide = (ROOT / "docs" / "engine.md").read_text()
    program.write_text(guide.split("```cpp\n")[1].split("```")[0])
    runtime = tmp_path / "motion_vae.o"
    subprocess.run([CC, "-O2", "-c", written / "motion_vae.c", "-o", runtime], check=True)
    strict = ["-Wall", "-Wextra", "-Wconversion", "-Werror", "-I", written]
    out = tmp_path / "example"
    subprocess.run([compiler, *strict, program, runtime, "-o", out, "-lm"], check=True)
    words = [out, written / "woody.mvae"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("20 joints, the first is Hips. Apache-2.0.")

    steering = Steering(0.0, Paces(1.2, 1.2, 1.2))
    angle = 0.6 * np.arange(300) / 30
    # A stick at full deflection towards that angle, by a camera that looks along +Z.
    wished = [steering.step(Controls(-np.sin(a), np.cos(a)), 0.0, 1 / 30) for a in angle]
    velocity = np.stack([wish.velocity for wish in wished])
    facing = np.array([wish.facing for wish in wished])
    root = ours(woody(), woody().reset_poses[0], velocity, facing).root[-1]
    assert np.abs(np.array(second.split()[1:], float) - root).max() < 3e-4

    done = subprocess.run([out, program], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1 and done.stderr == "not a motion VAE blob\n"
