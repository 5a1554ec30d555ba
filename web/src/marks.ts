// Marks on the ground, as controller/viewer/gl/marks.py.

import { BufferAttribute, DynamicDrawUsage, InstancedBufferAttribute, InstancedBufferGeometry } from "three";

import type { Slope } from "./drawn.ts";
import type { Play } from "./play.ts";
import { TOWARDS } from "./sun.ts";

const RING = 0.42; // m: the radius of the ring around the character
const ARROW_SECONDS = 0.6; // an arrow is as long as the way at its speed in this time
const STILL = 0.08; // m/s: slower velocities have no arrow
const FLAG = 0.3; // m: the radius of the ring around the point to go to
const GOAL = 0.14; // m: that of the rings around the points of others
const DASH = 0.16; // m: the length of the arrows along a line
const EVERY = 4; // points of a line from one arrow to the next
const TALL = 1.6; // m: the height of the others, for their simplified shadows
const WISH = [0.9, 0.36, 0.05];
const ACTUAL = [0.85, 0.92, 1];
const FACING = [0.55, 0.6, 0.65];
const TARGET = [0.42, 0.25, 0.13];
const SHADE = [0, 0, 0];
const WEDGED = -1; // in place of an arrow's width: a ring with a wedge,
const PLAIN = -2; // a ring,
const SOFT = -3; // a shadow
const MOST = 400;
const SHADOW = (TALL * Math.hypot(TOWARDS.x, TOWARDS.z)) / TOWARDS.y;
const AWAY = Math.atan2(-TOWARDS.x, -TOWARDS.z);

export class Marks {
  readonly geometry = quad(MOST);
  private readonly place = this.geometry.getAttribute("mark") as InstancedBufferAttribute;
  private readonly paint = this.geometry.getAttribute("paint") as InstancedBufferAttribute;
  private count = 0;
  private stretch = 1; // metres along tilted ground for one of its map

  /** Everything, around a character at (x, z); `others` (N, 3) are the roots of a crowd. */
  draw(play: Play, x: number, z: number, others: Float32Array): void {
    this.count = 0;
    this.stretch = stretch(play.slope);
    const { stage } = play.task;
    const { who, crowd: { wish }, velocity } = play.player;
    for (let i = 0; others.length > 3 && i < others.length / 3; i++)
      if (i !== who) this.add(others[3 * i], others[3 * i + 2], AWAY, SHADOW, SHADE, SOFT);
    for (let i = 0; stage.targets && i < stage.targets.length / 2; i++)
      if (i !== who) this.add(stage.targets[2 * i], stage.targets[2 * i + 1], 0, GOAL, TARGET, PLAIN);
    if (stage.line) this.line(stage.line);
    if (stage.flag) this.add(stage.flag[0], stage.flag[1], 0, FLAG, WISH, PLAIN);
    if (stage.steered) {
      this.add(x, z, wish[2], RING, FACING, WEDGED);
      this.arrow(x, z, wish[0], wish[1], WISH, 0.03);
      this.arrow(x, z, velocity[0], velocity[1], ACTUAL, 0.014);
    }
    this.geometry.instanceCount = this.count;
    this.place.needsUpdate = this.paint.needsUpdate = true;
  }

  private add(x: number, z: number, yaw: number, extent: number, colour: readonly number[], kind: number): void {
    if (this.count === MOST) return;
    this.place.setXYZW(this.count, x, this.stretch * z, yaw, extent);
    this.paint.setXYZW(this.count++, colour[0], colour[1], colour[2], kind);
  }

  private line(points: ArrayLike<number>): void {
    for (let i = 0; i + 3 < points.length; i += 2 * EVERY) {
      const yaw = Math.atan2(points[i + 2] - points[i], points[i + 3] - points[i + 1]);
      this.add(points[i], points[i + 1], yaw, DASH, WISH, 0.012);
    }
  }

  private arrow(x: number, z: number, right: number, ahead: number, colour: number[], width: number): void {
    const speed = Math.hypot(right, ahead);
    if (speed <= STILL) return;
    const from = RING / speed;
    const yaw = Math.atan2(right, ahead);
    this.add(x + from * right, z + from * ahead, yaw, speed * ARROW_SECONDS, colour, width);
  }
}

/** Metres along ground that rises along z for each metre along z. */
export function stretch({ south }: Slope): number {
  return Math.sqrt(1 + south * south);
}

/** Four corners that a shader places by their numbers. */
export function quad(instances = 1): InstancedBufferGeometry {
  const geometry = new InstancedBufferGeometry();
  geometry.setIndex([0, 1, 2, 2, 1, 3]);
  geometry.instanceCount = instances;
  for (const name of ["mark", "paint"]) {
    const values = new InstancedBufferAttribute(new Float32Array(4 * instances), 4);
    geometry.setAttribute(name, values.setUsage(DynamicDrawUsage) as BufferAttribute);
  }
  return geometry;
}
