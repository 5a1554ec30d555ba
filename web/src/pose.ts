// Poses between two steps, for screens faster than the simulation, and joints in the world.

import type { Model } from "./runtime.ts";

/** Of N characters: roots (N, 3) in metres, and rotations (N, J, 4), as a `Crowd` has them. */
export interface Frames {
  readonly model: Model;
  readonly roots: Float32Array;
  readonly rotations: Float32Array;
}

/** The two newest frames of each character. */
export class Motion {
  /** What `mix` computed: the root joint in the world (3), and quaternions (J, 4) relative to the
   * parents, the root's to the world. */
  readonly root = new Float32Array(3);
  readonly rotations: Float32Array;
  private before: Snapshot;
  private after: Snapshot;

  constructor(private readonly frames: Frames) {
    this.rotations = new Float32Array(4 * frames.model.joints);
    this.before = new Snapshot(frames);
    this.after = new Snapshot(frames);
    this.jump();
  }

  /** Call after each step. */
  take(): void {
    [this.before, this.after] = [this.after, this.before];
    this.after.copy(this.frames);
  }

  /** One goes on that was one of another crowd of the same model. */
  move(who: number, from: Motion, other: number): void {
    this.before.move(who, from.before, other);
    this.after.move(who, from.after, other);
  }

  /** Call after a reset: nothing is shown between the old pose and the new one. */
  jump(): void {
    this.before.copy(this.frames);
    this.after.copy(this.frames);
  }

  /** Compute a character's `root` and `rotations` at a share, 0 to 1, of the way to the newest pose.
   * The root goes straight; joints turn along the shorter arc, by normalised linear interpolation. */
  mix(share: number, who: number): void {
    const { before, after, root, rotations } = this;
    const first = 3 * who;
    for (let i = 0; i < 3; i++)
      root[i] = before.roots[first + i] * (1 - share) + after.roots[first + i] * share;
    const start = rotations.length * who;
    for (let j = 0; j < rotations.length; j += 4) {
      let dot = 0;
      for (let i = j; i < j + 4; i++) dot += before.rotations[start + i] * after.rotations[start + i];
      const amount = dot < 0 ? -share : share;
      let length = 0;
      for (let i = j; i < j + 4; i++) {
        rotations[i] = before.rotations[start + i] * (1 - share) + after.rotations[start + i] * amount;
        length += rotations[i] * rotations[i];
      }
      length = Math.sqrt(length);
      for (let i = j; i < j + 4; i++) rotations[i] /= length;
    }
  }

  /** Place a character's joints; the arguments are those of `mix`. With a `tilt`, a rotation (9, row
   * after row), they are in a frame that is turned by it. */
  between(share: number, who: number, joints: Joints, tilt?: ArrayLike<number>): void {
    this.mix(share, who);
    joints.place(this.root, this.rotations, tilt);
  }
}

const local = new Float64Array(9);
const UPRIGHT = [1, 0, 0, 0, 1, 0, 0, 0, 1];

class Snapshot {
  private readonly joints: number;
  readonly roots: Float32Array;
  readonly rotations: Float32Array;

  constructor(frames: Frames) {
    this.joints = frames.model.joints;
    this.roots = new Float32Array(frames.roots.length);
    this.rotations = new Float32Array(frames.rotations.length);
  }

  copy(frames: Frames): void {
    this.roots.set(frames.roots);
    this.rotations.set(frames.rotations);
  }

  move(who: number, from: Snapshot, other: number): void {
    const size = 4 * this.joints;
    this.roots.set(from.roots.subarray(3 * other, 3 * other + 3), 3 * who);
    this.rotations.set(from.rotations.subarray(size * other, size * other + size), size * who);
  }
}

/** Joints in the world: positions (J, 3) and rotation matrices (J, 9), row after row. */
export class Joints {
  readonly positions: Float32Array;
  readonly rotations: Float32Array;

  constructor(readonly model: Model) {
    this.positions = new Float32Array(3 * model.joints);
    this.rotations = new Float32Array(9 * model.joints);
  }

  /** Place all joints by the root's position (3) and their local quaternions (J, 4). */
  place(root: Float32Array, quaternions: Float32Array, tilt: ArrayLike<number> = UPRIGHT): void {
    for (let r = 0; r < 3; r++)
      this.positions[r] = tilt[3 * r] * root[0] + tilt[3 * r + 1] * root[1] + tilt[3 * r + 2] * root[2];
    for (let j = 0; j < this.model.joints; j++) this.turn(j, quaternions, tilt);
  }

  /** Place one joint, whose parent is already placed. */
  private turn(joint: number, quaternions: Float32Array, tilt: ArrayLike<number>): void {
    const { positions, rotations } = this;
    const x = quaternions[4 * joint];
    const y = quaternions[4 * joint + 1];
    const z = quaternions[4 * joint + 2];
    const w = quaternions[4 * joint + 3];
    local[0] = 1 - 2 * (y * y + z * z);
    local[1] = 2 * (x * y - z * w);
    local[2] = 2 * (x * z + y * w);
    local[3] = 2 * (x * y + z * w);
    local[4] = 1 - 2 * (x * x + z * z);
    local[5] = 2 * (y * z - x * w);
    local[6] = 2 * (x * z - y * w);
    local[7] = 2 * (y * z + x * w);
    local[8] = 1 - 2 * (x * x + y * y);
    const parent = this.model.parents[joint];
    const to = 9 * joint;
    if (parent < 0) {
      for (let r = 0; r < 9; r += 3)
        for (let k = 0; k < 3; k++)
          rotations[to + r + k] = tilt[r] * local[k] + tilt[r + 1] * local[3 + k] + tilt[r + 2] * local[6 + k];
      return;
    }
    const from = 9 * parent;
    const { offsets } = this.model;
    for (let r = 0; r < 3; r++) {
      const a = rotations[from + 3 * r];
      const b = rotations[from + 3 * r + 1];
      const c = rotations[from + 3 * r + 2];
      for (let k = 0; k < 3; k++)
        rotations[to + 3 * r + k] = a * local[k] + b * local[3 + k] + c * local[6 + k];
      positions[3 * joint + r] = positions[3 * parent + r] + a * offsets[3 * joint]
        + b * offsets[3 * joint + 1] + c * offsets[3 * joint + 2];
    }
  }

  /** A point in a joint's frame, in the world. */
  point(joint: number, local: readonly number[], out: Float32Array, at: number): void {
    const [x, y, z] = local;
    for (let r = 0; r < 3; r++) {
      const row = 9 * joint + 3 * r;
      out[at + r] = this.positions[3 * joint + r] + this.rotations[row] * x
        + this.rotations[row + 1] * y + this.rotations[row + 2] * z;
    }
  }
}
