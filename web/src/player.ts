// The character that plays: the joystick drives its wish, and it takes its steps.

import type { Character } from "./character.ts";
import { Joints, Motion } from "./pose.ts";
import { Crowd, type Runtime } from "./runtime.ts";
import { type Controls, moves, Steering } from "./steering.ts";

const REACHED = 0.25; // m: so near to the flag it has arrived
const SLOWING = 0.6; // s: it slows down when the flag is this far away

export class Player {
  readonly crowd: Crowd;
  readonly motion: Motion;
  readonly joints: Joints;
  /** m/s over the ground, (x, z), in the last step. */
  readonly velocity = [0, 0];
  /** The point (x, z) to go to, until the stick moves or it is reached. */
  flag: [number, number] | null = null;
  steps = 0;

  constructor(readonly character: Character, readonly steering: Steering) {
    this.crowd = new Crowd(character.model, 1);
    this.motion = new Motion(this.crowd);
    this.joints = new Joints(character.model);
  }

  static of(character: Character, runtime: Runtime): Player {
    return new Player(character, new Steering(runtime, character.facts.paces));
  }

  /** Stand at the origin again, in a reset pose that hardly moves. */
  reset(): void {
    this.crowd.reset(0, this.character.model.nearest(0, 0), 0, 0, 0);
    this.steering.reset(0);
    this.velocity.fill(0);
    this.flag = null;
    this.motion.jump();
  }

  /** Walk to a point, slower when it is near. */
  private approach([x, z]: [number, number], pace: number, seconds: number): void {
    const { places, wish } = this.crowd;
    const right = x - places[0];
    const ahead = z - places[1];
    const distance = Math.hypot(right, ahead);
    if (distance < REACHED) this.flag = null;
    const speed = Math.min(this.steering.paces[pace], distance / SLOWING);
    const share = distance < REACHED ? 0 : speed / distance;
    this.steering.go(share * right, share * ahead, !this.steering.locked, seconds, wish);
  }

  /** Go on where another one is, about as fast, with its wish. */
  takeOver(other: Player): void {
    const [x, z, yaw] = other.crowd.places;
    const [right, ahead] = other.velocity;
    const forward = Math.sin(yaw) * right + Math.cos(yaw) * ahead;
    const left = Math.cos(yaw) * right - Math.sin(yaw) * ahead;
    this.crowd.reset(0, this.character.model.nearest(forward, left), x, z, yaw);
    this.steering.paces = this.character.facts.paces;
    for (let i = 0; i < 2; i++) this.velocity[i] = other.velocity[i];
    this.flag = other.flag;
    this.motion.jump();
  }

  /** One step with these controls, for a camera that looks along a yaw. */
  step(controls: Controls, azimuth: number): void {
    const seconds = 1 / this.character.model.rate;
    const { places, wish } = this.crowd;
    const x = places[0];
    const z = places[1];
    if (moves(controls)) this.flag = null;
    this.steering.step(controls, azimuth, this.flag ? 0 : seconds, wish); // 0: only the lock
    if (this.flag) this.approach(this.flag, controls.pace, seconds);
    this.crowd.step();
    this.velocity[0] = (places[0] - x) / seconds;
    this.velocity[1] = (places[1] - z) / seconds;
    this.motion.take();
    this.steps++;
  }
}
