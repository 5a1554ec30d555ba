// From keys and sticks to a smooth wish, as controller/viewer/input/steering.py does it. The springs
// are those of the C runtime.

import type { Runtime } from "./runtime.ts";

const TURN_RATE = 2; // rad/s, while Q or E is down
const DEAD_ZONE = 0.15; // of a stick's deflection

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
  private manual = false; // whether the user has turned the facing while moving
  private lockDown = false;

  constructor(private readonly runtime: Runtime, paces: readonly number[]) {
    this.paces = paces;
    this.at = runtime.allocate(28);
  }

  /** The wish (x, z, facing), its change (3), and the yaw that it turns to. */
  get values(): Float32Array {
    return this.runtime.floats(this.at, 7);
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
    const moving = length > DEAD_ZONE;
    const share = moving ? Math.min((length - DEAD_ZONE) / (1 - DEAD_ZONE), 1) / length : 0;
    const speed = share * this.paces[controls.pace];
    const x = speed * (forward * Math.sin(azimuth) - right * Math.cos(azimuth));
    const z = speed * (forward * Math.cos(azimuth) + right * Math.sin(azimuth));
    if (controls.lock && !this.lockDown) this.locked = !this.locked;
    this.lockDown = controls.lock;
    const values = this.values;
    values[6] += turn * TURN_RATE * seconds;
    this.manual = turn !== 0 || (this.manual && moving);
    const follow = moving && !this.manual && !this.locked;
    this.runtime.exports.steer(this.at, x, z, follow ? 1 : 0, seconds);
    for (let i = 0; i < 3; i++) wish[i] = values[i];
  }
}
