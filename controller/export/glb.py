"""A character with its body and its motion as one binary glTF file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import torch
import tyro

from controller.control.folder import DEFAULT, CharacterFolder
from controller.core import files
from controller.core.errors import DataError, require
from controller.data.formats import gltf_writing, npz
from controller.games.player import Player
from controller.motion.skeleton import Clip, Skeleton, to_local
from controller.viewer.input.keys import KeyScript

LONGEST_S = 600.0


@dataclass(frozen=True)
class Glb:
    """A character as glTF 2.0 (.glb): skeleton, skinned body and motion, for Blender, Unity,
    Unreal, Godot and three.js. The motion is a drive that is played now, or recorded ones."""

    out: Path
    """The .glb to write."""
    character: str = DEFAULT
    """The character: its name, or its folder."""
    motion: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="NPZ ...")] = ()
    """Recorded drives (python play.py --record NAME.npz) of this character; each becomes an
    animation with the file's name. Without any, --task is played."""
    task: str = "joystick"
    """The task to play."""
    seconds: float = 10.0
    """How long to play."""
    keys: str = ""
    """Keys held down by a script as in play.py, START-END:KEY,... in frames, 30 a second. By
    default the joystick walks straight ahead."""
    seed: int = 0
    """Seed of the starting pose and of the task."""
    root: Literal["hips", "bone"] = "hips"
    """What carries the way over the ground: the hips, or a bone on the ground above them, from
    which engines take root motion."""

    def run(self) -> None:
        """Write the file and say what is in it. Raises ControllerError about what cannot be."""
        require(self.out.suffix.lower() == ".glb", "--out", str(self.out), "a name ending in .glb")
        allowed = f"more than 0, up to {LONGEST_S:g}"
        require(0 < self.seconds <= LONGEST_S, "--seconds", self.seconds, allowed)
        require(0 <= self.seed < 2**63, "--seed", self.seed, "0 to 2^63 - 1")
        torch.set_num_threads(1)
        own = CharacterFolder.open(self.character)
        player = Player.load(own.mvae, (), self.seed, self.task, folder=own)
        skeleton = player.character.skeleton
        clips = [recorded(path, skeleton) for path in self.motion] or [self.played(player)]
        files.make_folder(self.out.parent)
        body = player.skin
        gltf_writing.write(
            self.out, clips, body, root_bone=self.root == "bone", copyright=own.info.notice
        )
        takes = ", ".join(f"{clip.name} ({len(clip) / clip.fps:.1f} s)" for clip in clips)
        what = f"{len(body.levels[0].triangles):,} triangles" if body else "no body"
        size = self.out.stat().st_size / 1000
        print(f"{self.out}: {len(skeleton)} joints, {what}, {size:.0f} kB; {takes}")
        print(own.info.notice)

    def played(self, player: Player) -> Clip:
        """A drive that is played now."""
        frames = max(round(self.seconds * player.character.fps), 1)
        text = self.keys
        if not text and player.game.wish is not None:
            text = f"0-{frames}:w"
        script = KeyScript.parse(text)
        roots = []
        rotations = []
        for frame in range(frames):
            player.step(script.at(frame))
            roots.append(player.root)
            rotations.append(player.rotations)
        skeleton = player.character.skeleton
        local = to_local(skeleton.parents, torch.stack(rotations))
        name = player.game.name
        return Clip(name, skeleton, torch.stack(roots), local, player.character.fps)


def recorded(path: Path, skeleton: Skeleton) -> Clip:
    """A recorded drive on this skeleton. Raises ControllerError if it is no recording, and
    DataError if it is one of another skeleton."""
    require(path.suffix.lower() == ".npz", "--motion", str(path), "a recording that ends in .npz")
    capture = npz.read_captures(path).captures[0]
    if capture.names != skeleton.names or capture.parents != skeleton.parents:
        raise DataError(f"{path}: recorded with another skeleton than the character's")
    local = to_local(skeleton.parents, capture.rotations).float()
    clip = Clip(path.stem, skeleton, capture.positions[:, 0].float(), local, capture.fps)
    away = (clip.joint_positions() - capture.positions).norm(dim=-1).max()
    if float(away) > 1e-3:
        raise DataError(f"{path}: recorded with other bones than the character's")
    return clip
