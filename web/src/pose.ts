// Poses between two steps, for screens faster than the simulation, and joints in the world.

import type { Crowd, Model } from "./runtime.ts";

/** The two newest poses of each character of a crowd. */
export class Motion {
  private before: Snapshot;
  private after: Snapshot;

  constructor(private readonly crowd: Crowd) {
    this.before = new Snapshot(crowd);
    this.after = new Snapshot(crowd);
    this.jump();
  }

  /** Call after each step. */
  take(): void {
    [this.before, this.after] = [this.after, this.before];
    this.after.copy(this.crowd);
  }

  /** Call after a reset: nothing is shown between the old pose and the new one. */
  jump(): void {
    this.before.copy(this.crowd);
    this.after.copy(this.crowd);
  }

  /** Place a character's joints as they are at a share, 0 to 1, of the way to the newest pose. The
   * root goes straight; joints turn along the shorter arc, by normalised linear interpolation. */
  between(share: number, who: number, joints: Joints): void {
    const { before, after } = this;
    const first = 3 * who;
    const count = joints.model.joints;
    for (let i = 0; i < 3; i++)
      joints.positions[i] = before.roots[first + i] * (1 - share) + after.roots[first + i] * share;
    for (let j = 0; j < count; j++) {
      const at = 4 * (who * count + j);
      let dot = 0;
      for (let i = 0; i < 4; i++) dot += before.rotations[at + i] * after.rotations[at + i];
      const sign = dot < 0 ? -share : share;
      let length = 0;
      for (let i = 0; i < 4; i++) {
        const value = before.rotations[at + i] * (1 - share) + after.rotations[at + i] * sign;
        quaternion[i] = value;
        length += value * value;
      }
      length = Math.sqrt(length);
      for (let i = 0; i < 4; i++) quaternion[i] /= length;
      joints.turn(j, quaternion);
    }
  }
}

const quaternion = new Float64Array(4);
const local = new Float64Array(9);

class Snapshot {
  readonly roots: Float32Array;
  readonly rotations: Float32Array;

  constructor(crowd: Crowd) {
    this.roots = new Float32Array(crowd.roots.length);
    this.rotations = new Float32Array(crowd.rotations.length);
  }

  copy(crowd: Crowd): void {
    this.roots.set(crowd.roots);
    this.rotations.set(crowd.rotations);
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

  /** Place one joint, whose parent is already placed, by its local quaternion (x, y, z, w). */
  turn(joint: number, [x, y, z, w]: Float64Array | Float32Array): void {
    const { positions, rotations } = this;
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
      for (let i = 0; i < 9; i++) rotations[to + i] = local[i];
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
  point(joint: number, [x, y, z]: readonly number[], out: Float32Array, at: number): void {
    for (let r = 0; r < 3; r++) {
      const row = 9 * joint + 3 * r;
      out[at + r] = this.positions[3 * joint + r] + this.rotations[row] * x
        + this.rotations[row + 1] * y + this.rotations[row + 2] * z;
    }
  }
}
