"""What the help says about the games: generated from the registry."""

from __future__ import annotations

from controller.games import styles
from controller.games.registry import GAMES
from controller.motion.limits import Limits


def window_help(limits: Limits) -> str:
    """The help of the window: lines of "what to do, a tab, what that does". ``limits`` are those of
    the character that plays."""
    titles = ", ".join(game.title for game in GAMES.values())
    return "\n".join(
        (
            f"1 to {GAMES.last_key()}\ttask: {titles}",
            "Tab\tthe next character, if there are several",
            "W A S D, arrows\twalk, as seen by the camera",
            f"Shift, Ctrl\tfaster, slower; {top_speeds(limits)}",
            "Q, E\tturn the way it faces, left and right",
            "F\tlock the way it faces: S walks backward, A and D sideways",
            *pages(),
            "mouse drag, wheel\tturn the camera, zoom; the right button where the left one draws",
            "C\tcamera: orbit, chase (behind its back), above, all",
            "P\tthe next policy, if there are several",
            styles.PAGE,
            "I\tfeet that stand stay where they are, or slide as the simulation has them",
            "G\tthe next ground: flat, hills, slopes, stairs, rocks",
            "B\tthe skeleton over the body, with the axes of its joints",
            "comma, full stop\tslow motion: slower (to 1/16), faster",
            "F12\ta picture of the window, as a file with date and time in its name",
            "Space, R\tpause, reset",
            "game pad\tsticks walk and look, triggers fast and slow, shoulders turn, Back as Tab",
            "F1, Esc\tthis help, quit",
        )
    )


def top_speeds(limits: Limits) -> str:
    """How fast a character can be, each way."""
    return (
        f"up to {limits.forward_speed:.2g} m/s ahead, {limits.backward_speed:.2g} backward, "
        f"{limits.sideways_speed:.2g} sideways"
    )


def pages() -> list[str]:
    """The lines of the window's help that the games add. A line that names the game's key is left
    out if the game has none."""
    lines = []
    for name, game in GAMES.items():
        key = GAMES.key(name)
        lines += [page.format(key=key) for page in game.pages if key or "{key}" not in page]
    return lines


def command_help() -> str:
    """The help of ``play.py``: how to steer, and every task with its key."""
    width = max(map(len, GAMES))
    tasks = [
        f"  {GAMES.key(name):1}  {name:<{width}}  {game.does}".rstrip()
        for name, game in GAMES.items()
    ]
    keys = ["  " + page.replace("\t", ": ") for page in pages()]
    return "\n".join(
        (
            "Steer the character with the keyboard, the mouse or a game pad.",
            "",
            "W A S D or the arrows walk, relative to the camera; Shift faster, Ctrl slower. Q and "
            "E turn the way it faces while it walks on. F locks the way it faces until F is "
            "pressed again: S walks backward, A and D sideways. Dragging with the mouse turns the "
            "camera, the wheel zooms. Tab calls the next character, P selects the next policy, "
            "I holds the feet that stand, or lets them slide, G goes through the grounds. B shows "
            "the skeleton with the axes of its joints, comma and full stop make motion slower and "
            "faster again, F12 takes a picture. Space pauses, R resets, C changes the camera, F1 "
            "shows the help, Esc quits.",
            "",
            "Tasks, the key that switches to each in mid-walk, and what a person does there:",
            *tasks,
            "",
            "Keys and clicks of single tasks:",
            *keys,
            "",
            "With --keys no one needs to be there. The camera then looks along world +Z all the "
            "time: w walks towards +Z, s towards -Z, a towards +X, d towards -X.",
        )
    )
