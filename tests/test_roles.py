"""What joints are: by the names of all families, by structure alone, and by overrides."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skeletons import FAMILIES, ROLES, make, named, nameless, quadruped, reordered
from synthetic import ROOT, layout, skeleton, walk

from controller.core.errors import ConfigError, DataError
from controller.motion import geometry
from controller.motion.feet import Feet
from controller.motion.overrides import RoleOverrides, load_overrides
from controller.motion.pose import FPS, PoseLayout, facing
from controller.motion.roles import Roles
from controller.motion.skeleton import Clip, Skeleton
from controller.viewer.gl.body import Body

HAND = ("palm", "thumb", "thumb2", "index")
TWISTED = ("unreal", "rigify", "biped")
"""Families whose helpers or trunk cannot be told from limbs and hips without names."""


def roles_by_name(skeleton: Skeleton) -> dict[str, str]:
    """Joint name → role."""
    roles = Roles.of(skeleton)
    return {name: guess.role for name, guess in zip(skeleton.names, roles.guesses, strict=True)}


def expected_roles(family: str) -> dict[str, str]:
    """Joint name → role as the fixture says, hands aside."""
    result = {}
    for bone in FAMILIES[family]:
        if bone.place in HAND:
            continue
        role = ROLES[bone.place]
        result[bone.name] = f"{bone.side}_{role}" if "_" in role else role
    return result


def check_partners(family: str, roles: Roles) -> None:
    """Partners share a place and are on different sides; other joints are their own."""
    bones = FAMILIES[family]
    for joint, partner in enumerate(roles.mirror):
        assert bones[partner].place == bones[joint].place
        assert (partner == joint) == (bones[joint].side == "")
        assert roles.sides[joint] == bones[joint].side


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_understood(family: str) -> None:
    roles = Roles.of(make(FAMILIES[family]))
    ours = roles_by_name(roles.skeleton)
    expected = expected_roles(family)
    assert {name: ours[name] for name in expected} == expected
    assert roles.kind == "biped" and len(roles.feet) == 2
    check_partners(family, roles)
    for bone, guess in zip(FAMILIES[family], roles.guesses, strict=True):
        assert 0 <= guess.confidence <= 1 and guess.reason.startswith(f"{bone.name}: ")
        if bone.place in HAND:
            assert guess.role.startswith(f"{bone.side}_arm_")


@pytest.mark.parametrize("family", [family for family in FAMILIES if family not in TWISTED])
def test_structure_alone_finds_the_same(family: str) -> None:
    bones = FAMILIES[family]
    roles = Roles.of(nameless(make(bones)))
    for bone, guess in zip(bones, roles.guesses, strict=True):
        role = ROLES.get(bone.place, "")
        if role:
            assert guess.role == (f"{bone.side}_{role}" if "_" in role else role)
            assert guess.confidence < 0.7
    check_partners(family, roles)


@settings(max_examples=40, deadline=None)
@given(
    family=st.sampled_from(sorted(FAMILIES)), seed=st.integers(0, 2**31), with_names=st.booleans()
)
def test_the_order_of_joints_does_not_matter(family: str, seed: int, with_names: bool) -> None:
    bones = make(FAMILIES[family])
    if not with_names:
        bones = nameless(bones)
    assert roles_by_name(reordered(bones, seed)) == roles_by_name(bones)


@settings(max_examples=40, deadline=None)
@given(
    family=st.sampled_from(sorted(FAMILIES)),
    prefix=st.sampled_from(["mixamorig:", "Fred:", "a|b|", "Hero_", "DEF-", "ns1:ns2:"]),
)
def test_prefixes_are_stripped(family: str, prefix: str) -> None:
    bones = make(FAMILIES[family])
    roles = list(roles_by_name(bones).values())
    prefixed = named(bones, [prefix + name for name in bones.names])
    assert list(roles_by_name(prefixed).values()) == roles


@settings(max_examples=40, deadline=None)
@given(
    family=st.sampled_from(["lafan1", "smpl", "knees", "cgspeed"]),
    yaw=st.floats(-3.1, 3.1),
    size=st.sampled_from([0.01, 1.0, 39.37, 1000.0]),
)
def test_neither_size_nor_facing_matters_where_feet_point_ahead(
    family: str, yaw: float, size: float
) -> None:
    bones = nameless(make(FAMILIES[family]))
    turn = size * geometry.yaw_matrix(torch.tensor(yaw))
    turned = replace(bones, offsets=bones.offsets @ turn.T, tips=bones.tips @ turn.T)
    assert roles_by_name(turned) == roles_by_name(bones)


@pytest.mark.parametrize("with_names", [True, False])
def test_a_quadruped_stands_on_four_feet(with_names: bool) -> None:
    dog = quadruped()
    roles = Roles.of(dog if with_names else nameless(dog))
    assert roles.kind == "quadruped"
    feet = ["LeftFoot", "RightFoot", "LeftHand", "RightHand"]
    assert [dog.names[joint] for joint in roles.feet] == feet
    assert [dog.names[joint] for joint in roles.tail] == ["Tail", "Tail1"]
    assert [dog.names[joint] for joint in roles.spine] == ["Spine", "Spine1"]
    assert roles.head == dog.index("Head") and roles.neck == (dog.index("Neck"),)
    assert all(limb.grounded for limb in roles.limbs) and len(roles.limbs) == 4


def test_front_and_back_legs_by_name() -> None:
    words = {"UpLeg": "Leg_Upper", "Leg": "Leg_Lower", "Foot": "Leg_Foot"}
    words |= {"Shoulder": "Leg_Shoulder", "Arm": "Leg_Upper", "ForeArm": "Leg_Lower"}
    words |= {"Hand": "Leg_Foot"}
    names = []
    for name in quadruped().names:
        match = re.fullmatch(r"(Left|Right)(\w+)", name)
        if match is None:
            names.append(name)
            continue
        end = "Back" if match[2] in ("UpLeg", "Leg", "Foot") else "Front"
        names.append(f"{end}_{words[match[2]]}_{match[1][0]}")
    roles = Roles.of(named(quadruped(), names))
    assert [guess.role for guess in roles.guesses] == list(roles_by_name(quadruped()).values())
    assert min(guess.confidence for guess in roles.guesses) > 0.9


def test_two_pairs_with_the_names_of_legs() -> None:
    """The ones farther from the head are the hind legs, in any order of joints."""
    words = {"Shoulder": "HipJoint1", "Arm": "UpLeg1", "ForeArm": "Leg1", "Hand": "Foot1"}
    names = [
        re.sub("(Shoulder|ForeArm|Arm|Hand)$", lambda match: words[match[0]], name)
        for name in quadruped().names
    ]
    dog = named(quadruped(), names)
    for seed in range(5):
        roles = Roles.of(reordered(dog, seed))
        feet = [roles.skeleton.names[joint] for joint in roles.feet]
        assert feet == ["LeftFoot", "RightFoot", "LeftFoot1", "RightFoot1"]


def test_a_quadruped_that_lies_along_one_axis_is_told_by_its_tail() -> None:
    dog = quadruped()
    flat = torch.zeros_like(dog.offsets)
    flat[:, 0] = dog.offsets.norm(dim=-1)
    roles = Roles.of(replace(dog, offsets=flat, tips=torch.zeros_like(dog.tips)))
    assert roles.kind == "quadruped" and len(roles.feet) == 4
    assert roles.stance.confidence == 0.5 and "tail" in roles.stance.reason
    assert max(guess.confidence for guess in roles.guesses) < 0.9


def test_feet_of_a_quadruped_are_those_of_its_forward_kinematics() -> None:
    part = PoseLayout(quadruped())
    pose = torch.randn(5, part.size, generator=torch.Generator().manual_seed(0))
    feet = Feet(part).positions(pose)
    torch.testing.assert_close(feet, part.posed_joints(pose)[:, list(part.feet)])
    assert Feet.displacement(feet, feet, torch.zeros(5, 3)).abs().max() == 0


def test_a_tail_makes_no_quadruped_of_what_stands_on_two_feet() -> None:
    bones = skeleton()
    tailed = Skeleton(
        (*bones.names, "Tail"),
        (*bones.parents, 0),
        torch.cat((bones.offsets, torch.tensor([[0.0, 0.0, -0.2]]))),
        torch.cat((bones.tips, torch.tensor([[0.0, 0.0, -0.3]]))),
    )
    assert Roles.of(tailed).kind == "biped"


def test_names_win_over_places() -> None:
    """A left that is at −X: the name knows better."""
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    other = replace(skeleton(), offsets=skeleton().offsets * mirror)
    assert roles_by_name(other) == roles_by_name(skeleton())
    guess = Roles.of(other).guesses[other.index("LeftFoot")]
    assert guess.confidence == 0.5 and "its place is on the other side" in guess.reason


def test_bodies_and_facing_follow_roles_and_not_names() -> None:
    ours = Body.of(nameless(skeleton()))
    theirs = Body.of(skeleton())
    np.testing.assert_array_equal(ours.looks, theirs.looks)
    np.testing.assert_array_equal(ours.frames, theirs.frames)
    assert ours.soles == theirs.soles

    clip = walk(turn=0.5)
    torch.testing.assert_close(
        facing(replace(clip, skeleton=nameless(clip.skeleton))), facing(clip), rtol=0, atol=0
    )


def test_a_quadruped_has_four_soles_and_faces_ahead() -> None:
    assert len(Body.of(quadruped()).soles) == 4
    clip = Clip(
        "stand", quadruped(), torch.zeros(9, 3), torch.eye(3).repeat(9, len(quadruped()), 1, 1), FPS
    )
    assert facing(clip).abs().max() < 1e-6


# -- what is not understood ------------------------------------------------------------------------


def test_a_skeleton_without_legs_says_what_is_missing() -> None:
    snake = Skeleton(
        ("a", "b", "c"), (-1, 0, 1), torch.tensor([[0.0, 0, 0], [0, 0, 1], [0, 0, 1]]),
        torch.zeros(3, 3),
    )  # fmt: skip
    with pytest.raises(DataError, match=r"no left and right leg among a, b, c; .*--roles FILE"):
        Roles.of(snake)
    assert Roles.of(snake, complete=False).limbs == ()


def test_left_and_right_cannot_be_guessed_from_a_rest_pose_that_does_not_stand() -> None:
    """All bones along one axis, those of the right side backward, as some files have them."""
    bones = nameless(make(FAMILIES["lafan1"]))
    sign = torch.tensor([-1.0 if bone.side == "right" else 1.0 for bone in FAMILIES["lafan1"]])
    flat = torch.zeros_like(bones.offsets)
    flat[:, 0] = bones.offsets.norm(dim=-1) * sign
    with pytest.raises(DataError, match=r"no left and right leg .* the rest pose does not stand"):
        Roles.of(replace(bones, offsets=flat))


def test_a_joint_with_a_side_needs_a_counterpart() -> None:
    bones = skeleton()
    tail = torch.tensor([[0.1, 0.2, 0.0]])
    armed = Skeleton(
        (*bones.names, "LeftSword"), (*bones.parents, bones.index("LeftHand")),
        torch.cat((bones.offsets, tail)), torch.cat((bones.tips, tail)),
    )  # fmt: skip
    with pytest.raises(DataError, match="joint LeftSword has no counterpart"):
        _ = PoseLayout(armed).mirror_joints
    stated = replace(armed, overrides=RoleOverrides({"LeftSword": "none"}))
    sword = armed.index("LeftSword")
    assert PoseLayout(stated).mirror_joints[sword] == sword
    assert PoseLayout(stated).mirror_joints[:sword] == layout().mirror_joints


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), joints=st.integers(1, 14))
def test_any_tree_has_roles_or_an_error_of_ours(seed: int, joints: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    parents = [-1] + [int(torch.randint(j, (1,), generator=generator)) for j in range(1, joints)]
    offsets = torch.randn(joints, 3, generator=generator).round(decimals=0)
    tree = Skeleton(
        tuple(f"joint_{joint}" for joint in range(joints)), tuple(parents), offsets,
        torch.zeros(joints, 3),
    )  # fmt: skip
    roles = Roles.of(tree, complete=False)
    assert len(roles.guesses) == joints
    assert all(
        roles.partners[roles.partners[j]] == j for j in range(joints) if roles.partners[j] >= 0
    )


# -- overrides -------------------------------------------------------------------------------------


def test_an_override_wins_over_the_guess() -> None:
    stated = {"LeftToe": "none", "RightToe": "none"}
    roles = Roles.of(skeleton(), RoleOverrides(stated))
    assert [skeleton().names[joint] for joint in roles.feet] == ["LeftFoot", "RightFoot"]
    assert roles.guesses[skeleton().index("LeftToe")].confidence == 1.0
    assert "override" in roles.guesses[skeleton().index("LeftToe")].reason
    one_side = Roles.of(skeleton(), RoleOverrides({"LeftToe": "none"}))
    assert one_side.mirror == Roles.of(skeleton()).mirror


def test_sides_can_be_exchanged() -> None:
    swapped = {}
    for name, role in roles_by_name(skeleton()).items():
        side, _, part = role.partition("_")
        if part:
            swapped[name] = ("right_" if side == "left" else "left_") + part
    roles = Roles.of(skeleton(), RoleOverrides(swapped))
    assert [skeleton().names[joint] for joint in roles.feet] == ["RightToe", "LeftToe"]
    assert roles.mirror == Roles.of(skeleton()).mirror


@settings(max_examples=40, deadline=None)
@given(family=st.sampled_from(["lafan1", "smpl", "knees"]), chosen=st.data())
def test_any_subset_of_true_roles_leads_to_the_same(family: str, chosen: st.DataObject) -> None:
    bones = nameless(make(FAMILIES[family]))
    roles = {name: role for name, role in roles_by_name(bones).items() if "finger" not in role}
    subset = chosen.draw(st.sets(st.sampled_from(sorted(roles))))
    overrides = RoleOverrides({name: roles[name] for name in subset})
    assert roles_by_name(replace(bones, overrides=overrides)) == roles_by_name(bones)


def test_overrides_make_any_tree_a_character() -> None:
    flat = nameless(make(FAMILIES["lafan1"]))
    flat = replace(flat, offsets=flat.offsets.norm(dim=-1, keepdim=True) * torch.eye(3)[0])
    bones = FAMILIES["lafan1"]
    limbs = {}
    for joint, bone in enumerate(bones):
        if bone.side:
            limbs[f"joint_{joint}"] = f"{bone.side}_{ROLES[bone.place]}"
    roles = Roles.of(flat, RoleOverrides(limbs))
    assert [bones[joint].name for joint in roles.feet] == ["LeftToe", "RightToe"]
    check_partners("lafan1", roles)


def test_the_kind_can_be_stated() -> None:
    roles = Roles.of(skeleton(), RoleOverrides(kind="quadruped"))
    assert roles.kind == "quadruped" and len(roles.feet) == 4


def test_an_override_of_no_joint_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"roles\.Paw is not a joint of the skeleton; allowed: H"):
        Roles.of(skeleton(), RoleOverrides({"Paw": "left_leg_end"}))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.toml", 'kind = "biped"\n[roles]\nLeftToe = "none"\n"Bip01 L Foot" = "left_leg_end"\n'),
        (
            "a.json",
            '{"kind": "biped", "roles": {"LeftToe": "none", "Bip01 L Foot": "left_leg_end"}}',
        ),
    ],
)
def test_override_files(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    overrides = load_overrides(tmp_path / name)
    assert overrides.joints == {"LeftToe": "none", "Bip01 L Foot": "left_leg_end"}
    assert overrides.kind == "biped" and RoleOverrides.from_dict(overrides.to_dict()) == overrides


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.yaml", "", r"a\.yaml: the suffix is '\.yaml'; allowed: \.toml, \.json"),
        ("a.toml", "[roles", r"a\.toml: found text that is not TOML"),
        ("a.json", "{", r"a\.json: found text that is not JSON"),
        ("a.json", "[1]", r"a\.json: the content is \[1\]; allowed: a table"),
        ("a.json", '{"role": {}}', r"role is an unknown field; allowed: roles, kind"),
        ("a.json", '{"roles": 3}', r"roles is 3; allowed: a table"),
        ("a.json", '{"roles": {"A": 3}}', r"roles\.A is 3; allowed: root, hips"),
        ("a.toml", '[roles]\nA = "left_paw"', r"a\.toml: roles\.A is 'left_paw'; allowed: root"),
        ("a.toml", 'kind = "centaur"', r"kind is 'centaur'; allowed: biped, quadruped"),
        ("a.toml", "kind = 4", r"kind is 4; allowed: biped, quadruped"),
    ],
)
def test_bad_override_files_say_what_is_wrong(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_overrides(tmp_path / name)


def test_override_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read"):
        load_overrides(tmp_path / "none.toml")
    (tmp_path / "a.toml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match=r"a\.toml: found text that is not TOML"):
        load_overrides(tmp_path / "a.toml")


def test_overrides_are_saved_with_the_skeleton_and_only_then() -> None:
    assert set(skeleton().to_dict()) == {"names", "parents", "offsets", "tips"}
    stated = replace(skeleton(), overrides=RoleOverrides({"LeftToe": "none"}, "biped"))
    plain = json.loads(json.dumps(stated.to_dict()))
    again = Skeleton.from_dict(plain)
    assert again.overrides == stated.overrides and again.to_dict() == plain
    assert Skeleton.from_dict(skeleton().to_dict()).overrides == RoleOverrides()


# -- only one place looks at names -----------------------------------------------------------------

BODY_WORDS = re.compile(
    r"left|right|foot|feet|toe|ankle|leg|thigh|hip|arm|hand|shoulder|spine|head|neck|knee|elbow"
)
TEXT_METHODS = ("startswith", "endswith", "find", "index", "count", "search", "match", "fullmatch")
FIGURES = {"left_right_ratio"}
"""Names of figures, which are no joints."""
ALLOWED = {"controller/motion/names.py"}


def guesses_names(source: str) -> list[int]:
    """Lines on which source code looks for the word of a body part inside a text: ``"left" in
    name``, ``name.startswith("L_")``, ``re.search("toe|ball", name)``."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        words: list[ast.expr] = []
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            words = [node.left]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func).rpartition(".")[2]
            words = node.args[:1] if called in (*TEXT_METHODS, "compile") else []
        texts = {word.value for word in words if isinstance(word, ast.Constant)} - FIGURES
        for text in texts:
            if isinstance(text, str) and (
                BODY_WORDS.search(text.lower()) or re.fullmatch("[LRlr][_. ]", text)
            ):
                lines.append(node.lineno)
    return lines


def test_the_finder_of_guesses() -> None:
    assert guesses_names('if "left" in name.lower(): pass') == [1]
    assert guesses_names('name.startswith("L_") or\\\n re.search("toe|ball", name)') == [1, 2]
    assert not guesses_names('sides["left"] = roles.sides[joint] == "left"')


def test_only_one_module_looks_inside_joint_names() -> None:
    wrong = {}
    for path in [*ROOT.glob("controller/**/*.py"), *ROOT.glob("envs/**/*.py"), ROOT / "play.py"]:
        name = str(path.relative_to(ROOT))
        lines = guesses_names(path.read_text(encoding="utf-8"))
        if lines and name not in ALLOWED:
            wrong[name] = lines
    assert not wrong
