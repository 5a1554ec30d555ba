// Steering with a stick. A point that the user taps is walked to, until the stick moves.

import { type Controls, moves } from "../steering.ts";
import { Task } from "./task.ts";

const REACHED = 0.25; // m: so near to the flag it has arrived
const SLOWING = 0.6; // s: it slows down when the flag is this far away

export class Joystick extends Task {
  readonly title = "steer";

  enter(): void {
    this.play.steering.reset(this.player.place[2]);
    this.stage.steered = true;
    this.stage.flag = null;
  }

  point(x: number, z: number): void {
    this.stage.flag = [x, z];
  }

  step(controls: Controls, azimuth: number): void {
    const { steering, slope } = this.play;
    const { crowd } = this.player;
    if (moves(controls)) this.stage.flag = null;
    const { flag } = this.stage;
    steering.step(controls, azimuth, flag ? 0 : this.seconds, crowd.wish); // 0: only the lock
    if (flag) this.approach(flag, controls.pace);
    slow(crowd.wish, slope.east, slope.south);
    this.status = steering.locked ? "facing locked" : "facing free";
    crowd.step();
  }

  /** Walk to a point, slower when it is near. */
  private approach([x, z]: readonly [number, number], pace: number): void {
    const { steering } = this.play;
    const { crowd, place } = this.player;
    const right = x - place[0];
    const ahead = z - place[1];
    const distance = Math.hypot(right, ahead);
    if (distance < REACHED) this.stage.flag = null;
    const speed = Math.min(steering.paces[pace], distance / SLOWING);
    const share = distance < REACHED ? 0 : speed / distance;
    steering.go(share * right, share * ahead, !steering.locked, this.seconds, crowd.wish);
  }
}

const UPHILL = 2; // how much a wish is slowed uphill, as Ground.pace in controller/ground/ground.py
const DOWNHILL = 0.8;

function slow(wish: Float32Array, east: number, south: number): void {
  const speed = Math.hypot(wish[0], wish[1]);
  if (speed < 1e-6 || (!east && !south)) return;
  const rise = (east * wish[0] + south * wish[1]) / speed;
  const share = 1 / (1 + UPHILL * (rise > 0 ? rise : -DOWNHILL * rise));
  wish[0] *= share;
  wish[1] *= share;
}
