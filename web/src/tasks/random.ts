// Random walk: no steering. The latents are drawn at random, but for those that the user holds.

import { Task } from "./task.ts";

export const LIMIT = 2; // latents are within ± this

export class RandomWalk extends Task {
  readonly title = "random walk";
  /** Whether each unit is held by the user, and the values now. */
  readonly held: boolean[] = [];
  readonly values: number[] = [];
  /** Whether those that are not held are drawn at random; otherwise they are 0. */
  random = true;
  /** How large those drawn at random are: 1 as the motion VAE was trained. */
  size = 1;

  enter(): void {
    const { latent } = this.player.character.model;
    if (this.held.length === latent) return;
    this.held.length = this.values.length = 0;
    for (let i = 0; i < latent; i++) {
      this.held.push(false);
      this.values.push(0);
    }
  }

  handOver(): void {
    this.enter();
  }

  hold(unit: number, value: number): void {
    this.held[unit] = true;
    this.values[unit] = value;
  }

  next(): void {
    this.random = !this.random;
  }

  /** Let one go, or all. */
  release(unit?: number): void {
    for (let i = 0; i < this.held.length; i++) if (unit === undefined || unit === i) this.held[i] = false;
  }

  step(): void {
    const { crowd } = this.player;
    const { latents } = crowd;
    for (let i = 0; i < this.values.length; i++) {
      if (!this.held[i]) this.values[i] = this.random ? clamp(this.size * normal()) : 0;
      latents[i] = this.values[i];
    }
    const count = this.held.filter(Boolean).length;
    const others = this.random ? "drawn at random" : "0";
    this.status = count ? `${count} of ${this.held.length} of z held, the others ${others}` : `z ${others}`;
    crowd.walk();
  }
}

function clamp(value: number): number {
  return Math.min(Math.max(value, -LIMIT), LIMIT);
}

/** A normal number with a deviation of 1 (Box, Muller 1958). */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}
