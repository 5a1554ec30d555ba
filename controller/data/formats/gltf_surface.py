"""Materials and textures of a glTF document."""

from __future__ import annotations

import io
import warnings

import numpy as np

from controller.body.rig import Material
from controller.data.formats.gltf import Gltf, Object

LARGEST_SIDE = 2048
"""Pixels: larger textures are made smaller."""
MAX_PIXELS = 8192 * 8192
BLEND_CUTOFF = 0.5
"""Half-transparent surfaces are drawn where they are at least this opaque."""
GLOSS = "KHR_materials_pbrSpecularGlossiness"
TRANSFORM = "KHR_texture_transform"


class Surface:
    """A material of a document, as primitives need it.

    material  what is drawn
    factor    (3,) linear red, green and blue
    channel   the name of the texture coordinates
    """

    def __init__(self, document: Gltf, number: int | None, pictures: Pictures) -> None:
        owner: Object = {} if number is None else document.table("materials")[number]
        where = f"materials[{number}]"
        base = document.as_object(owner.get("pbrMetallicRoughness", {}), where)
        extensions = document.as_object(owner.get("extensions", {}), where)
        names = "baseColorFactor", "baseColorTexture"
        if GLOSS in extensions and not base.keys() & set(names):
            base = document.as_object(extensions[GLOSS], where)
            names = "diffuseFactor", "diffuseTexture"
        factor = document.vector(base, names[0], where, [1.0] * 4).clip(0.0, 1.0)
        self.factor = factor[:3]
        self.channel = "TEXCOORD_0"
        self._transform: Object = {}
        picture = -1
        if names[1] in base:
            picture = self._texture(document, base[names[1]], f"{where}.{names[1]}", pictures)
        cutoff = 0.0
        if owner.get("alphaMode") == "MASK":
            cutoff = document.number(owner, "alphaCutoff", where, 0.5)
        elif owner.get("alphaMode") == "BLEND":
            cutoff = BLEND_CUTOFF
        cutoff = cutoff / max(float(factor[3]), 1e-6)  # the texture's alpha is compared
        self.material = Material(picture, cutoff, owner.get("doubleSided") is True)

    def _texture(self, document: Gltf, value: object, where: str, pictures: Pictures) -> int:
        """The number of a texture's picture, −1 if it has none that is read."""
        owner = document.as_object(value, where)
        texture = document.table("textures")[document.index(owner, "index", where, "textures")]
        extensions = document.as_object(owner.get("extensions", {}), where)
        self._transform = document.as_object(extensions.get(TRANSFORM, {}), where)
        channel = document.integer({**owner, **self._transform}, "texCoord", where, 8, 0)
        self.channel = f"TEXCOORD_{channel}"
        if "source" not in texture:
            return -1  # in a format of an extension
        return pictures.number(document.index(texture, "source", where, "images"))

    def moved(self, document: Gltf, uvs: np.ndarray) -> np.ndarray:
        """Texture coordinates (V, 2) after the texture's own transform."""
        if not self._transform:
            return uvs
        offset = document.vector(self._transform, "offset", TRANSFORM, [0.0, 0.0])
        scale = document.vector(self._transform, "scale", TRANSFORM, [1.0, 1.0])
        turn = document.number(self._transform, "rotation", TRANSFORM, 0.0)
        sine = np.sin(turn)
        cosine = np.cos(turn)
        u, v = (uvs * scale).T
        return np.column_stack((cosine * u + sine * v, cosine * v - sine * u)) + offset


class Pictures:
    """The pictures of a document that are used, each read once, in the order of their use."""

    def __init__(self, document: Gltf) -> None:
        self.document = document
        self.read: list[np.ndarray] = []
        self._numbers: dict[int, int] = {}

    def number(self, image: int) -> int:
        """The place in ``read`` of an image of the document."""
        if image not in self._numbers:
            self._numbers[image] = len(self.read)
            self.read.append(self._decoded(image))
        return self._numbers[image]

    def _decoded(self, image: int) -> np.ndarray:
        """(H, W, 4) uint8. Raises FormatError for what is no PNG, JPEG or WebP."""
        from PIL import Image  # only for rigs with textures, not at every start

        data = self.document.image(image)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                with Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")) as picture:
                    if picture.width * picture.height > MAX_PIXELS:
                        raise ValueError("too large")
                    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE))
                    return np.array(picture.convert("RGBA"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            allowed = f"a PNG or JPEG of at most {MAX_PIXELS // 10**6} megapixels"
            self.document.fail(f"images[{image}]", "a picture that cannot be read", allowed)
