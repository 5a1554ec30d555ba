// A character's file: what it holds, and what is wrong with it. controller/export/page_file.py
// describes the format.

import type { Runtime } from "./runtime.ts";

const HEADER = 64;
const ALIGNMENT = 64;
const FORMAT = 1;
const MAGIC = "mvaepage";

/** One sentence that a person can act on. */
export class FileError extends Error {}

export interface Facts {
  name: string;
  title: string;
  /** Whom to name, and the licence. */
  notice: string;
  /** Steps a second. */
  rate: number;
  /** Metres: the mean height of the hips. */
  hips: number;
  /** m/s: slow, walking, fast. */
  paces: [number, number, number];
  /** m/s: forward, sideways, backward. */
  fastest: [number, number, number];
  styles: string[];
  joints: string[];
  /** Metres from the joint: where the bone of a joint without children ends. */
  tips: [number, number, number][];
  /** Joints that darken the ground under them. */
  soles: number[];
  /** What native/drawn.c must know of legs. */
  legs: number[];
  /** How far each unit of the latent moves the joints, relative to the one that moves them most. */
  latent: number[];
  /** Levels of detail of the body; 0 without a body. */
  levels: number;
  /** Metres: positions are stored in 32767ths of it. */
  reach?: number;
  /** Start and bytes of each section. */
  sections: Record<string, [number, number]>;
}

/** One level of detail of a body; see controller/body/mesh.py. */
export interface Level {
  positions: Int16Array;
  normals: Int16Array;
  joints: Uint16Array;
  weights: Uint8Array;
  colours: Uint8Array;
  triangles: Uint16Array;
}

export interface Body {
  /** Metres: positions are in 32767ths of it. */
  reach: number;
  /** (J, 12): the bound pose's rotations, row after row, then its positions. */
  bind: Float32Array;
  levels: Level[];
}

export interface CharacterFile {
  facts: Facts;
  /** Where the controller's weights begin in the runtime's memory, and their bytes. */
  weights: [number, number];
  body: Body | null;
}

/** (J, 16) column after column: each joint's way from the bound pose into its own frame, as
 * `boneInverses` of a three.js `Skeleton`. */
export function boundInverses({ bind }: Body): Float32Array {
  const joints = bind.length / 12;
  const out = new Float32Array(16 * joints);
  for (let j = 0; j < joints; j++) {
    const from = 12 * j;
    const to = 16 * j;
    for (let r = 0; r < 3; r++)
      for (let c = 0; c < 3; c++) {
        const value = bind[from + 3 * c + r]; // transposed
        out[to + 4 * c + r] = value;
        out[to + 12 + r] -= value * bind[from + 9 + c];
      }
    out[to + 15] = 1;
  }
  return out;
}

/** Read a file's bytes, which are copied into the runtime's memory. Throws FileError. */
export function read(bytes: ArrayBuffer, name: string, runtime: Runtime): CharacterFile {
  const view = new DataView(bytes);
  if (bytes.byteLength < MAGIC.length || text(bytes, 0, MAGIC.length) !== MAGIC)
    throw new FileError(`${name} is not a character's file.`);
  if (bytes.byteLength < HEADER || view.getUint32(16, true) !== bytes.byteLength)
    throw new FileError(`${name} is not complete: it has ${bytes.byteLength} bytes.`);
  if (view.getUint32(8, true) !== FORMAT)
    throw new FileError(`${name} was written for another version of this page.`);
  const start = runtime.copy(bytes);
  if (runtime.checksum(start + 16, bytes.byteLength - 16) !== view.getUint32(12, true))
    throw new FileError(`${name} is damaged: its checksum is wrong.`);

  const size = view.getUint32(20, true);
  const facts = JSON.parse(text(bytes, HEADER, size)) as Facts;
  const first = HEADER + size;
  const section = (key: string): [number, number] => {
    const [at, count] = facts.sections[key] ?? [NaN, NaN];
    if (!(at >= 0 && at % ALIGNMENT === 0 && first + at + count <= bytes.byteLength))
      throw new FileError(`${name} has no part ${key} as it should be.`);
    return [first + at, count];
  };
  const [at, count] = section("controller");
  return { facts, weights: [start + at, count], body: body(facts, bytes, section) };
}

function body(
  facts: Facts, bytes: ArrayBuffer, section: (key: string) => [number, number],
): Body | null {
  if (!facts.levels || !facts.reach) return null;
  const part = (key: string) => bytes.slice(section(key)[0], section(key)[0] + section(key)[1]);
  const levels: Level[] = [];
  for (let i = 0; i < facts.levels; i++)
    levels.push({
      positions: new Int16Array(part(`${i}.positions`)),
      normals: new Int16Array(part(`${i}.normals`)),
      joints: new Uint16Array(part(`${i}.joints`)),
      weights: new Uint8Array(part(`${i}.weights`)),
      colours: new Uint8Array(part(`${i}.colours`)),
      triangles: new Uint16Array(part(`${i}.triangles`)),
    });
  return { reach: facts.reach, bind: new Float32Array(part("bind")), levels };
}

function text(bytes: ArrayBuffer, start: number, count: number): string {
  return new TextDecoder().decode(new Uint8Array(bytes, start, count));
}
