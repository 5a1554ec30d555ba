// The shaders of the OpenGL viewer (assets/shaders), made ready for WebGL 2: it has no uniform block
// that three.js fills, no buffers as textures and no clip distances.

import { GLSL3, type IUniform, RawShaderMaterial, type ShaderMaterialParameters } from "three";

import bodyFrag from "../../assets/shaders/body.frag";
import common from "../../assets/shaders/common.glsl";
import floor from "../../assets/shaders/floor.glsl";
import groundFrag from "../../assets/shaders/ground.frag";
import groundVert from "../../assets/shaders/ground.vert";
import markFrag from "../../assets/shaders/mark.frag";
import markVert from "../../assets/shaders/mark.vert";
import shadowFrag from "../../assets/shaders/shadow.frag";
import shadow from "../../assets/shaders/shadow.glsl";
import shadowVert from "../../assets/shaders/shadow.vert";
import skin from "../../assets/shaders/skin.glsl";
import skinVert from "../../assets/shaders/skin.vert";

import { quality } from "./quality.ts";
import { HALF } from "./sun.ts";

/** Texels in a row of the texture with the joints' transforms; a multiple of 3. */
export const ROW = 768;

/** What the shaders call by name. */
function constants(): Record<string, string> {
  const { reach, side, disc } = quality();
  const spread = 0.02 / (2 * HALF * reach); // the edges of shadows are soft for 2 cm each side
  return {
    REACH: String(reach),
    GROUND_BLUR: spread.toFixed(8),
    BODY_BLUR: Math.max(0.6 * spread, 1 / side).toFixed(8),
    WEDGED: "(-1.0)",
    PLAIN: "(-2.0)",
    SOFT: "(-3.0)",
    CLOCK: "(-4.0)",
    PRINT: "(-6.0)",
    DASHED: "(-8.0)",
    DISC: String(disc),
    INFLUENCES: "4",
    TEXTURED: "0", // the page has no bodies of other programs,
    TERRAIN: "0", // and its ground is flat
  };
}

const PRECISION = "precision highp float;\nprecision highp int;\nprecision highp sampler2D;\n"
  + "precision highp sampler2DShadow;\n";
const FETCH = `vec4 bone(int i) { return texelFetch(bones, ivec2(i % ${ROW}, i / ${ROW}), 0); }\n`;

function text(parts: string[], flags: Record<string, number>): string {
  const named = { ...constants(), ...flags };
  const defines = Object.entries(named).map(([name, value]) => `#define ${name} ${value}\n`);
  const block = /layout\(std140\) uniform Frame \{([^}]*)\};/;
  const uniforms = (_: string, body: string) => body.replace(/^\s*(mat4|vec4)/gm, "uniform $1");
  return (PRECISION + defines.join("") + [common, ...parts].join("\n"))
    .replace(block, uniforms)
    .replace(/texelFetch\(bones, ([^)]*)\)/g, "bone($1)")
    .replace(/uniform samplerBuffer bones;.*\n/, `uniform sampler2D bones;\n${FETCH}`)
    .replace(/\s*gl_ClipDistance[^\n]*/g, "");
}

function material(
  vertex: string[], fragment: string[], flags: Record<string, number>,
  uniforms: Record<string, IUniform>, more: ShaderMaterialParameters = {},
): RawShaderMaterial {
  return new RawShaderMaterial({
    glslVersion: GLSL3,
    vertexShader: text(vertex, flags),
    fragmentShader: text(fragment, flags),
    uniforms,
    ...more,
  });
}

type Uniforms = Record<string, IUniform>;

/** What is below the ground is not drawn, since the ground has no depth that would hide it. */
const body = bodyFrag.replace("void main() {", "void main() {\n    if (point.y < 0.0) discard;");

export const skinned = (uniforms: Uniforms, shaded: boolean) =>
  material([skin, skinVert], [shadow, body], { SKINNED: 1, SHADED: Number(shaded) }, uniforms);

/** The target of shadows has a colour, too, which WebGL requires the shader to write. */
const dark = shadowFrag.replace("void main() {", "out vec4 pixel;\nvoid main() { pixel = vec4(0.0);");

export const casting = (uniforms: Uniforms) =>
  material([skin, shadowVert], [dark], { SKINNED: 1 }, uniforms);

export const ground = (uniforms: Uniforms, near: boolean) =>
  material([groundVert], [shadow, floor, groundFrag], { NEAR: Number(near) }, uniforms,
    { depthWrite: near, side: 2 });

export const mark = (uniforms: Uniforms) =>
  material([markVert], [shadow, markFrag], {}, uniforms,
    { transparent: true, depthWrite: false, side: 2 });

const LINE_VERT = "layout(location = 0) in vec3 position;\nvoid main() {\n"
  + "gl_Position = camera * vec4(position, 1.0);\ngl_PointSize = 6.0;\n}";
const LINE_FRAG = "out vec4 pixel;\nvoid main() { pixel = vec4(1.0, 0.82, 0.35, 1.0); }";

export const line = (uniforms: Uniforms) =>
  material([LINE_VERT], [LINE_FRAG], {}, uniforms, { depthTest: false, depthWrite: false });
