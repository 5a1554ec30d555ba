// From keys and sticks to a smooth wish, as controller/viewer/input/steering.py does it. The springs
// are those of the C runtime.

import type { Runtime } from "./runtime.ts";

const TURN_RATE = 2; // rad/s, while Q or E is down
const DEAD_ZONE = 0.15; // of a stick's deflection

/** Whether a stick is out of its dead zone. */
export function moves({ right, forward }: Controls): boolean {
  return Math.hypot(right, forward) > DEAD_ZONE;
}

/** What the user steers with at one moment, relative to the camera. */
export interface Controls {
  right: number;
  forward: number;
  /** Index of a pace: 0 slow, 1 walk, 2 fast. */
  pace: number;
  /** +1 turns the facing left, -1 right. */
  turn: number;
  /** Whether the key that switches the facing lock is down. */
  lock: boolean;
}

export class Steering {
  locked = false;
  /** m/s at full deflection: slow, walking, fast. */
  paces: readonly number[];
  private readonly at: number;
  private all: Float32Array = new Float32Array(7);
  private wished: Float32Array = new Float32Array(3);
  private manual = false; // whether the user has turned the facing while moving
  private lockDown = false;

  constructor(private readonly runtime: Runtime, paces: readonly number[]) {
    this.paces = paces;
    this.at = runtime.allocate(28);
  }

  /** The wish (x, z, facing), its change (3), and the yaw that it turns to. */
  private get values(): Float32Array {
    return this.view();
  }

  private get wish(): Float32Array {
    this.view();
    return this.wished;
  }

  /** The views are made anew only after the memory has grown. */
  private view(): Float32Array {
    if (this.all.buffer !== this.runtime.exports.memory.buffer) {
      this.all = this.runtime.floats(this.at, 7);
      this.wished = this.all.subarray(0, 3);
    }
    return this.all;
  }

  /** Stand still and face a yaw. The lock stays as it is. */
  reset(facing: number): void {
    this.values.fill(0);
    this.values[2] = this.values[6] = facing;
    this.manual = false;
  }

  /** Go on for some seconds, with a camera that looks along a yaw, and write the wish. */
  step(controls: Controls, azimuth: number, seconds: number, wish: Float32Array): void {
    const { right, forward, turn } = controls;
    const length = Math.hypot(right, forward);
    const moving = moves(controls);
    const share = moving ? Math.min((length - DEAD_ZONE) / (1 - DEAD_ZONE), 1) / length : 0;
    const speed = share * this.paces[controls.pace];
    const x = speed * (forward * Math.sin(azimuth) - right * Math.cos(azimuth));
    const z = speed * (forward * Math.cos(azimuth) + right * Math.sin(azimuth));
    if (controls.lock && !this.lockDown) this.locked = !this.locked;
    this.lockDown = controls.lock;
    const values = this.values;
    values[6] += turn * TURN_RATE * seconds;
    this.manual = turn !== 0 || (this.manual && moving);
    this.go(x, z, moving && !this.manual && !this.locked, seconds, wish);
  }

  /** Go on at a velocity (x, z) in m/s, and write the wish. With `follow` the facing follows. */
  go(x: number, z: number, follow: boolean, seconds: number, wish: Float32Array): void {
    this.runtime.exports.steer(this.at, x, z, follow ? 1 : 0, seconds);
    wish.set(this.wish);
  }
}
