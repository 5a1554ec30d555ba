"""Make a playable character from motion: ``python -m controller make-character SOURCE --out DIR``.

Builds the data set, checks it, trains the motion VAE and its encoder, diagnoses it, trains the
policies, measures them and writes a character folder with a card. It stops with one sentence as
soon as something is wrong, and the same command continues after an interruption. What a stage
needs to continue is in DIR/work, which may be removed at the end.
"""

from __future__ import annotations

import shutil

from controller.control import bodies
from controller.control.folder import BODY, CharacterFolder
from controller.core import command_line, files
from controller.core.errors import run_command
from envs.character_card import write_card
from envs.recipe import Options, Recipe, module_arguments
from envs.stages import Chain, Stage, StageError

WALK = "20-110:w,110-170:w,110-170:d,170-230:w,170-230:shift,260-300:s"
"""Keys of the film on the card: walk, turn, go fast, stop, turn round."""


def film(recipe: Recipe) -> None:
    """Film the finished character and take its picture. Raises StageError if either fails."""
    folder = recipe.options.out
    play = module_arguments(
        "play", "--character", folder, "--headless", "--keys", WALK, "--size", "480x270",
        "--camera", "chase",
    )  # fmt: skip
    film = folder / "walk.gif"
    picture = folder / "picture.png"
    taken = (*play, "--frames", "90", "--record", str(picture))
    for path in (film, picture):
        path.unlink(missing_ok=True)  # they may show older weights
    stages = [
        Stage("film", "filming it", (*play, "--record", str(film)), film, 0.5),
        Stage("picture", "taking its picture", taken, picture, 0.1),
    ]
    Chain(recipe.work / "pictures", stages).run()


def publish(recipe: Recipe, chain: Chain) -> None:
    """Copy what belongs to the character into its folder, write its card and film it."""
    options = recipe.options
    weights = [recipe.mvae, *map(recipe.policy, options.task)]
    if recipe.extractor:
        weights.append(recipe.extractor)
    for path in weights:
        with files.atomic(options.out / path.name) as temporary:
            shutil.copyfile(path, temporary)
    print(bodies.attempt(recipe.mvae, options.out / BODY), flush=True)
    CharacterFolder.write_info(options.out, options.info())
    write_card(recipe, chain)  # needs no OpenGL
    film(recipe)


def main() -> int:
    options = command_line.read(Options, description=__doc__)
    options.check()
    recipe = Recipe(options)
    chain = Chain(recipe.work, list(recipe.stages()))
    try:
        chain.run()
        publish(recipe, chain)
    except StageError as error:
        print(f"{options.out}: {error}")
        return error.status
    print(f"{options.out}: done; `python play.py --character {options.out}` plays it")
    return 0


if __name__ == "__main__":
    run_command(main)
